#include "services/lib/otlp_blocks/assemble.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <tuple>
#include <vector>

#include "services/lib/otlp/wire.h"
#include "services/lib/otlp_blocks/span_reader.h"

namespace spanway::otlp_blocks {
namespace {

using otlp::wire::Writer;

void append_attributes(std::uint32_t field, otlp::Attributes attributes, Bytes& out) {
  Writer writer(out);
  for (const otlp::AttributeView& attribute : attributes) {
    const auto entry = writer.begin(field);
    writer.bytes(1, attribute.key);
    const auto value = writer.begin(2);
    append_any_value(attribute.value, out);
    writer.end(value);
    writer.end(entry);
  }
}

void append_number(Writer& writer, std::uint32_t field, std::uint32_t value) {
  if (value != 0) writer.varint(field, value);
}
void append_text(Writer& writer, std::uint32_t field, std::string_view text) {
  if (!text.empty()) writer.bytes(field, text);
}

void append_event(const otlp::EventView& event, Bytes& out) {
  Writer writer(out);
  const auto mark = writer.begin(11);
  writer.fixed64(1, event.time_unix_nano);
  append_text(writer, 2, event.name);
  append_attributes(3, event.attributes, out);
  append_number(writer, 4, event.dropped_attributes_count);
  writer.end(mark);
}

void append_link(const otlp::LinkView& link, Bytes& out) {
  Writer writer(out);
  const auto mark = writer.begin(13);
  writer.bytes(1, link.trace_id);
  writer.bytes(2, link.span_id);
  append_text(writer, 3, link.trace_state);
  append_attributes(4, link.attributes, out);
  append_number(writer, 5, link.dropped_attributes_count);
  if (link.flags != 0) writer.fixed32(6, link.flags);
  writer.end(mark);
}

void append_span(const otlp::SpanView& span, Bytes& out) {
  Writer writer(out);
  const auto mark = writer.begin(2);
  writer.bytes(1, span.trace_id);
  writer.bytes(2, span.span_id);
  append_text(writer, 3, span.trace_state);
  append_text(writer, 4, span.parent_span_id);
  append_text(writer, 5, span.name);
  append_number(writer, 6, static_cast<std::uint32_t>(span.kind));
  writer.fixed64(7, span.start_time_unix_nano);
  writer.fixed64(8, span.end_time_unix_nano);
  append_attributes(9, span.attributes, out);
  append_number(writer, 10, span.dropped_attributes_count);
  for (const otlp::EventView& event : span.events) append_event(event, out);
  append_number(writer, 12, span.dropped_events_count);
  for (const otlp::LinkView& link : span.links) append_link(link, out);
  append_number(writer, 14, span.dropped_links_count);
  const auto status = writer.begin(15);
  append_text(writer, 2, span.status_message);
  append_number(writer, 3, static_cast<std::uint32_t>(span.status_code));
  writer.end(status);
  if (span.flags != 0) writer.fixed32(16, span.flags);
  writer.end(mark);
}

void append_resource(const otlp::ResourceView* resource, std::string_view service, Bytes& out) {
  Writer writer(out);
  const auto mark = writer.begin(1);
  otlp::AttributeView name{.key = "service.name", .value = {}};
  name.value.kind = otlp::ValueKind::kString;
  name.value.text = service;
  if (resource != nullptr) {
    append_attributes(1, resource->attributes, out);
  } else if (!service.empty()) {
    append_attributes(1, {&name, 1}, out);
  }
  writer.end(mark);
}

void append_scope(const otlp::ScopeView& scope, Bytes& out) {
  Writer writer(out);
  const auto mark = writer.begin(1);
  append_text(writer, 1, scope.name);
  append_text(writer, 2, scope.version);
  append_attributes(3, scope.attributes, out);
  writer.end(mark);
}

// Rows in the order in which they are written, and where their groups begin.
struct Rows {
  Rows(const SpanReader& spans, std::size_t begin, std::size_t end)
      : order(end - begin), reader(spans) {
    std::iota(order.begin(), order.end(), begin);
    std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
      const int by_scope = compare_scopes(a, b);
      if (reader.resource_id(a) != reader.resource_id(b))
        return reader.resource_id(a) < reader.resource_id(b);
      if (by_scope != 0) return by_scope < 0;
      return reader.start_unix_nano(a) < reader.start_unix_nano(b);
    });
  }
  int compare_scopes(std::size_t a, std::size_t b) const {
    for (const char* column : {"scope_name", "scope_version", "scope_attrs"})
      if (const int way = reader.text(column, a).compare(reader.text(column, b)); way != 0)
        return way;
    return 0;
  }
  bool begins_resource(std::size_t i) const {
    return i == 0 || reader.resource_id(order[i]) != reader.resource_id(order[i - 1]);
  }
  bool begins_scope(std::size_t i) const {
    return begins_resource(i) || compare_scopes(order[i], order[i - 1]) != 0;
  }
  std::vector<std::size_t> order;
  const SpanReader& reader;
};

}  // namespace

Status append_spans(const block::Block& spans, const FindResource& find_resource, Bytes& out) {
  return append_spans(spans, 0, spans.rows(), find_resource, out);
}

Status append_spans(const block::Block& spans, std::size_t begin, std::size_t end,
                    const FindResource& find_resource, Bytes& out) {
  SpanReader reader(spans);
  const Rows rows(reader, begin, end);
  Writer writer(out);
  Writer::Mark resource_mark = 0, scope_mark = 0;
  for (std::size_t i = 0; i < rows.order.size(); ++i) {
    const StoredSpan* stored = reader.read(rows.order[i]);
    if (stored == nullptr)
      return data_error(Code::kInternal, "a stored attribute is not JSON as Spanway writes it")
          .with_reason("stored_value_unreadable");
    if (rows.begins_resource(i)) {
      resource_mark = writer.begin(1);
      append_resource(find_resource(stored->resource_id), stored->service_name, out);
    }
    if (rows.begins_scope(i)) {
      scope_mark = writer.begin(2);
      append_scope(stored->scope, out);
    }
    append_span(stored->span, out);
    const bool is_last = i + 1 == rows.order.size();
    if (is_last || rows.begins_scope(i + 1)) writer.end(scope_mark);
    if (is_last || rows.begins_resource(i + 1)) {
      const otlp::ResourceView* resource = find_resource(stored->resource_id);
      if (resource != nullptr && !resource->schema_url.empty())
        writer.bytes(3, resource->schema_url);
      writer.end(resource_mark);
    }
  }
  return {};
}

}  // namespace spanway::otlp_blocks
