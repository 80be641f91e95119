#include "services/lib/otlp/scan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "services/lib/otlp/index_memory.h"
#include "services/lib/otlp/item_walker.h"
#include "services/lib/otlp/metric_layout.h"
#include "services/lib/otlp/placement.h"
#include "services/lib/otlp/reject_message.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {
namespace {

using wire::Ptr;

// Field 1 of the request; field 1 of ResourceSpans and ScopeSpans; field 2 of both; schema_url.
constexpr std::uint32_t kResourceGroupTag = 0x0a;
constexpr std::uint32_t kOwnerTag = 0x0a;
constexpr std::uint32_t kChildrenTag = 0x12;
constexpr std::uint32_t kSchemaUrlTag = 0x1a;
// Field 1000 of ResourceSpans, ResourceMetrics and ResourceLogs: instrumentation_library_spans and
// its like, before OTLP 0.15. Inside, the items have the number that they have in a scope.
constexpr std::uint32_t kDeprecatedTag = wire::make_tag(1000, wire::Type::kLength);

// Depth below the request: ResourceSpans 1, Resource and ScopeSpans 2, scope and items 3.
constexpr unsigned kResourceDepth = 2;
constexpr unsigned kItemDepth = 3;

// Not a placement hash: those have 31 bits.
constexpr std::uint32_t kPlaceByResource = 0xffffffff;

constexpr Message item_message(Signal signal) {
  switch (signal) {
    case Signal::kTraces:
      return Message::kSpan;
    case Signal::kMetrics:
      return Message::kMetric;
    case Signal::kLogs:
      return Message::kLogRecord;
  }
  return Message::kSpan;
}

void clear(Index& index, Signal signal) {
  index.signal = signal;
  index.resources.clear();
  index.scopes.clear();
  index.items.clear();
  index.prefix_slices.clear();
  index.request_slices.clear();
  index.accepted = index.rejected = 0;
  index.unknown_fields = 0;
  index.rejected_by_reason = {};
  index.reject_message.clear();
  index.first_reject = RejectReason::kNone;
}

// One scan.
class Pass {
 public:
  Pass(const ScanLimits& limits, Signal signal, std::string_view payload, Index& index,
       std::vector<Slice>& resource_slices, Permit* memory)
      : limits_(limits),
        signal_(signal),
        payload_(payload),
        base_(wire::begin_of(payload)),
        index_(index),
        resource_slices_(resource_slices),
        memory_(index, resource_slices, memory),
        walker_(payload, limits.value_depth_max) {}

  Status request();

 private:
  bool resource(Ptr p, Ptr end);
  bool scope(Ptr p, Ptr end);
  void item(Ptr begin, Ptr body, Ptr end);
  void keep_request_field(Ptr begin, Ptr end);
  void add_resource_prefix(Ptr begin, Ptr end);
  void add_scope_prefix(Ptr begin, Ptr end);
  // Room for `more` entries. False: nothing may be added, and within_budget() is false from now on.
  template <typename T>
  bool room_in(std::vector<T>& entries, std::size_t more = 1) {
    if (memory_.room_in(entries, more)) [[likely]]
      return true;
    no_room_ = true;
    submessages_ = limits_.submessages_max + 1;
    error_ = memory_.error();
    return false;
  }
  void deprecated(Ptr begin, Ptr body, Ptr end);

  void place_item(Item& item, Ptr trace_id);
  void close_resource(std::size_t body_bytes);
  void place_by_resource(Resource& resource);
  std::uint32_t resource_hash(const Resource& resource) const;
  void check_sizes(const Resource& resource, const Scope& scope);
  bool can_be_cut(const Resource& resource, const Scope& scope, const Item& item);
  void count_resource(const Resource& resource);
  void count_reject(RejectReason reason, std::uint64_t count, ItemPlace place);

  bool broken(Ptr at, const char* where);
  bool within_budget();
  std::uint64_t submessages() const noexcept { return submessages_ + walker_.submessages(); }
  Slice slice_of(Ptr begin, Ptr end) const noexcept {
    return {static_cast<std::uint32_t>(begin - base_), static_cast<std::uint32_t>(end - begin)};
  }

