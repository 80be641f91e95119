// A zero-copy reader for destinations that need another shape than OTLP: it walks a serialized
// Export request and hands out resources, scopes and items as views into it. Fields may come in any
// order, at any depth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"

namespace spanway::otlp {

enum class ValueKind : unsigned char {
  kEmpty,  // No value set, or one that we do not know.
  kString,
  kBool,
  kInt,
  kDouble,
  kArray,   // `text` is the encoded ArrayValue: walk it with ArrayReader.
  kKvlist,  // `text` is the encoded KeyValueList: walk it with KvlistReader.
  kBytes,
};

// An AnyValue. `text` is the string or bytes as sent: UTF-8 is not checked here.
struct ValueView {
  ValueKind kind = ValueKind::kEmpty;
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;
  std::string_view text;
};

struct AttributeView {
  std::string_view key;
  ValueView value;
};
using Attributes = std::span<const AttributeView>;

// The first attribute of that key, or null: duplicate keys are undefined in OTLP, the first wins.
const AttributeView* find_attribute(Attributes attributes, std::string_view key) noexcept;

// Walks the elements of a kArray value. Single-thread.
//   while (auto element = array.next()) ...; if (array.malformed()) ...
class ArrayReader {
 public:
  explicit ArrayReader(std::string_view text) noexcept : rest_(text) {}
  // Nothing at the end and on broken framing.
  std::optional<ValueView> next() noexcept;
  bool malformed() const noexcept { return malformed_; }

 private:
  std::string_view rest_;
  bool malformed_ = false;
};

// Walks the entries of a kKvlist value, as ArrayReader.
class KvlistReader {
 public:
  explicit KvlistReader(std::string_view text) noexcept : rest_(text) {}
  std::optional<AttributeView> next() noexcept;
  bool malformed() const noexcept { return malformed_; }

 private:
  std::string_view rest_;
  bool malformed_ = false;
};

struct ResourceView {
  Attributes attributes;
  std::uint32_t dropped_attributes_count = 0;
  std::string_view schema_url;
};

struct ScopeView {
  std::string_view name;
  std::string_view version;
  Attributes attributes;
  std::uint32_t dropped_attributes_count = 0;
  std::string_view schema_url;
};

struct EventView {
  std::uint64_t time_unix_nano = 0;
  std::string_view name;
  Attributes attributes;
  std::uint32_t dropped_attributes_count = 0;
};

struct LinkView {
  std::string_view trace_id;  // Raw bytes, as sent.
  std::string_view span_id;
  std::string_view trace_state;
  Attributes attributes;
  std::uint32_t dropped_attributes_count = 0;
  std::uint32_t flags = 0;
};

// The numbers of opentelemetry.proto.trace.v1; unknown ones are passed on.
enum class SpanKind : std::int32_t {
  kUnspecified = 0,
  kInternal = 1,
  kServer = 2,
  kClient = 3,
  kProducer = 4,
  kConsumer = 5,
};
enum class StatusCode : std::int32_t { kUnset = 0, kOk = 1, kError = 2 };

struct SpanView {
  std::string_view trace_id;  // Raw bytes, as sent: check the size before use.
  std::string_view span_id;
  std::string_view parent_span_id;
  std::string_view trace_state;
  std::string_view name;
  SpanKind kind = SpanKind::kUnspecified;
  std::uint64_t start_time_unix_nano = 0;
  std::uint64_t end_time_unix_nano = 0;
  Attributes attributes;
  std::span<const EventView> events;
  std::span<const LinkView> links;
  std::uint32_t dropped_attributes_count = 0;
  std::uint32_t dropped_events_count = 0;
  std::uint32_t dropped_links_count = 0;
  std::uint32_t flags = 0;
  StatusCode status_code = StatusCode::kUnset;
  std::string_view status_message;

  // 16 and 8 bytes, not all zero.
  bool has_valid_ids() const noexcept;
};

struct LogView {
  std::uint64_t time_unix_nano = 0;
  std::uint64_t observed_time_unix_nano = 0;
  std::int32_t severity_number = 0;
  std::string_view severity_text;
  ValueView body;
  Attributes attributes;
  std::uint32_t dropped_attributes_count = 0;
  std::uint32_t flags = 0;
  std::string_view trace_id;
  std::string_view span_id;
  std::string_view event_name;
};

enum class MetricType : unsigned char {
  kNone,
  kGauge,
  kSum,
  kHistogram,
  kExponentialHistogram,
  kSummary,
};

// The points stay encoded: each is a NumberDataPoint, HistogramDataPoint, ... by `type`.
struct MetricView {
  std::string_view name;
  std::string_view description;
  std::string_view unit;
  MetricType type = MetricType::kNone;
  std::int32_t aggregation_temporality = 0;
  bool is_monotonic = false;
  std::span<const std::string_view> points;
};

// Called by a reader. A resource's view stays valid until the next resource, a scope's until the
// next scope, an item's during the call only. An error ends the reading and is what read() returns.
class RequestVisitor {
 public:
  virtual ~RequestVisitor() = default;
  // Before the scopes of the resource, and before the items of the scope; also for empty ones.
  virtual Status on_resource(const ResourceView&) { return {}; }
  virtual Status on_scope(const ScopeView&) { return {}; }
  virtual Status on_span(const SpanView&) { return {}; }
  virtual Status on_metric(const MetricView&) { return {}; }
  virtual Status on_log(const LogView&) { return {}; }
};

// Single-thread; keeps its scratch memory from request to request, so that the steady state
// allocates nothing per item.
class RequestReader {
 public:
  RequestReader();
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Broken framing: INVALID_ARGUMENT, data, reason "malformed_request"; the items before it have
  // been visited by then.
  Status read(Signal signal, std::string_view payload, RequestVisitor& visitor);

 private:
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

// Spans, data points or log records in a request, by skipping over their contents.
Result<std::uint64_t> count_items(Signal signal, std::string_view payload);

}  // namespace spanway::otlp
