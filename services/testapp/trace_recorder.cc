#include "services/testapp/trace_recorder.h"

#include <cstring>
#include <utility>

namespace spanway::testapp {
namespace {

constexpr UnixNanos kMicrosecond = 1000;

// Never zero: an id of zeros means that there is none.
std::uint64_t non_zero(Random& random) {
  std::uint64_t value = random.next();
  while (value == 0) value = random.next();
  return value;
}

}  // namespace

TraceRecorder::TraceRecorder(Random& random) : random_(random) {
  const std::array<std::uint64_t, 2> words = {non_zero(random), non_zero(random)};
  std::memcpy(trace_id_.bytes.data(), words.data(), trace_id_.bytes.size());
}

SpanId TraceRecorder::new_span_id() {
  SpanId id;
  const std::uint64_t word = non_zero(random_);
  std::memcpy(id.bytes.data(), &word, id.bytes.size());
  return id;
}

void TraceRecorder::pass(std::uint64_t low, std::uint64_t high) {
  now_ += (low + random_.next_below(high - low + 1)) * kMicrosecond;
}

TraceRecorder::Handle TraceRecorder::open_root(ServiceName service, SpanKind kind, std::string name,
                                               Attributes attributes) {
  Span span;
  span.trace_id = trace_id_;
  span.span_id = new_span_id();
  span.kind = kind;
  span.name = std::move(name);
  span.start = now_;
  span.end = now_;
  span.attributes = std::move(attributes);
  std::vector<Span>& spans = spans_[index_of(service)];
  spans.push_back(std::move(span));
  return {service, spans.size() - 1};
}

TraceRecorder::Handle TraceRecorder::open(ServiceName service, SpanKind kind, std::string name,
                                          Handle parent, Attributes attributes) {
  const Handle handle = open_root(service, kind, std::move(name), std::move(attributes));
  at(handle).parent_id = at(parent).span_id;
  return handle;
}

void TraceRecorder::add(Handle span, std::string key, Value value) {
  at(span).attributes.emplace_back(std::move(key), std::move(value));
}

void TraceRecorder::link(Handle span, Handle to) { at(span).linked_id = at(to).span_id; }

void TraceRecorder::fail(Handle span, const std::string& type, const std::string& message) {
  Span& failed = at(span);
  failed.status = SpanStatus::kError;
  failed.status_message = message;
  if (type.empty()) return;
  failed.attributes.emplace_back("error.type", type);
  failed.events.push_back(
      {now_, "exception", {{"exception.type", type}, {"exception.message", message}}});
}

void TraceRecorder::end(Handle span) { at(span).end = now_; }

void TraceRecorder::log(Handle span, Severity severity, std::string body, Attributes attributes) {
  logs_[index_of(span.service)].push_back(
      {now_, severity, std::move(body), std::move(attributes), trace_id_, at(span).span_id});
}

const Span& TraceRecorder::span(Handle handle) const {
  return spans_[index_of(handle.service)][handle.index];
}

void TraceRecorder::shift(UnixNanos by) {
  for (std::vector<Span>& spans : spans_) {
    for (Span& span : spans) {
      span.start += by;
      span.end += by;
      for (SpanEvent& event : span.events) event.time += by;
    }
  }
  for (std::vector<LogRecord>& logs : logs_)
    for (LogRecord& log : logs) log.time += by;
  now_ += by;
}

}  // namespace spanway::testapp