  const ScanLimits& limits_;
  const Signal signal_;
  const std::string_view payload_;
  const Ptr base_;
  Index& index_;
  std::vector<Slice>& resource_slices_;
  IndexMemory memory_;
  ItemWalker walker_;
  MetricLayout layout_;  // Layout of a metric that is larger than a record.

  std::uint64_t submessages_ = 0;
  bool no_room_ = false;  // error_ has the cause.
  std::size_t request_field_bytes_ = 0;
  // State of the ResourceSpans being read.
  RejectReason resource_reject_ = RejectReason::kNone;
  std::uint64_t resource_points_ = 0;
  std::uint64_t resource_deprecated_ = 0;
  bool any_reject_ = false;
  bool any_pending_place_ = false;
  // The trace id placed last: consecutive items often share it.
  std::uint64_t placed_id_[2] = {0, 0};
  std::uint32_t placed_hash_ = 0;
  ItemPlace first_reject_;
  Error error_;
};

bool Pass::broken(Ptr at, const char* where) {
  error_ = invalid_argument("the request is not a serialized Export request of " +
                            std::string(to_string(signal_)) + ": broken framing in " + where +
                            " at byte " + std::to_string(at - base_) + " of " +
                            std::to_string(payload_.size()))
               .with_reason("malformed_request");
  return false;
}

bool Pass::within_budget() {
  if (submessages() <= limits_.submessages_max) [[likely]]
    return true;
  if (no_room_) return false;
  error_ = data_error(Code::kResourceExhausted, "the request holds more than " +
                                                    std::to_string(limits_.submessages_max) +
                                                    " submessages; send smaller requests")
               .with_reason("too_many_submessages");
  return false;
}

Status Pass::request() {
  const Ptr end = wire::end_of(payload_);
  for (Ptr p = base_; p != end;) {
    const Ptr begin = p;
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr) {
      broken(begin, "the request");
      return std::move(error_);
    }
    ++submessages_;
    if (field.tag != kResourceGroupTag) {
      keep_request_field(begin, p);
    } else if (!resource(field.begin, field.end)) {
      return std::move(error_);
    }
    if (!within_budget()) return std::move(error_);
  }
  if (index_.items.empty() && index_.rejected == 0 && index_.unknown_fields > 0)
    count_reject(RejectReason::kUnknownContent, 1, {});
  if (index_.rejected > 0) index_.reject_message = describe_rejects(index_, first_reject_);
  return ok_status();
}

void Pass::keep_request_field(Ptr begin, Ptr end) {
  ++index_.unknown_fields;
  request_field_bytes_ += wire::left(begin, end);
  if (request_field_bytes_ <= limits_.prefix_bytes_max && room_in(index_.request_slices))
    index_.request_slices.push_back(slice_of(begin, end));
}

void Pass::add_resource_prefix(Ptr begin, Ptr end) {
  if (!room_in(resource_slices_)) return;
  resource_slices_.push_back(slice_of(begin, end));
  index_.resources.back().prefix_bytes += resource_slices_.back().size;
}

void Pass::add_scope_prefix(Ptr begin, Ptr end) {
  if (!room_in(index_.prefix_slices)) return;
  index_.prefix_slices.push_back(slice_of(begin, end));
  index_.scopes.back().prefix_bytes += index_.prefix_slices.back().size;
}

