#include "services/lib/otlp_blocks/span_reader.h"

#include <algorithm>

namespace spanway::otlp_blocks {
namespace {

using block::FixedColumn;
using block::ListColumn;

const ListColumn* list(const block::Block& block, const char* name) {
  return dynamic_cast<const ListColumn*>(block.find(name));
}
template <typename T>
T value_of(const block::Column& column, std::size_t row) {
  const auto* fixed = dynamic_cast<const FixedColumn*>(&column);
  return fixed != nullptr && fixed->width() == sizeof(T) ? fixed->values<T>()[row] : T{};
}
// "" for an id that is not set.
std::string_view id_or_empty(std::string_view id) {
  return std::all_of(id.begin(), id.end(), [](char c) { return c == '\0'; }) ? std::string_view()
                                                                             : id;
}

}  // namespace

SpanReader::SpanReader(const block::Block& block) : block_(block), attributes_(block) {}

template <typename T>
T SpanReader::number(const char* column, std::size_t row) const {
  const block::Column* found = block_.find(column);
  return found == nullptr ? T{} : value_of<T>(*found, row);
}

std::uint64_t SpanReader::resource_id(std::size_t row) const {
  return number<std::uint64_t>("res_id", row);
}
std::int64_t SpanReader::start_unix_nano(std::size_t row) const {
  return number<std::int64_t>("ts", row);
}

const StoredSpan* SpanReader::read(std::size_t row) {
  values_.clear();
  own_.clear();
  scope_attributes_.clear();
  otlp::SpanView& span = stored_.span;
  span.trace_id = text("trace_id", row);
  span.span_id = text("span_id", row);
  span.parent_span_id = id_or_empty(text("parent_span_id", row));
  span.trace_state = text("trace_state", row);
  span.name = text("name", row);
  span.kind = static_cast<otlp::SpanKind>(number<std::int8_t>("kind", row));
  span.start_time_unix_nano = static_cast<std::uint64_t>(start_unix_nano(row));
  span.end_time_unix_nano = span.start_time_unix_nano + number<std::uint64_t>("duration_ns", row);
  span.dropped_attributes_count = number<std::uint32_t>("dropped_attributes", row);
  span.dropped_events_count = number<std::uint32_t>("dropped_events", row);
  span.dropped_links_count = number<std::uint32_t>("dropped_links", row);
  span.flags = number<std::uint32_t>("flags", row);
  span.status_code = static_cast<otlp::StatusCode>(number<std::int8_t>("status", row));
  span.status_message = text("status_message", row);
  stored_.service_name = text("service_name", row);
  stored_.resource_id = resource_id(row);
  stored_.scope.name = text("scope_name", row);
  stored_.scope.version = text("scope_version", row);
  if (!values_.read(text("scope_attrs", row), scope_attributes_) ||
      !attributes_.read(row, values_, own_) || !read_events(row) || !read_links(row))
    return nullptr;
  stored_.scope.attributes = scope_attributes_;
  span.attributes = own_;
  return &stored_;
}

bool SpanReader::read_events(std::size_t row) {
  events_.clear();
  const ListColumn* times = list(block_, "events.ts");
  const ListColumn* names = list(block_, "events.name");
  const ListColumn* attributes = list(block_, "events.attrs");
  const ListColumn* dropped = list(block_, "events.dropped");
  stored_.span.events = {};
  if (times == nullptr || names == nullptr || attributes == nullptr || dropped == nullptr)
    return true;
  const std::size_t begin = times->begin_of(row), end = times->end_of(row);
  if (event_attributes_.size() < end - begin) event_attributes_.resize(end - begin);
  for (std::size_t i = begin; i < end; ++i) {
    auto& own = event_attributes_[i - begin];
    own.clear();
    if (!values_.read(text_at(&attributes->nested(), i), own)) return false;
    events_.push_back(
        {.time_unix_nano = static_cast<std::uint64_t>(value_of<std::int64_t>(times->nested(), i)),
         .name = text_at(&names->nested(), i),
         .attributes = own,
         .dropped_attributes_count = value_of<std::uint32_t>(dropped->nested(), i)});
  }
  stored_.span.events = events_;
  return true;
}

bool SpanReader::read_links(std::size_t row) {
  links_.clear();
  const ListColumn* traces = list(block_, "links.trace_id");
  const ListColumn* spans = list(block_, "links.span_id");
  const ListColumn* states = list(block_, "links.trace_state");
  const ListColumn* attributes = list(block_, "links.attrs");
  const ListColumn* dropped = list(block_, "links.dropped");
  const ListColumn* flags = list(block_, "links.flags");
  stored_.span.links = {};
  for (const ListColumn* column : {traces, spans, states, attributes, dropped, flags})
    if (column == nullptr) return true;
  const std::size_t begin = traces->begin_of(row), end = traces->end_of(row);
  if (link_attributes_.size() < end - begin) link_attributes_.resize(end - begin);
  for (std::size_t i = begin; i < end; ++i) {
    auto& own = link_attributes_[i - begin];
    own.clear();
    if (!values_.read(text_at(&attributes->nested(), i), own)) return false;
    links_.push_back({.trace_id = text_at(&traces->nested(), i),
                      .span_id = text_at(&spans->nested(), i),
                      .trace_state = text_at(&states->nested(), i),
                      .attributes = own,
                      .dropped_attributes_count = value_of<std::uint32_t>(dropped->nested(), i),
                      .flags = value_of<std::uint32_t>(flags->nested(), i)});
  }
  stored_.span.links = links_;
  return true;
}

}  // namespace spanway::otlp_blocks
