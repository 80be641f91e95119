#include "services/lib/otlp/reject_message.h"

#include <string_view>

namespace spanway::otlp {
namespace {

const char* item_field(Signal signal) noexcept {
  switch (signal) {
    case Signal::kTraces:
      return "spans";
    case Signal::kMetrics:
      return "metrics";
    case Signal::kLogs:
      return "log_records";
  }
  return "";
}

}  // namespace

const char* group_field(Signal signal) noexcept {
  switch (signal) {
    case Signal::kTraces:
      return "resource_spans";
    case Signal::kMetrics:
      return "resource_metrics";
    case Signal::kLogs:
      return "resource_logs";
  }
  return "";
}

const char* scope_field(Signal signal) noexcept {
  switch (signal) {
    case Signal::kTraces:
      return "scope_spans";
    case Signal::kMetrics:
      return "scope_metrics";
    case Signal::kLogs:
      return "scope_logs";
  }
  return "";
}

std::string describe_rejects(const Index& index, const ItemPlace& first) {
  std::string text = std::to_string(index.rejected) + " of " +
                     std::to_string(index.rejected + index.accepted) + " " +
                     std::string(item_name(index.signal)) + " rejected:";
  const char* separator = " ";
  for (std::size_t i = 1; i < kRejectReasonCount; ++i) {
    if (index.rejected_by_reason[i] == 0) continue;
    text += separator + std::string(to_string(static_cast<RejectReason>(i))) + " " +
            std::to_string(index.rejected_by_reason[i]);
    separator = ", ";
  }
  separator = "; first at ";
  const auto element = [&](std::string_view name, std::uint32_t at) {
    if (at == ItemPlace::kNone) return;
    text += separator + std::string(name) + "[" + std::to_string(at) + "]";
    separator = ".";
  };
  element(group_field(index.signal), first.resource);
  element(scope_field(index.signal), first.scope);
  element(item_field(index.signal), first.item);
  text += " (" + std::string(rule_of(index.first_reject)) + ")";
  return text;
}

}  // namespace spanway::otlp