// A ResourceSpans, ResourceMetrics or ResourceLogs. False = the request is refused.
bool Pass::resource(Ptr p, Ptr end) {
  const Ptr body = p;
  resource_slices_.clear();
  resource_reject_ = RejectReason::kNone;
  resource_points_ = resource_deprecated_ = 0;
  any_reject_ = any_pending_place_ = false;
  if (!room_in(index_.resources)) return false;
  index_.resources.emplace_back();
  index_.resources.back().scope_begin = static_cast<std::uint32_t>(index_.scopes.size());
  const auto reject = [this](RejectReason reason) {
    if (resource_reject_ == RejectReason::kNone) resource_reject_ = reason;
  };
  while (p != end) {
    const Ptr begin = p;
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr) return broken(begin, group_field(signal_));
    ++submessages_;
    if (field.tag == kChildrenTag) {
      if (!scope(field.begin, field.end)) return false;
      continue;
    }
    if (field.tag == kDeprecatedTag) {
      deprecated(begin, field.begin, p);
      if (!within_budget()) return false;
      continue;
    }
    add_resource_prefix(begin, p);
    if (field.tag == kOwnerTag) {
      reject(walker_.walk(Message::kResource, field.begin, field.end, kResourceDepth));
    } else if (const RejectReason mark = marked_reject(field.tag); mark != RejectReason::kNone) {
      reject(mark);
    } else if (field.tag != kSchemaUrlTag) {
      ++index_.unknown_fields;
    } else if (!walker_.valid_utf8(field.begin, field.end)) {
      reject(RejectReason::kInvalidUtf8);
    }
    if (!within_budget()) return false;
  }
  close_resource(wire::left(body, end));
  return true;
}

// A ScopeSpans, ScopeMetrics or ScopeLogs.
bool Pass::scope(Ptr p, Ptr end) {
  if (!room_in(index_.scopes)) return false;
  index_.scopes.emplace_back();
  index_.scopes.back().resource = static_cast<std::uint32_t>(index_.resources.size() - 1);
  index_.scopes.back().prefix_begin = static_cast<std::uint32_t>(index_.prefix_slices.size());
  index_.scopes.back().item_begin = static_cast<std::uint32_t>(index_.items.size());
  const auto reject = [this](RejectReason reason) {
    if (index_.scopes.back().reject == RejectReason::kNone) index_.scopes.back().reject = reason;
  };
  while (p != end) {
    const Ptr begin = p;
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr) return broken(begin, scope_field(signal_));
    ++submessages_;
    if (field.tag == kChildrenTag) [[likely]] {
      item(begin, field.begin, p);
    } else {
      add_scope_prefix(begin, p);
      if (field.tag == kOwnerTag) {
        reject(walker_.walk(Message::kScope, field.begin, field.end, kItemDepth));
      } else if (const RejectReason mark = marked_reject(field.tag); mark != RejectReason::kNone) {
        reject(mark);
      } else if (field.tag != kSchemaUrlTag) {
        ++index_.unknown_fields;
      } else if (!walker_.valid_utf8(field.begin, field.end)) {
        reject(RejectReason::kInvalidUtf8);
      }
    }
    if (!within_budget()) return false;
  }
  index_.scopes.back().prefix_end = static_cast<std::uint32_t>(index_.prefix_slices.size());
  index_.scopes.back().item_end = static_cast<std::uint32_t>(index_.items.size());
  return true;
}

// Counts the items of a deprecated field and drops them; a field without any is kept, like every
// unknown one.
void Pass::deprecated(Ptr begin, Ptr body, Ptr end) {
  std::uint64_t count = 0;
  for (Ptr p = body; p != end;) {
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr) {
      count = std::max<std::uint64_t>(1, count);
      break;
    }
    ++submessages_;
    if (field.tag != kChildrenTag) continue;
    const std::uint32_t points =
        signal_ == Signal::kMetrics ? std::max(1u, count_points(field.begin, field.end)) : 1;
    count += points;
    submessages_ += points - 1;
  }
  if (count == 0) return add_resource_prefix(begin, end);
  resource_deprecated_ += count;
  any_reject_ = true;
}

void Pass::item(Ptr begin, Ptr body, Ptr end) {
  if (!room_in(index_.items)) return;
  Item& item = index_.items.emplace_back();
  item.bytes = slice_of(begin, end);
  item.scope = static_cast<std::uint32_t>(index_.scopes.size() - 1);
  const bool is_metric = signal_ == Signal::kMetrics;
  if (!is_metric && item.bytes.size > limits_.item_bytes_max) {
    item.reject = RejectReason::kItemTooLarge;
  } else {
    item.reject = walker_.walk(item_message(signal_), body, end, kItemDepth);
  }
  if (item.reject != RejectReason::kNone) {
    any_reject_ = true;
    if (is_metric) item.points = std::max(1u, count_points(body, end));
    return;
  }
  if (is_metric) item.points = walker_.points();
  resource_points_ += item.points;
  place_item(item, walker_.trace_id());
}

