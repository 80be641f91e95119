#include "services/query/api/jaeger/v1_writer.h"

#include <algorithm>

#include "services/lib/base/hex.h"
#include "services/lib/base/json_writer.h"
#include "services/query/api/jaeger/jaeger_tags.h"

namespace spanway::query::jaeger {
namespace {

constexpr std::uint64_t kNanosPerMicro = 1000;
constexpr std::string_view kChildOf = "CHILD_OF", kFollowsFrom = "FOLLOWS_FROM";

std::string_view kind_of(otlp::SpanKind kind) {
  switch (kind) {
    case otlp::SpanKind::kInternal:
      return "internal";
    case otlp::SpanKind::kServer:
      return "server";
    case otlp::SpanKind::kClient:
      return "client";
    case otlp::SpanKind::kProducer:
      return "producer";
    case otlp::SpanKind::kConsumer:
      return "consumer";
    default:
      return "";
  }
}

std::string_view type_of(const otlp::LinkView& link) {
  const auto* type = otlp::find_attribute(link.attributes, "opentracing.ref_type");
  return type != nullptr && type->value.text == "child_of" ? kChildOf : kFollowsFrom;
}

void append_reference(std::string_view type, std::string_view trace, std::string_view span,
                      JsonWriter& json) {
  json.begin_object().member("refType", type).member("traceID", to_hex(trace));
  json.member("spanID", to_hex(span)).end_object();
}

// The parent first; a link to the parent gives that reference its type.
void append_references(const otlp::SpanView& span, JsonWriter& json) {
  const auto is_parent = [&](const otlp::LinkView& link) {
    return !span.parent_span_id.empty() && link.trace_id == span.trace_id &&
           link.span_id == span.parent_span_id;
  };
  json.begin_array("references");
  if (!span.parent_span_id.empty()) {
    std::string_view type = kChildOf;
    for (const otlp::LinkView& link : span.links)
      if (is_parent(link)) type = type_of(link);
    append_reference(type, span.trace_id, span.parent_span_id, json);
  }
  for (const otlp::LinkView& link : span.links)
    if (!is_parent(link)) append_reference(type_of(link), link.trace_id, link.span_id, json);
  json.end_array();
}

void append_tags(const otlp_blocks::StoredSpan& stored, JsonWriter& json) {
  const otlp::SpanView& span = stored.span;
  const auto text = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) append_tag(key, value, json);
  };
  json.begin_array("tags");
  text("otel.scope.name", stored.scope.name);
  text("otel.scope.version", stored.scope.version);
  for (const otlp::AttributeView& attribute : span.attributes)
    append_tag(attribute.key, attribute.value, json);
  text("span.kind", kind_of(span.kind));
  if (span.status_code == otlp::StatusCode::kOk) text("otel.status_code", "OK");
  if (span.status_code == otlp::StatusCode::kError) {
    text("otel.status_code", "ERROR");
    otlp::ValueView yes;
    yes.kind = otlp::ValueKind::kBool;
    yes.boolean = true;
    append_tag("error", yes, json);
  }
  text("otel.status_description", span.status_message);
  text("w3c.tracestate", span.trace_state);
  json.end_array();
}

void append_logs(const otlp::SpanView& span, JsonWriter& json) {
  json.begin_array("logs");
  for (const otlp::EventView& event : span.events) {
    json.begin_object().member("timestamp", event.time_unix_nano / kNanosPerMicro);
    json.begin_array("fields");
    if (!event.name.empty() && otlp::find_attribute(event.attributes, "event") == nullptr)
      append_tag("event", event.name, json);
    for (const otlp::AttributeView& attribute : event.attributes)
      append_tag(attribute.key, attribute.value, json);
    json.end_array().end_object();
  }
  json.end_array();
}

}  // namespace

void append_span(const otlp_blocks::StoredSpan& stored, std::string_view process,
                 std::string& out) {
  const otlp::SpanView& span = stored.span;
  JsonWriter json(out);
  json.begin_object().member("traceID", to_hex(span.trace_id));
  json.member("spanID", to_hex(span.span_id)).member("operationName", span.name);
  append_references(span, json);
  json.member("startTime", span.start_time_unix_nano / kNanosPerMicro);
  json.member("duration", (span.end_time_unix_nano - span.start_time_unix_nano) / kNanosPerMicro);
  append_tags(stored, json);
  append_logs(span, json);
  json.member("processID", process).key("warnings").null().end_object();
}

void append_process(const otlp::ResourceView* resource, std::string_view service_name,
                    std::string& out) {
  const auto* named =
      resource == nullptr ? nullptr : otlp::find_attribute(resource->attributes, "service.name");
  JsonWriter json(out);
  json.begin_object();
  json.member("serviceName", named != nullptr ? named->value.text : service_name);
  json.begin_array("tags");
  if (resource != nullptr)
    for (const otlp::AttributeView& attribute : resource->attributes)
      if (attribute.key != "service.name") append_tag(attribute.key, attribute.value, json);
  json.end_array().end_object();
}

}  // namespace spanway::query::jaeger
