#include "services/lib/otlp/reject_reason.h"

namespace spanway::otlp {

std::string_view to_string(RejectReason reason) noexcept {
  switch (reason) {
    case RejectReason::kNone:
      return "none";
    case RejectReason::kInvalidUtf8:
      return "invalid_utf8";
    case RejectReason::kInvalidTraceId:
      return "invalid_trace_id";
    case RejectReason::kInvalidSpanId:
      return "invalid_span_id";
    case RejectReason::kTooDeep:
      return "too_deep";
    case RejectReason::kItemTooLarge:
      return "item_too_large";
    case RejectReason::kPrefixTooLarge:
      return "prefix_too_large";
    case RejectReason::kMalformedItem:
      return "malformed_item";
    case RejectReason::kInvalidValue:
      return "invalid_value";
    case RejectReason::kDeprecatedField:
      return "deprecated_field";
    case RejectReason::kUnknownContent:
      return "unknown_content";
  }
  return "none";
}

std::string_view rule_of(RejectReason reason) noexcept {
  switch (reason) {
    case RejectReason::kNone:
      return "";
    case RejectReason::kInvalidUtf8:
      return "strings must be UTF-8";
    case RejectReason::kInvalidTraceId:
      return "a trace_id is 16 bytes, a span's not all zero";
    case RejectReason::kInvalidSpanId:
      return "a span_id is 8 bytes, a span's own not all zero";
    case RejectReason::kTooDeep:
      return "attribute values are nested too deeply, see limits.value_depth_max";
    case RejectReason::kItemTooLarge:
      return "larger than one record may be, see limits.item_bytes_max";
    case RejectReason::kPrefixTooLarge:
      return "the resource and scope are too large to repeat, see limits.prefix_bytes_max";
    case RejectReason::kMalformedItem:
      return "not a valid protobuf message";
    case RejectReason::kInvalidValue:
      return "a value has another type than its field, or is out of range";
    case RejectReason::kDeprecatedField:
      return "the instrumentation_library_* fields are not read: send scope_*, as OTLP has it "
             "since "
             "0.15";
    case RejectReason::kUnknownContent:
      return "the request has unknown fields and no known item";
  }
  return "";
}

}  // namespace spanway::otlp