void Pass::place_item(Item& item, Ptr trace_id) {
  if (trace_id == nullptr) {
    item.placement_hash = kPlaceByResource;
    any_pending_place_ = true;
    return;
  }
  item.trace_id_offset = static_cast<std::uint32_t>(trace_id - base_);
  const std::uint64_t high = wire::load64(trace_id);
  const std::uint64_t low = wire::load64(trace_id + 8);
  if (high != placed_id_[0] || low != placed_id_[1]) {
    placed_id_[0] = high;
    placed_id_[1] = low;
    placed_hash_ = trace_placement_hash(wire::view_of(trace_id, trace_id + kTraceIdBytes));
  }
  item.placement_hash = placed_hash_;
}

// Completes what depends on the last field of the ResourceSpans.
void Pass::close_resource(std::size_t body_bytes) {
  Resource& resource = index_.resources.back();
  resource.scope_end = static_cast<std::uint32_t>(index_.scopes.size());
  resource.prefix_begin = static_cast<std::uint32_t>(index_.prefix_slices.size());
  if (!room_in(index_.prefix_slices, resource_slices_.size())) return;
  index_.prefix_slices.insert(index_.prefix_slices.end(), resource_slices_.begin(),
                              resource_slices_.end());
  resource.prefix_end = static_cast<std::uint32_t>(index_.prefix_slices.size());

  for (std::uint32_t s = resource.scope_begin; s != resource.scope_end; ++s) {
    Scope& scope = index_.scopes[s];
    if (scope.reject == RejectReason::kNone) scope.reject = resource_reject_;
    if (scope.reject == RejectReason::kNone &&
        std::size_t{resource.prefix_bytes} + scope.prefix_bytes > limits_.prefix_bytes_max) {
      scope.reject = RejectReason::kPrefixTooLarge;
    }
    any_reject_ |= scope.reject != RejectReason::kNone;
    // No item with its prefix is larger than the ResourceSpans that it came in.
    if (wire::framed_size(body_bytes) > limits_.item_bytes_max) check_sizes(resource, scope);
  }
  if (any_pending_place_) place_by_resource(resource);
  if (any_reject_ || resource_reject_ != RejectReason::kNone) {
    count_resource(resource);
  } else {
    index_.accepted += resource_points_;
  }
}

void Pass::place_by_resource(Resource& resource) {
  resource.placement_hash = resource_hash(resource);
  for (std::uint32_t s = resource.scope_begin; s != resource.scope_end; ++s) {
    for (std::uint32_t i = index_.scopes[s].item_begin; i != index_.scopes[s].item_end; ++i) {
      Item& item = index_.items[i];
      if (item.placement_hash == kPlaceByResource) item.placement_hash = resource.placement_hash;
    }
  }
}

// murmur2 of the encoded Resource; several Resource fields are one message in pieces.
std::uint32_t Pass::resource_hash(const Resource& resource) const {
  if (resource.prefix_bytes > limits_.prefix_bytes_max) return 0;  // Its items are rejected.
  std::string_view first;
  std::string joined;
  for (std::uint32_t i = resource.prefix_begin; i != resource.prefix_end; ++i) {
    const Slice& slice = index_.prefix_slices[i];
    wire::Field field;
    wire::read_field(base_ + slice.offset, base_ + slice.offset + slice.size, field);
    if (field.tag != kOwnerTag) continue;
    if (first.data() == nullptr) {
      first = field.bytes();
    } else {
      if (joined.empty()) joined = first;
      joined += field.bytes();
    }
  }
  return murmur2(joined.empty() ? first : joined) & 0x7fffffff;
}

// Each item with its prefix must fit a record, a metric in pieces if need be.
void Pass::check_sizes(const Resource& resource, const Scope& scope) {
  for (std::uint32_t i = scope.item_begin; i != scope.item_end; ++i) {
    Item& item = index_.items[i];
    const std::size_t record = wire::framed_size(
        resource.prefix_bytes + wire::framed_size(scope.prefix_bytes + item.bytes.size));
    if (record <= limits_.item_bytes_max || item.reject != RejectReason::kNone) continue;
    if (signal_ == Signal::kMetrics && can_be_cut(resource, scope, item)) continue;
    item.reject = RejectReason::kItemTooLarge;
    any_reject_ = true;
  }
}

