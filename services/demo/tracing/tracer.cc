#include "services/demo/tracing/tracer.h"

#include <chrono>
#include <cstring>
#include <utility>

namespace spanway::demo {
namespace {

testapp::UnixNanos nanos(const Clock& clock) {
  return static_cast<testapp::UnixNanos>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(clock.system_now().time_since_epoch())
          .count());
}

// Never 0, which means "none".
template <std::size_t N>
void fill(std::array<char, N>& bytes, Random& random) {
  for (std::size_t at = 0; at < N; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next() | 1;
    std::memcpy(bytes.data() + at, &word, sizeof(word));
  }
}

}  // namespace

Span::Span(SpanContext context, testapp::Span span, const Clock& clock, SpanExporter& exporter)
    : context_(std::move(context)), span_(std::move(span)), clock_(clock), exporter_(&exporter) {}

Span::Span(Span&& other) noexcept
    : context_(std::move(other.context_)),
      span_(std::move(other.span_)),
      clock_(other.clock_),
      exporter_(std::exchange(other.exporter_, nullptr)) {}

void Span::set(std::string key, testapp::Value value) {
  span_.attributes.emplace_back(std::move(key), std::move(value));
}

void Span::fail(const std::string& message) {
  span_.status = testapp::SpanStatus::kError;
  span_.status_message = message;
}

void Span::end() {
  SpanExporter* const exporter = std::exchange(exporter_, nullptr);
  if (exporter == nullptr) return;
  span_.end = nanos(clock_);
  if (context_.sampled) exporter->add(std::move(span_));
}

Span Tracer::start(std::string name, testapp::SpanKind kind,
                   const std::optional<SpanContext>& parent) {
  SpanContext context = parent.value_or(SpanContext{});
  testapp::Span span;
  if (parent) span.parent_id = parent->span_id;
  {
    MutexLock lock(mutex_);
    if (!parent) fill(context.trace_id.bytes, random_);
    fill(context.span_id.bytes, random_);
  }
  span.trace_id = context.trace_id;
  span.span_id = context.span_id;
  span.kind = kind;
  span.name = std::move(name);
  span.start = nanos(clock_);
  return {std::move(context), std::move(span), clock_, exporter_};
}

}  // namespace spanway::demo
