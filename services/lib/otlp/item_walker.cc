#include "services/lib/otlp/item_walker.h"

#include <array>
#include <initializer_list>

#include "services/lib/otlp/placement.h"

namespace spanway::otlp {
namespace {

using wire::Ptr;
using wire::Type;

// The rule of a field. Fields that are not named are unknown: skipped by their wire type. So
// are known fields with a foreign wire type, as protobuf parsers do.
enum class Action : std::uint8_t {
  kUnknown,
  kVarint,
  kFixed64,
  kFixed32,
  kBytes,
  kString,
  kStrings,  // Repeated.
  kAttribute,
  kValue,
  kMessage,
  kMetricData,
  kPoint,
  kTraceId,
  kSpanId,
  kParentSpanId,
  kPackedFixed64,
  kPackedVarint,
};

enum class IdRule : std::uint8_t {
  kNone,
  kRequired,  // Both ids have their size and are not zero; the parent's has its size or is absent.
  kOptional,  // Absent, empty or of their size.
};

struct Rule {
  IdRule ids = IdRule::kNone;
  std::array<Action, 128> actions = {};   // By one-byte tag: every field that matters is below 16.
  std::array<Message, 16> children = {};  // By field number.
};

struct FieldRule {
  std::uint32_t field;
  Action action;
  Message child = Message::kResource;
};

constexpr Type type_of(Action action) {
  switch (action) {
    case Action::kVarint:
      return Type::kVarint;
    case Action::kFixed64:
      return Type::kFixed64;
    case Action::kFixed32:
      return Type::kFixed32;
    default:
      return Type::kLength;
  }
}

constexpr Rule make_rule(std::initializer_list<FieldRule> fields, IdRule ids = IdRule::kNone) {
  Rule rule;
  rule.ids = ids;
  for (const FieldRule& field : fields) {
    rule.actions[wire::make_tag(field.field, type_of(field.action))] = field.action;
    rule.children[field.field] = field.child;
  }
  return rule;
}

// opentelemetry/proto/{resource,common,trace,logs,metrics}/v1, version 1.
constexpr std::array<Rule, kMessageCount> make_rules() {
  using enum Action;
  using M = Message;
  std::array<Rule, kMessageCount> rules;
  const auto at = [&rules](Message message) -> Rule& {
    return rules[static_cast<std::size_t>(message)];
  };
  at(M::kResource) = make_rule({{1, kAttribute}, {2, kVarint}, {3, kMessage, M::kEntityRef}});
  at(M::kEntityRef) = make_rule({{1, kString}, {2, kString}, {3, kStrings}, {4, kStrings}});
  at(M::kScope) = make_rule({{1, kString}, {2, kString}, {3, kAttribute}, {4, kVarint}});

  at(M::kSpan) = make_rule({{1, kTraceId},
                            {2, kSpanId},
                            {3, kString},
                            {4, kParentSpanId},
                            {5, kString},
                            {6, kVarint},
                            {7, kFixed64},
                            {8, kFixed64},
                            {9, kAttribute},
                            {10, kVarint},
                            {11, kMessage, M::kEvent},
                            {12, kVarint},
                            {13, kMessage, M::kLink},
                            {14, kVarint},
                            {15, kMessage, M::kSpanStatus}},
                           IdRule::kRequired);
  at(M::kEvent) = make_rule({{1, kFixed64}, {2, kString}, {3, kAttribute}, {4, kVarint}});
  at(M::kLink) = make_rule(
      {{1, kTraceId}, {2, kSpanId}, {3, kString}, {4, kAttribute}, {5, kVarint}, {6, kFixed32}},
      IdRule::kOptional);
  at(M::kSpanStatus) = make_rule({{2, kString}, {3, kVarint}});

  at(M::kLogRecord) = make_rule({{1, kFixed64},
                                 {2, kVarint},
                                 {3, kString},
                                 {5, kValue},
                                 {6, kAttribute},
                                 {7, kVarint},
                                 {8, kFixed32},
                                 {9, kTraceId},
                                 {10, kSpanId},
                                 {11, kFixed64},
                                 {12, kString}},
                                IdRule::kOptional);

  at(M::kMetric) = make_rule({{1, kString},
                              {2, kString},
                              {3, kString},
                              {5, kMetricData, M::kNumberData},
                              {7, kMetricData, M::kNumberData},
                              {9, kMetricData, M::kHistogramData},
                              {10, kMetricData, M::kExponentialHistogramData},
                              {11, kMetricData, M::kSummaryData},
                              {12, kAttribute}});
  at(M::kNumberData) = make_rule({{1, kPoint, M::kNumberPoint}, {2, kVarint}, {3, kVarint}});
  at(M::kHistogramData) = make_rule({{1, kPoint, M::kHistogramPoint}, {2, kVarint}});
  at(M::kExponentialHistogramData) =
      make_rule({{1, kPoint, M::kExponentialHistogramPoint}, {2, kVarint}});
  at(M::kSummaryData) = make_rule({{1, kPoint, M::kSummaryPoint}});
  at(M::kNumberPoint) = make_rule({{2, kFixed64},
                                   {3, kFixed64},
                                   {4, kFixed64},
                                   {5, kMessage, M::kExemplar},
                                   {6, kFixed64},
                                   {7, kAttribute},
                                   {8, kVarint}});
  at(M::kHistogramPoint) = make_rule({{2, kFixed64},
                                      {3, kFixed64},
                                      {4, kFixed64},
                                      {5, kFixed64},
                                      {6, kPackedFixed64},
                                      {7, kPackedFixed64},
                                      {8, kMessage, M::kExemplar},
                                      {9, kAttribute},
                                      {10, kVarint},
                                      {11, kFixed64},
                                      {12, kFixed64}});
  at(M::kExponentialHistogramPoint) = make_rule({{1, kAttribute},
                                                 {2, kFixed64},
                                                 {3, kFixed64},
                                                 {4, kFixed64},
                                                 {5, kFixed64},
                                                 {6, kVarint},
                                                 {7, kFixed64},
                                                 {8, kMessage, M::kBuckets},
                                                 {9, kMessage, M::kBuckets},
                                                 {10, kVarint},
                                                 {11, kMessage, M::kExemplar},
                                                 {12, kFixed64},
                                                 {13, kFixed64},
                                                 {14, kFixed64}});
  at(M::kSummaryPoint) = make_rule({{2, kFixed64},
                                    {3, kFixed64},
                                    {4, kFixed64},
                                    {5, kFixed64},
                                    {6, kMessage, M::kQuantile},
                                    {7, kAttribute},
                                    {8, kVarint}});
  at(M::kBuckets) = make_rule({{1, kVarint}, {2, kPackedVarint}});
  at(M::kQuantile) = make_rule({{1, kFixed64}, {2, kFixed64}});
  at(M::kExemplar) = make_rule(
      {{2, kFixed64}, {3, kFixed64}, {4, kSpanId}, {5, kTraceId}, {6, kFixed64}, {7, kAttribute}},
      IdRule::kOptional);
  return rules;
}

constexpr std::array<Rule, kMessageCount> kRules = make_rules();

constexpr std::size_t kSpanIdBytes = 8;
// Depth at which the parsers of C++, Java and Rust stop; the request itself is not counted.
constexpr unsigned kMessageDepthMax = 100;

constexpr std::uint8_t kStringTag = 0x0a;  // AnyValue.string_value, KeyValue.key, *.values.
constexpr std::uint8_t kValueTag = 0x12;   // KeyValue.value.

bool is_zero(Ptr p, std::size_t size) noexcept {
  return size == kTraceIdBytes ? (wire::load64(p) | wire::load64(p + 8)) == 0
                               : wire::load64(p) == 0;
}

// Packed varints must end where the field ends.
bool valid_packed_varints(Ptr p, Ptr end) noexcept {
  while (p != nullptr && p != end) p = wire::skip_varint(p, end);
  return p != nullptr;
}

}  // namespace

// The ids of one message; the last of repeated fields counts, as in protobuf.
struct ItemWalker::Ids {
  struct Id {
    Ptr begin = nullptr;
    std::size_t size = 0;
  };
  Id trace, span, parent;
};

RejectReason ItemWalker::walk(Message message_type, Ptr p, Ptr end, unsigned depth) noexcept {
  trace_id_ = nullptr;
  points_ = 0;
  data_tag_ = 0;
  return message(message_type, p, end, depth);
}

RejectReason ItemWalker::message(Message message_type, Ptr p, Ptr end, unsigned depth) noexcept {
  const Rule& rule = kRules[static_cast<std::size_t>(message_type)];
  Ids ids;
  while (p != end) {
    const std::uint8_t tag = *p;
    const Action action = tag < 0x80 ? rule.actions[tag] : Action::kUnknown;
    std::size_t size = 0;
    switch (action) {
      case Action::kUnknown: {
        std::uint32_t long_tag = 0;
        p = wire::read_tag(p, end, long_tag);
        if (p != nullptr) p = wire::skip_value(p, end, long_tag);
        if (p == nullptr) return RejectReason::kMalformedItem;
        if (const RejectReason fault = marked_reject(long_tag); fault != RejectReason::kNone)
          return fault;
        ++submessages_;
        continue;
      }
      case Action::kVarint:
        p = wire::skip_varint(p + 1, end);
        if (p == nullptr) return RejectReason::kMalformedItem;
        continue;
      case Action::kFixed64:
        if (wire::left(p, end) < 9) return RejectReason::kMalformedItem;
        p += 9;
        continue;
      case Action::kFixed32:
        if (wire::left(p, end) < 5) return RejectReason::kMalformedItem;
        p += 5;
        continue;
      default:
        break;
    }
    Ptr body = wire::read_length(p + 1, end, size);
    if (body == nullptr) return RejectReason::kMalformedItem;
    p = body + size;
    RejectReason fault = RejectReason::kNone;
    switch (action) {
      case Action::kStrings:
        ++submessages_;
        [[fallthrough]];
      case Action::kString:
        if (!utf8_.valid(body, p)) return RejectReason::kInvalidUtf8;
        continue;
      case Action::kAttribute:
        ++submessages_;
        fault = key_value(body, p, depth + 1, 1);
        break;
      case Action::kValue:
        ++submessages_;
        fault = any_value(body, p, depth + 1, 1);
        break;
      case Action::kMetricData:
        if (data_tag_ != tag) points_ = 0;  // A oneof: the last one set wins.
        data_tag_ = tag;
        ++submessages_;
        fault = message(rule.children[tag >> 3], body, p, depth + 1);
        break;
      case Action::kPoint:
        ++points_;
        [[fallthrough]];
      case Action::kMessage:
        ++submessages_;
        fault = message(rule.children[tag >> 3], body, p, depth + 1);
        break;
      case Action::kTraceId:
        ids.trace = {body, size};
        continue;
      case Action::kSpanId:
        ids.span = {body, size};
        continue;
      case Action::kParentSpanId:
        ids.parent = {body, size};
        continue;
      case Action::kPackedFixed64:
        if (size % 8 != 0) return RejectReason::kMalformedItem;
        continue;
      case Action::kPackedVarint:
        if (!valid_packed_varints(body, p)) return RejectReason::kMalformedItem;
        continue;
      default:
        continue;
    }
    if (fault != RejectReason::kNone) return fault;
  }
  return rule.ids == IdRule::kNone ? RejectReason::kNone : check_ids(message_type, ids);
}

RejectReason ItemWalker::check_ids(Message message_type, const Ids& ids) noexcept {
  const bool required = kRules[static_cast<std::size_t>(message_type)].ids == IdRule::kRequired;
  const auto wrong_size = [required](const Ids::Id& id, std::size_t size) {
    return id.size != size && (required || id.size != 0);
  };
  if (wrong_size(ids.trace, kTraceIdBytes)) return RejectReason::kInvalidTraceId;
  if (wrong_size(ids.span, kSpanIdBytes)) return RejectReason::kInvalidSpanId;
  if (ids.parent.size != 0 && ids.parent.size != kSpanIdBytes) return RejectReason::kInvalidSpanId;
  const bool has_trace = ids.trace.size != 0 && !is_zero(ids.trace.begin, kTraceIdBytes);
  if (required && !has_trace) return RejectReason::kInvalidTraceId;
  if (required && is_zero(ids.span.begin, kSpanIdBytes)) return RejectReason::kInvalidSpanId;
  if (message_type == Message::kSpan || message_type == Message::kLogRecord)
    trace_id_ = has_trace ? ids.trace.begin : nullptr;
  return RejectReason::kNone;
}

// `depth` is that of the KeyValue; `values` counts the AnyValues from the outermost to its own.
RejectReason ItemWalker::key_value(Ptr p, Ptr end, unsigned depth, std::size_t values) noexcept {
  while (p != end) {
    const std::uint8_t tag = *p;
    if (tag == kStringTag || tag == kValueTag) [[likely]] {
      std::size_t size = 0;
      Ptr body = wire::read_length(p + 1, end, size);
      if (body == nullptr) return RejectReason::kMalformedItem;
      p = body + size;
      if (tag == kStringTag) {
        if (!utf8_.valid(body, p)) return RejectReason::kInvalidUtf8;
      } else if (const RejectReason fault = any_value(body, p, depth + 1, values);
                 fault != RejectReason::kNone) {
        return fault;
      }
      continue;
    }
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr) return RejectReason::kMalformedItem;
    ++submessages_;
  }
  return RejectReason::kNone;
}