bool Pass::can_be_cut(const Resource& resource, const Scope& scope, const Item& item) {
  read_metric_layout(payload_, item, layout_);
  const auto piece_bytes = [&](std::size_t points_bytes) {
    const std::size_t metric = wire::framed_size(layout_.body_bytes(points_bytes));
    return wire::framed_size(resource.prefix_bytes +
                             wire::framed_size(scope.prefix_bytes + metric));
  };
  const std::size_t repeated_bytes =
      std::size_t{resource.prefix_bytes} + scope.prefix_bytes + layout_.body_bytes(0);
  return repeated_bytes <= limits_.prefix_bytes_max &&
         piece_bytes(0) <= limits_.item_bytes_max / 2 &&
         piece_bytes(layout_.point_bytes_max) <= limits_.item_bytes_max;
}

void Pass::count_resource(const Resource& resource) {
  const auto r = static_cast<std::uint32_t>(index_.resources.size() - 1);
  if (resource_deprecated_ > 0) {
    count_reject(RejectReason::kDeprecatedField, resource_deprecated_, {.resource = r});
  } else if (resource.scope_begin == resource.scope_end &&
             resource_reject_ != RejectReason::kNone) {
    count_reject(resource_reject_, 1, {.resource = r});
  }
  for (std::uint32_t s = resource.scope_begin; s != resource.scope_end; ++s) {
    const Scope& scope = index_.scopes[s];
    const ItemPlace place{.resource = r, .scope = s - resource.scope_begin};
    if (scope.item_begin == scope.item_end && scope.reject != RejectReason::kNone)
      count_reject(scope.reject, 1, place);
    for (std::uint32_t i = scope.item_begin; i != scope.item_end; ++i) {
      Item& item = index_.items[i];
      if (item.reject == RejectReason::kNone) item.reject = scope.reject;
      if (item.reject == RejectReason::kNone) {
        index_.accepted += item.points;
        continue;
      }
      item.points = std::max(1u, item.points);
      count_reject(item.reject, item.points, {r, place.scope, i - scope.item_begin});
    }
  }
}

void Pass::count_reject(RejectReason reason, std::uint64_t count, ItemPlace place) {
  if (index_.first_reject == RejectReason::kNone) {
    index_.first_reject = reason;
    first_reject_ = place;
  }
  index_.rejected += count;
  index_.rejected_by_reason[static_cast<std::size_t>(reason)] += count;
}

}  // namespace

Status Scanner::scan(Signal signal, std::string_view payload, Permit* memory) {
  release_excess();
  clear(index_, signal);
  constexpr std::size_t kOffsetMax = std::numeric_limits<std::uint32_t>::max();
  if (const std::size_t bytes_max = std::min(limits_.request_bytes_max, kOffsetMax);
      payload.size() > bytes_max) {
    return data_error(Code::kResourceExhausted, "the request of " + std::to_string(payload.size()) +
                                                    " bytes is larger than the limit of " +
                                                    std::to_string(bytes_max) +
                                                    "; send smaller requests")
        .with_reason("request_too_large");
  }
  Status status = Pass(limits_, signal, payload, index_, resource_slices_, memory).request();
  if (!status.ok()) clear(index_, signal);
  return status;
}

void Scanner::release_excess() noexcept {
  if (capacity_bytes(index_, resource_slices_) <= kOwnIndexBytes) return;
  const Signal signal = index_.signal;
  index_ = Index{};
  index_.signal = signal;
  std::vector<Slice>().swap(resource_slices_);
}

std::size_t memory_of(const Index& index) noexcept {
  return index.resources.size() * sizeof(Resource) + index.scopes.size() * sizeof(Scope) +
         index.items.size() * sizeof(Item) +
         (index.prefix_slices.size() + index.request_slices.size()) * sizeof(Slice);
}

}  // namespace spanway::otlp
