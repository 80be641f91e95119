// The reason words that Spanway puts into google.rpc.ErrorInfo{domain: "spanway"}. A word that
// comes back from a peer is understood only if it stands here: Error::reason is always a literal of
// ours, so that labels and headers made of it stay bounded. A new word is added here in the same
// commit; a test compares the list with the sources.
#pragma once

#include <array>
#include <string_view>

namespace spanway::otlp {

inline constexpr const char* kErrorDomain = "spanway";

inline constexpr std::array kReasons = {
    "all_spans_invalid",
    "bad_export_response",
    "deadline_exceeded",
    "destination_configuration",
    "destination_data",
    "destination_transient",
    "destination_unknown",
    "disk_full",
    "draining",
    "file_busy",
    "file_io",
    "file_path",
    "file_permission",
    "grpc_bad_framing",
    "grpc_bad_header",
    "grpc_encoding",
    "grpc_unknown_method",
    "malformed_json",
    "malformed_request",
    "message_corrupt",
    "message_too_large",
    "no_memory",
    "request_too_large",
    "signal_not_accepted",
    "signal_not_supported",
    "sink_full",
    "sink_stopped",
    "tenant_duplicate_header",
    "tenant_invalid",
    "tenant_missing",
    "too_many_submessages",
    "zipkin_too_large",
};

// The word of ours that equals `text`, or "".
constexpr const char* known_reason(std::string_view text) noexcept {
  for (const char* reason : kReasons)
    if (text == reason) return reason;
  return "";
}

}  // namespace spanway::otlp
