#include "services/lib/otlp_blocks/span_rows.h"

#include <utility>

#include "services/lib/otlp/value_json.h"
#include "services/lib/otlp_blocks/item_time.h"
#include "services/lib/otlp_blocks/table_block.h"
#include "services/lib/schema/promoted.h"

namespace spanway::otlp_blocks {
namespace {

using block::DictionaryColumn;
using block::FixedColumn;
using block::ListColumn;
using block::NullableColumn;
using block::StringColumn;

template <typename E>
std::int8_t enum_value(E value, std::int32_t max) noexcept {
  const auto number = static_cast<std::int32_t>(value);
  return static_cast<std::int8_t>(number >= 0 && number <= max ? number : 0);
}

FixedColumn& fixed(ListColumn& list) { return static_cast<FixedColumn&>(list.nested()); }
StringColumn& text(ListColumn& list) { return static_cast<StringColumn&>(list.nested()); }

}  // namespace

SpanRows::SpanRows(std::int32_t day)
    : day_(day),
      block_(table_block("spans")),
      maps_(block_),
      tenant_(block_.get<DictionaryColumn>("tenant")),
      service_name_(block_.get<DictionaryColumn>("service_name")),
      name_(block_.get<DictionaryColumn>("name")),
      scope_name_(block_.get<DictionaryColumn>("scope_name")),
      scope_version_(block_.get<DictionaryColumn>("scope_version")),
      ts_(block_.get<FixedColumn>("ts")),
      duration_ns_(block_.get<FixedColumn>("duration_ns")),
      trace_id_(block_.get<FixedColumn>("trace_id")),
      span_id_(block_.get<FixedColumn>("span_id")),
      parent_span_id_(block_.get<FixedColumn>("parent_span_id")),
      flags_(block_.get<FixedColumn>("flags")),
      kind_(block_.get<FixedColumn>("kind")),
      status_(block_.get<FixedColumn>("status")),
      res_id_(block_.get<FixedColumn>("res_id")),
      dropped_attributes_(block_.get<FixedColumn>("dropped_attributes")),
      dropped_events_(block_.get<FixedColumn>("dropped_events")),
      dropped_links_(block_.get<FixedColumn>("dropped_links")),
      trace_state_(block_.get<StringColumn>("trace_state")),
      status_message_(block_.get<StringColumn>("status_message")),
      scope_attrs_(block_.get<StringColumn>("scope_attrs")),
      event_ts_(block_.get<ListColumn>("events.ts")),
      event_name_(block_.get<ListColumn>("events.name")),
      event_attrs_(block_.get<ListColumn>("events.attrs")),
      event_dropped_(block_.get<ListColumn>("events.dropped")),
      link_trace_id_(block_.get<ListColumn>("links.trace_id")),
      link_span_id_(block_.get<ListColumn>("links.span_id")),
      link_trace_state_(block_.get<ListColumn>("links.trace_state")),
      link_attrs_(block_.get<ListColumn>("links.attrs")),
      link_dropped_(block_.get<ListColumn>("links.dropped")),
      link_flags_(block_.get<ListColumn>("links.flags")) {
  for (const schema::PromotedAttribute& attribute : schema::promoted_attributes())
    promoted_.push_back(block_.find(attribute.column));
}

bool SpanRows::append(const ItemContext& context, const otlp::SpanView& span, AttributeKeys& keys) {
  append_fixed(context, span);
  if (!append_attributes(span, keys) || !append_events(span, keys) || !append_links(span, keys))
    return false;
  ++rows_;
  return true;
}

void SpanRows::append_fixed(const ItemContext& context, const otlp::SpanView& span) {
  const std::uint64_t start = span.start_time_unix_nano, end = span.end_time_unix_nano;
  tenant_.append(context.tenant);
  ts_.append(clamped_time(start));
  duration_ns_.append(end > start ? end - start : std::uint64_t{0});
  trace_id_.append_text(span.trace_id);
  span_id_.append_text(span.span_id);
  parent_span_id_.append_text(span.parent_span_id);
  trace_state_.append(span.trace_state);
  flags_.append(span.flags);
  service_name_.append(context.service_name);
  name_.append(span.name);
  kind_.append(enum_value(span.kind, 5));
  status_.append(enum_value(span.status_code, 2));
  status_message_.append(span.status_message);
  res_id_.append(context.resource_id);
  scope_name_.append(context.scope_name);
  scope_version_.append(context.scope_version);
  scope_attrs_.append(context.scope_attributes);
  dropped_attributes_.append(span.dropped_attributes_count);
  dropped_events_.append(span.dropped_events_count);
  dropped_links_.append(span.dropped_links_count);
}

bool SpanRows::append_attributes(const otlp::SpanView& span, AttributeKeys& keys) {
  for (const otlp::AttributeView& attribute : span.attributes) {
    keys.note(day_, AttributeScope::kItem, attribute.key, type_of(attribute.value));
    const int index = schema::find_promoted(attribute.key);
    if (index >= 0 && append_promoted(index, attribute.value)) continue;
    if (!maps_.append(attribute)) return false;
  }
  maps_.close_row();
  return true;
}

// False when the column cannot take the value: of another type, too long, or a repeated key. Rows
// without a value are filled up when the next value comes, or at the end.
bool SpanRows::append_promoted(int index, const otlp::ValueView& value) {
  const auto i = static_cast<std::size_t>(index);
  block::Column& column = *promoted_[i];
  const bool is_integer = schema::promoted_attributes()[i].kind == schema::PromotedKind::kInteger;
  if (type_of(value) != (is_integer ? AttributeType::kInteger : AttributeType::kText)) return false;
  if (column.rows() > rows_) return false;
  while (column.rows() < rows_) column.append_default();
  if (is_integer) {
    static_cast<NullableColumn&>(column).append(value.integer);
  } else if (column.type().kind == block::Kind::kLowCardinality) {
    static_cast<DictionaryColumn&>(column).append(value.text);
  } else {
    auto& nullable = static_cast<NullableColumn&>(column);
    static_cast<StringColumn&>(nullable.append_value()).append(value.text);
  }
  return true;
}

bool SpanRows::append_events(const otlp::SpanView& span, AttributeKeys& keys) {
  for (const otlp::EventView& event : span.events) {
    json_.clear();
    if (!append_typed_json(event.attributes, json_)) return false;
    keys.note(day_, AttributeScope::kEvent, event.attributes);
    fixed(event_ts_).append(clamped_time(event.time_unix_nano));
    static_cast<DictionaryColumn&>(event_name_.nested()).append(event.name);
    text(event_attrs_).append(json_);
    fixed(event_dropped_).append(event.dropped_attributes_count);
  }
  for (ListColumn* list : {&event_ts_, &event_name_, &event_attrs_, &event_dropped_})
    list->close_row();
  return true;
}

bool SpanRows::append_links(const otlp::SpanView& span, AttributeKeys& keys) {
  for (const otlp::LinkView& link : span.links) {
    json_.clear();
    if (!append_typed_json(link.attributes, json_)) return false;
    keys.note(day_, AttributeScope::kLink, link.attributes);
    fixed(link_trace_id_).append_text(link.trace_id);
    fixed(link_span_id_).append_text(link.span_id);
    text(link_trace_state_).append(link.trace_state);
    text(link_attrs_).append(json_);
    fixed(link_dropped_).append(link.dropped_attributes_count);
    fixed(link_flags_).append(link.flags);
  }
  for (ListColumn* list : {&link_trace_id_, &link_span_id_, &link_trace_state_, &link_attrs_,
                           &link_dropped_, &link_flags_})
    list->close_row();
  return true;
}

block::Block SpanRows::take() {
  for (block::Column* column : promoted_)
    while (column->rows() < rows_) column->append_default();
  return std::move(block_);
}

}  // namespace spanway::otlp_blocks
