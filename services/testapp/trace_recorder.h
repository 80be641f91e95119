// Plays the instrumentation of all services of one request: opens and ends spans and writes log
// lines at a time that moves only when it is advanced.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "services/lib/base/random.h"
#include "services/testapp/telemetry_model.h"

namespace spanway::testapp {

enum class ServiceName : std::uint8_t {
  kFrontend = 0,
  kCart,
  kCheckout,
  kInventory,
  kPayment,
  kEmail
};
inline constexpr std::size_t kServiceCount = 6;
inline constexpr std::array<const char*, kServiceCount> kServiceNames = {
    "frontend", "cart", "checkout", "inventory", "payment", "email"};

// External lock. One trace. Times begin at 0 and are moved to the clock's by shift().
class TraceRecorder {
 public:
  // A span that was opened; valid as long as the recorder.
  struct Handle {
    ServiceName service = ServiceName::kFrontend;
    std::size_t index = 0;
  };

  explicit TraceRecorder(Random& random);

  // Lets between `low` and `high` microseconds pass.
  void pass(std::uint64_t low, std::uint64_t high);
  Handle open_root(ServiceName service, SpanKind kind, std::string name, Attributes attributes);
  Handle open(ServiceName service, SpanKind kind, std::string name, Handle parent,
              Attributes attributes);
  void add(Handle span, std::string key, Value value);
  void link(Handle span, Handle to);
  // Marks the span as failed; with an exception when `type` is not empty.
  void fail(Handle span, const std::string& type, const std::string& message);
  void end(Handle span);
  void log(Handle span, Severity severity, std::string body, Attributes attributes = {});

  const Span& span(Handle handle) const;
  const TraceId& trace_id() const noexcept { return trace_id_; }
  UnixNanos now() const noexcept { return now_; }
  // Adds `by` to all times: afterwards the recorder is only read.
  void shift(UnixNanos by);

  std::vector<Span>& spans(ServiceName service) { return spans_[index_of(service)]; }
  std::vector<LogRecord>& logs(ServiceName service) { return logs_[index_of(service)]; }

 private:
  static std::size_t index_of(ServiceName service) noexcept {
    return static_cast<std::size_t>(service);
  }
  Span& at(Handle handle) { return spans_[index_of(handle.service)][handle.index]; }
  SpanId new_span_id();

  Random& random_;
  TraceId trace_id_;
  UnixNanos now_ = 0;
  std::array<std::vector<Span>, kServiceCount> spans_;
  std::array<std::vector<LogRecord>, kServiceCount> logs_;
};

}  // namespace spanway::testapp
