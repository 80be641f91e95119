#include "services/lib/otlp/part_builder.h"

#include "services/lib/base/check.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {
namespace {

using wire::framed_size;

constexpr std::uint32_t kResourceGroupTag = 0x0a;
constexpr std::uint32_t kChildrenTag = 0x12;

}  // namespace

PartBuilder::PartBuilder(const Index& index, std::string_view payload)
    : index_(index), payload_(payload), request_pending_(!index.request_slices.empty()) {
  for (const Slice& slice : index.request_slices) request_bytes_ += slice.size;
}

std::size_t PartBuilder::Sizes::total() const noexcept {
  return part_closed + framed_size(resource_closed + framed_size(scope_open));
}

PartBuilder::Sizes PartBuilder::sizes_with(const Item& item) const noexcept {
  Sizes next = sizes_;
  const Scope& scope = index_.scopes[item.scope];
  if (runs_.empty()) {
    next = {.part_closed = 0,
            .resource_closed = index_.resources[scope.resource].prefix_bytes,
            .scope_open = scope.prefix_bytes};
  } else if (runs_.back().scope != item.scope) {
    next.resource_closed += framed_size(sizes_.scope_open);
    next.scope_open = scope.prefix_bytes;
    if (index_.scopes[runs_.back().scope].resource != scope.resource) {
      next.part_closed += framed_size(next.resource_closed);
      next.resource_closed = index_.resources[scope.resource].prefix_bytes;
    }
  }
  next.scope_open += item.bytes.size;
  return next;
}

bool PartBuilder::add(std::uint32_t item_index, std::size_t bytes_max) {
  const Item& item = index_.items[item_index];
  Sizes next = sizes_with(item);
  if (next.total() > bytes_max) return false;
  if (runs_.empty()) {
    first_item_ = item_index;
    request_in_part_ = request_pending_ && next.total() + request_bytes_ <= bytes_max;
    if (request_in_part_) next.part_closed += request_bytes_;
  }
  sizes_ = next;
  size_ = next.total();
  item_count_ += item.points;
  append(item);
  return true;
}

// Adjacent slices of the payload become one.
void PartBuilder::append(const Item& item) {
  const bool new_run = runs_.empty() || runs_.back().scope != item.scope;
  if (new_run) {
    const auto at = static_cast<std::uint32_t>(item_slices_.size());
    runs_.push_back({.scope = item.scope, .slice_begin = at, .slice_end = at, .bytes = 0});
  }
  Run& run = runs_.back();
  run.bytes += item.bytes.size;
  if (!new_run) {
    Slice& last = item_slices_.back();
    if (last.offset + last.size == item.bytes.offset) {
      last.size += item.bytes.size;
      return;
    }
  }
  item_slices_.push_back(item.bytes);
  ++run.slice_end;
}

void PartBuilder::drop() {
  if (request_in_part_) request_pending_ = request_in_part_ = false;
  runs_.clear();
  item_slices_.clear();
  sizes_ = {};
  size_ = 0;
  item_count_ = 0;
}

// Body of the resource whose first run is `first_run`.
std::size_t PartBuilder::resource_body(std::size_t first_run) const noexcept {
  const std::uint32_t resource = index_.scopes[runs_[first_run].scope].resource;
  std::size_t body = index_.resources[resource].prefix_bytes;
  for (std::size_t i = first_run; i < runs_.size(); ++i) {
    const Scope& scope = index_.scopes[runs_[i].scope];
    if (scope.resource != resource) break;
    body += framed_size(scope.prefix_bytes + runs_[i].bytes);
  }
  return body;
}

Bytes PartBuilder::take() {
  Bytes part;
  part.resize(size_);
  char* out = part.data();
  if (request_in_part_) out = put(out, index_.request_slices);
  constexpr std::uint32_t kNoResource = 0xffffffff;
  std::uint32_t open_resource = kNoResource;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const Run& run = runs_[i];
    const Scope& scope = index_.scopes[run.scope];
    if (scope.resource != open_resource) {
      open_resource = scope.resource;
      out = wire::put_header(out, kResourceGroupTag, resource_body(i));
      out = put(out, resource_prefix(scope.resource));
    }
    out = wire::put_header(out, kChildrenTag, scope.prefix_bytes + run.bytes);
    out = put(out, scope_prefix(run.scope));
    out =
        put(out, std::span(item_slices_).subspan(run.slice_begin, run.slice_end - run.slice_begin));
  }
  SPANWAY_CHECK(out == part.data() + part.size());
  drop();
  return part;
}

std::size_t PartBuilder::metric_piece_bytes(const Item& item, const MetricLayout& layout,
                                            std::size_t points_bytes) const noexcept {
  const Scope& scope = index_.scopes[item.scope];
  const std::size_t metric = framed_size(layout.body_bytes(points_bytes));
  return framed_size(index_.resources[scope.resource].prefix_bytes +
                     framed_size(scope.prefix_bytes + metric));
}

Bytes PartBuilder::metric_piece(const Item& item, const MetricLayout& layout,
                                std::span<const Slice> points) const {
  const Scope& scope = index_.scopes[item.scope];
  std::size_t points_bytes = 0;
  for (const Slice& point : points) points_bytes += point.size;
  const std::size_t metric_body = layout.body_bytes(points_bytes);
  const std::size_t scope_body = scope.prefix_bytes + framed_size(metric_body);
  const std::size_t resource_size =
      index_.resources[scope.resource].prefix_bytes + framed_size(scope_body);

  Bytes part;
  part.resize(framed_size(resource_size));
  char* out = wire::put_header(part.data(), kResourceGroupTag, resource_size);
  out = put(out, resource_prefix(scope.resource));
  out = wire::put_header(out, kChildrenTag, scope_body);
  out = put(out, scope_prefix(item.scope));
  out = wire::put_header(out, kChildrenTag, metric_body);
  out = put(out, layout.metric_prefix);
  out = wire::put_header(out, layout.data_tag, layout.data_prefix_bytes + points_bytes);
  out = put(out, layout.data_prefix);
  out = put(out, points);
  SPANWAY_CHECK(out == part.data() + part.size());
  return part;
}

char* PartBuilder::put(char* out, const Slice& slice) const noexcept {
  return wire::put_bytes(out, payload_.substr(slice.offset, slice.size));
}

char* PartBuilder::put(char* out, std::span<const Slice> slices) const noexcept {
  for (const Slice& slice : slices) out = put(out, slice);
  return out;
}

std::span<const Slice> PartBuilder::resource_prefix(std::uint32_t resource) const noexcept {
  const Resource& r = index_.resources[resource];
  return std::span(index_.prefix_slices).subspan(r.prefix_begin, r.prefix_end - r.prefix_begin);
}

std::span<const Slice> PartBuilder::scope_prefix(std::uint32_t scope) const noexcept {
  const Scope& s = index_.scopes[scope];
  return std::span(index_.prefix_slices).subspan(s.prefix_begin, s.prefix_end - s.prefix_begin);
}

}  // namespace spanway::otlp