inline RejectReason ItemWalker::any_value(Ptr p, Ptr end, unsigned depth,
                                          std::size_t values) noexcept {
  // Nearly every value is one string.
  if (wire::left(p, end) >= 2 && p[0] == kStringTag && p[1] == wire::left(p, end) - 2 &&
      p[1] < 0x80) [[likely]] {
    return utf8_.valid(p + 2, end) ? RejectReason::kNone : RejectReason::kInvalidUtf8;
  }
  return any_value_fields(p, end, depth, values);
}

RejectReason ItemWalker::any_value_fields(Ptr p, Ptr end, unsigned depth,
                                          std::size_t values) noexcept {
  while (p != end) {
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr) return RejectReason::kMalformedItem;
    RejectReason fault = RejectReason::kNone;
    switch (field.tag) {
      case 0x0a:  // string_value
        if (!utf8_.valid(field.begin, field.end)) return RejectReason::kInvalidUtf8;
        break;
      case 0x10:  // bool_value
      case 0x18:  // int_value
      case 0x21:  // double_value
      case 0x3a:  // bytes_value
      case 0x40:  // string_value_strindex
        break;
      case 0x2a:  // array_value
      case 0x32:  // kvlist_value
        ++submessages_;
        fault = list(field.begin, field.end, field.tag == 0x32, depth + 1, values);
        if (fault != RejectReason::kNone) return fault;
        break;
      default:
        ++submessages_;
    }
  }
  return RejectReason::kNone;
}

