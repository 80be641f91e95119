// The reasons of rejected items, as metric labels and for clients.
#pragma once

#include <cstddef>
#include <string_view>

namespace spanway::otlp {

// The reason of a rejected item.
enum class RejectReason : unsigned char {
  kNone = 0,
  kInvalidUtf8,
  kInvalidTraceId,
  kInvalidSpanId,
  kTooDeep,
  kItemTooLarge,
  kPrefixTooLarge,
  kMalformedItem,
  kInvalidValue,  // OTLP/JSON: a value that its field cannot take.
  // Items in a deprecated field (instrumentation_library_spans and its like) that today's receivers
  // skip.
  kDeprecatedField,
  // The request has unknown fields and no known item. Their items cannot be counted: 1.
  kUnknownContent,
};
inline constexpr std::size_t kRejectReasonCount = 11;
// "invalid_utf8" and so on: for messages and metric labels.
std::string_view to_string(RejectReason reason) noexcept;
// The rule that the sender has to follow: "strings must be UTF-8".
std::string_view rule_of(RejectReason reason) noexcept;

}  // namespace spanway::otlp
