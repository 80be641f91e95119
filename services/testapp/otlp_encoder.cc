#include "services/testapp/otlp_encoder.h"

#include <string_view>

#include "services/lib/otlp/wire.h"

namespace spanway::testapp {
namespace {

using otlp::wire::Writer;

// Field numbers below are those of opentelemetry/proto, whose messages the functions are named
// after.
constexpr std::string_view kScopeName = "spanway.testapp";
constexpr std::string_view kSchemaUrl = "https://opentelemetry.io/schemas/1.37.0";
constexpr std::uint64_t kCumulative = 2;

template <std::size_t N>
std::string_view view(const std::array<char, N>& bytes) {
  return {bytes.data(), bytes.size()};
}

void write_value(Writer& writer, std::uint32_t field, const Value& value) {
  const auto mark = writer.begin(field);
  if (const auto* text = std::get_if<std::string>(&value)) {
    writer.bytes(1, *text);
  } else if (const auto* boolean = std::get_if<bool>(&value)) {
    writer.varint(2, *boolean ? 1 : 0);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    writer.varint(3, static_cast<std::uint64_t>(*integer));
  } else {
    writer.real(4, std::get<double>(value));
  }
  writer.end(mark);
}

void write_attributes(Writer& writer, std::uint32_t field, const Attributes& attributes) {
  for (const auto& [key, value] : attributes) {
    const auto mark = writer.begin(field);
    writer.bytes(1, key);
    write_value(writer, 2, value);
    writer.end(mark);
  }
}

void write_event(Writer& writer, const SpanEvent& event) {
  const auto mark = writer.begin(11);
  writer.fixed64(1, event.time);
  writer.bytes(2, event.name);
  write_attributes(writer, 3, event.attributes);
  writer.end(mark);
}

void write_span(Writer& writer, const Span& span) {
  const auto mark = writer.begin(2);
  writer.bytes(1, view(span.trace_id.bytes));
  writer.bytes(2, view(span.span_id.bytes));
  if (!span.parent_id.empty()) writer.bytes(4, view(span.parent_id.bytes));
  writer.bytes(5, span.name);
  writer.varint(6, static_cast<std::uint64_t>(span.kind));
  writer.fixed64(7, span.start);
  writer.fixed64(8, span.end);
  write_attributes(writer, 9, span.attributes);
  for (const SpanEvent& event : span.events) write_event(writer, event);
  if (!span.linked_id.empty()) {
    const auto link = writer.begin(13);
    writer.bytes(1, view(span.trace_id.bytes));
    writer.bytes(2, view(span.linked_id.bytes));
    writer.end(link);
  }
  if (span.status != SpanStatus::kUnset) {
    const auto status = writer.begin(15);
    if (!span.status_message.empty()) writer.bytes(2, span.status_message);
    writer.varint(3, static_cast<std::uint64_t>(span.status));
    writer.end(status);
  }
  writer.end(mark);
}

std::string_view severity_text(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "INFO";
    case Severity::kWarn:
      return "WARN";
    case Severity::kError:
      break;
  }
  return "ERROR";
}

void write_log(Writer& writer, const LogRecord& log) {
  const auto mark = writer.begin(2);
  writer.fixed64(1, log.time);
  writer.varint(2, static_cast<std::uint64_t>(log.severity));
  writer.bytes(3, severity_text(log.severity));
  write_value(writer, 5, Value(log.body));
  write_attributes(writer, 6, log.attributes);
  writer.fixed32(8, 1);  // Sampled.
  writer.bytes(9, view(log.trace_id.bytes));
  writer.bytes(10, view(log.span_id.bytes));
  writer.fixed64(11, log.time);
  writer.end(mark);
}

void write_exemplar(Writer& writer, std::uint32_t field, const Exemplar& exemplar) {
  const auto mark = writer.begin(field);
  writer.fixed64(2, exemplar.time);
  writer.real(3, exemplar.value);
  writer.bytes(4, view(exemplar.span_id.bytes));
  writer.bytes(5, view(exemplar.trace_id.bytes));
  writer.end(mark);
}

void write_number_point(Writer& writer, const Point& point) {
  const auto mark = writer.begin(1);
  if (point.start != 0) writer.fixed64(2, point.start);
  writer.fixed64(3, point.time);
  writer.real(4, point.value);
  for (const Exemplar& exemplar : point.exemplars) write_exemplar(writer, 5, exemplar);
  write_attributes(writer, 7, point.attributes);
  writer.end(mark);
}

template <typename T>
std::string_view packed(const std::vector<T>& values) {
  static_assert(sizeof(T) == 8);
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

void write_histogram_point(Writer& writer, const Metric& metric, const Point& point) {
  const auto mark = writer.begin(1);
  writer.fixed64(2, point.start);
  writer.fixed64(3, point.time);
  writer.fixed64(4, point.count);
  writer.real(5, point.value);
  writer.bytes(6, packed(point.bucket_counts));
  writer.bytes(7, packed(metric.bounds));
  for (const Exemplar& exemplar : point.exemplars) write_exemplar(writer, 8, exemplar);
  write_attributes(writer, 9, point.attributes);
  writer.end(mark);
}

void write_metric(Writer& writer, const Metric& metric) {
  const auto mark = writer.begin(2);
  writer.bytes(1, metric.name);
  writer.bytes(2, metric.description);
  writer.bytes(3, metric.unit);
  const std::uint32_t field =
      metric.kind == MetricKind::kGauge ? 5 : (metric.kind == MetricKind::kSum ? 7 : 9);
  const auto data = writer.begin(field);
  for (const Point& point : metric.points) {
    if (metric.kind == MetricKind::kHistogram) {
      write_histogram_point(writer, metric, point);
    } else {
      write_number_point(writer, point);
    }
  }
  if (metric.kind != MetricKind::kGauge) writer.varint(2, kCumulative);
  if (metric.kind == MetricKind::kSum) writer.varint(3, 1);  // Monotonic.
  writer.end(data);
  writer.end(mark);
}

// Writes the items; returns how many there are.
std::uint64_t write_items(Writer& writer, otlp::Signal signal, const ServiceTelemetry& service) {
  switch (signal) {
    case otlp::Signal::kTraces:
      for (const Span& span : service.spans) write_span(writer, span);
      return service.spans.size();
    case otlp::Signal::kLogs:
      for (const LogRecord& log : service.logs) write_log(writer, log);
      return service.logs.size();
    case otlp::Signal::kMetrics:
      break;
  }
  std::uint64_t points = 0;
  for (const Metric& metric : service.metrics) {
    write_metric(writer, metric);
    points += metric.points.size();
  }
  return points;
}

bool has_items(otlp::Signal signal, const ServiceTelemetry& service) {
  switch (signal) {
    case otlp::Signal::kTraces:
      return !service.spans.empty();
    case otlp::Signal::kLogs:
      return !service.logs.empty();
    case otlp::Signal::kMetrics:
      break;
  }
  return !service.metrics.empty();
}

}  // namespace

EncodedRequest encode(otlp::Signal signal, const std::vector<ServiceTelemetry>& services) {
  EncodedRequest request;
  Writer writer(request.payload);
  for (const ServiceTelemetry& service : services) {
    if (!has_items(signal, service)) continue;
    const auto resource_items = writer.begin(1);
    const auto resource = writer.begin(1);
    write_attributes(writer, 1, service.resource);
    writer.end(resource);
    const auto scope_items = writer.begin(2);
    const auto scope = writer.begin(1);
    writer.bytes(1, kScopeName);
    writer.bytes(2, SPANWAY_VERSION);
    writer.end(scope);
    request.item_count += write_items(writer, signal, service);
    writer.end(scope_items);
    writer.bytes(3, kSchemaUrl);
    writer.end(resource_items);
  }
  return request;
}

}  // namespace spanway::testapp