// ArrayValue or KeyValueList.
RejectReason ItemWalker::list(Ptr p, Ptr end, bool of_pairs, unsigned depth,
                              std::size_t values) noexcept {
  while (p != end) {
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr) return RejectReason::kMalformedItem;
    ++submessages_;
    if (field.tag != kStringTag) continue;
    if (values >= value_depth_max_ || depth + (of_pairs ? 2 : 1) > kMessageDepthMax)
      return RejectReason::kTooDeep;
    const RejectReason fault = of_pairs ? key_value(field.begin, field.end, depth + 1, values + 1)
                                        : any_value(field.begin, field.end, depth + 1, values + 1);
    if (fault != RejectReason::kNone) return fault;
  }
  return RejectReason::kNone;
}

std::uint32_t count_points(Ptr p, Ptr end) noexcept {
  std::uint32_t points = 0;
  std::uint32_t data_tag = 0;
  while (p != nullptr && p != end) {
    wire::Field field;
    p = wire::read_field(p, end, field);
    if (p == nullptr || !is_metric_data(field.tag)) continue;
    if (field.tag != data_tag) points = 0;
    data_tag = field.tag;
    for (Ptr q = field.begin; q != nullptr && q != field.end;) {
      wire::Field point;
      q = wire::read_field(q, field.end, point);
      if (q != nullptr && point.tag == kPointsTag) ++points;
    }
  }
  return points;
}

}  // namespace spanway::otlp
