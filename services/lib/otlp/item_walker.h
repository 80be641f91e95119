// Validates what lies below the envelope: spans, metrics, log records, resources and scopes, down
// to the last attribute. Internal to otlp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/utf8_run.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {

// The message types of OTLP that hold strings, ids or other messages.
enum class Message : std::uint8_t {
  kResource,
  kEntityRef,
  kScope,
  kSpan,
  kEvent,
  kLink,
  kSpanStatus,
  kLogRecord,
  kMetric,
  kNumberData,
  kHistogramData,
  kExponentialHistogramData,
  kSummaryData,
  kNumberPoint,
  kHistogramPoint,
  kExponentialHistogramPoint,
  kSummaryPoint,
  kBuckets,
  kQuantile,
  kExemplar,
};
inline constexpr std::size_t kMessageCount = 20;

// protobuf keeps the numbers 19000 to 19999 for itself, so no field of OTLP will ever have one.
// A writer of a request (the JSON reader) puts one of these fields into the item, scope or resource
// in place of a value that does not fit its field, or that nests too deep; the scan rejects that
// with kInvalidValue or kTooDeep.
inline constexpr std::uint32_t kInvalidValueField = 19999;
inline constexpr std::uint32_t kInvalidValueTag =
    wire::make_tag(kInvalidValueField, wire::Type::kVarint);
inline constexpr std::uint32_t kTooDeepField = 19997;
inline constexpr std::uint32_t kTooDeepTag = wire::make_tag(kTooDeepField, wire::Type::kVarint);
// The reason that a field of this tag means, or kNone.
constexpr RejectReason marked_reject(std::uint32_t tag) noexcept {
  if (tag == kInvalidValueTag) return RejectReason::kInvalidValue;
  return tag == kTooDeepTag ? RejectReason::kTooDeep : RejectReason::kNone;
}
// A property of the request: it has unknown fields. Never beside an item.
inline constexpr std::uint32_t kUnknownNamesField = 19998;

// Does a top-level field of Metric with this tag hold its data points?
constexpr bool is_metric_data(std::uint32_t tag) noexcept {
  return tag == 0x2a || tag == 0x3a || tag == 0x4a || tag == 0x52 || tag == 0x5a;
}
// The tag of the points inside each of them.
inline constexpr std::uint32_t kPointsTag = 0x0a;

// Walks the messages of one buffer in ascending order. Recursion is bounded: by the schema, and by
// value_depth_max inside AnyValue. Single-thread; the buffer outlives it.
class ItemWalker {
 public:
  ItemWalker(std::string_view buffer, std::size_t value_depth_max) noexcept
      : utf8_(buffer), value_depth_max_(value_depth_max) {}

  // Validates the body [p, end) of a message that is `depth` levels below the request. Stops at the
  // first fault. Resets the values of the accessors below.
  RejectReason walk(Message message, wire::Ptr p, wire::Ptr end, unsigned depth) noexcept;
  bool valid_utf8(wire::Ptr p, wire::Ptr end) noexcept { return utf8_.valid(p, end); }

  // The 16 bytes of the trace id of the span or log record walked last; nullptr = it has none.
  wire::Ptr trace_id() const noexcept { return trace_id_; }
  // Data points of the metric walked last, as far as it was walked.
  std::uint32_t points() const noexcept { return points_; }
  // Attributes, nested values and other submessages, and unknown fields, since construction.
  std::uint64_t submessages() const noexcept { return submessages_; }

 private:
  struct Ids;

  RejectReason message(Message message, wire::Ptr p, wire::Ptr end, unsigned depth) noexcept;
  RejectReason key_value(wire::Ptr p, wire::Ptr end, unsigned depth, std::size_t values) noexcept;
  RejectReason any_value(wire::Ptr p, wire::Ptr end, unsigned depth, std::size_t values) noexcept;
  RejectReason any_value_fields(wire::Ptr p, wire::Ptr end, unsigned depth,
                                std::size_t values) noexcept;
  RejectReason list(wire::Ptr p, wire::Ptr end, bool of_pairs, unsigned depth,
                    std::size_t values) noexcept;
  RejectReason check_ids(Message message, const Ids& ids) noexcept;

  Utf8Run utf8_;
  std::size_t value_depth_max_;
  wire::Ptr trace_id_ = nullptr;
  std::uint32_t points_ = 0;
  std::uint32_t data_tag_ = 0;  // The oneof case of the metric being walked.
  std::uint64_t submessages_ = 0;
};

// Data points of a metric that may be broken, counted up to the first framing error.
std::uint32_t count_points(wire::Ptr p, wire::Ptr end) noexcept;

}  // namespace spanway::otlp
