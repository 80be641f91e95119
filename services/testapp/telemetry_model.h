// The telemetry of the shop's services, before it is encoded as OTLP.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace spanway::testapp {

using Value = std::variant<std::string, std::int64_t, double, bool>;
using Attributes = std::vector<std::pair<std::string, Value>>;
// Nanoseconds since 1970.
using UnixNanos = std::uint64_t;

struct TraceId {
  std::array<char, 16> bytes = {};
  bool operator==(const TraceId&) const = default;
};
struct SpanId {
  std::array<char, 8> bytes = {};
  bool operator==(const SpanId&) const = default;
  bool empty() const noexcept { return *this == SpanId{}; }
};
// Lower-case hex.

// Numbers as in OTLP.
enum class SpanKind : std::uint8_t { kInternal = 1, kServer, kClient, kProducer, kConsumer };
enum class SpanStatus : std::uint8_t { kUnset = 0, kOk = 1, kError = 2 };
enum class Severity : std::uint8_t { kInfo = 9, kWarn = 13, kError = 17 };

struct SpanEvent {
  UnixNanos time = 0;
  std::string name;
  Attributes attributes;
};

struct Span {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_id;  // Empty = the root.
  // A span of the same trace; empty = none.
  SpanId linked_id;
  SpanKind kind = SpanKind::kInternal;
  std::string name;
  UnixNanos start = 0, end = 0;
  Attributes attributes;
  std::vector<SpanEvent> events;
  SpanStatus status = SpanStatus::kUnset;
  std::string status_message;
};

struct LogRecord {
  UnixNanos time = 0;
  Severity severity = Severity::kInfo;
  std::string body;
  Attributes attributes;
  TraceId trace_id;
  SpanId span_id;
};

// An example of what was measured, in a trace.
struct Exemplar {
  UnixNanos time = 0;
  double value = 0;
  TraceId trace_id;
  SpanId span_id;
};

enum class MetricKind : std::uint8_t { kGauge, kSum, kHistogram };

// Cumulative since `start`.
struct Point {
  Attributes attributes;
  UnixNanos start = 0, time = 0;
  double value = 0;  // Gauge and sum; a histogram's sum.
  std::uint64_t count = 0;
  std::vector<std::uint64_t> bucket_counts;
  std::vector<Exemplar> exemplars;  // At most one.
};

struct Metric {
  std::string name;
  std::string description;
  std::string unit;
  MetricKind kind = MetricKind::kGauge;
  std::vector<double> bounds;  // Histogram only.
  std::vector<Point> points;
};

// One service of the shop, with a resource of its own.
struct ServiceTelemetry {
  Attributes resource;
  std::vector<Span> spans;
  std::vector<LogRecord> logs;
  std::vector<Metric> metrics;
};

}  // namespace spanway::testapp
