// The reason words that Spanway puts into google.rpc.ErrorInfo{domain: "spanway"}. A word that
// is returned by a peer is understood only if it is listed here: Error::reason is always a literal
// of ours, so that labels and headers with it stay bounded. A new word is added here in the same
// commit; a test compares the list with the sources.
#pragma once

#include <array>
#include <string_view>

namespace spanway::otlp {

inline constexpr const char* kErrorDomain = "spanway";

inline constexpr std::array kReasons = {
    "all_items_rejected",
    "auth_duplicate_header",
    "auth_missing",
    "auth_scheme",
    "auth_unknown_credential",
    "bad_configuration",
    "bad_export_response",
    "bad_flags",
    "batch_id_invalid",
    "body_corrupt",
    "body_too_large",
    "clickhouse_disk_full",
    "clickhouse_exception",
    "client_cancelled",
    "client_closed",
    "client_queue_full",
    "connect_failed",
    "connection_closed",
    "content_coding_unsupported",
    "content_encoding",
    "content_type",
    "deadline",
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
    "grpc_answer_too_large",
    "grpc_bad_framing",
    "grpc_bad_header",
    "grpc_encoding",
    "grpc_metadata_too_large",
    "grpc_stream_reset",
    "grpc_unknown_method",
    "http_listen",
    "inconsistent_block",
    "index_too_large",
    "joined_items_rejected",
    "kafka_backlog",
    "kafka_broker_busy",
    "kafka_compacted_topic",
    "kafka_fenced",
    "kafka_invalid_record",
    "kafka_misconfigured",
    "kafka_not_authenticated",
    "kafka_not_authorised",
    "kafka_not_enough_replicas",
    "kafka_other",
    "kafka_partition_stalled",
    "kafka_producer_rebuilt",
    "kafka_queue_full",
    "kafka_record_too_large",
    "kafka_timed_out",
    "kafka_unknown_topic",
    "kafka_unreachable",
    "kafka_unverified_topic",
    "ledger",
    "malformed_block",
    "malformed_json",
    "malformed_request",
    "memory",
    "memory_budget",
    "memory_limit",
    "message_corrupt",
    "message_too_large",
    "no_memory",
    "not_clickhouse",
    "not_the_api",
    "rate_limited",
    "request_invalid",
    "request_too_large",
    "resolve_failed",
    "response_invalid",
    "response_too_large",
    "schema_mismatch",
    "signal_not_accepted",
    "signal_not_supported",
    "sink_full",
    "sink_stopped",
    "stopping",
    "tenant_duplicate_header",
    "tenant_invalid",
    "tenant_missing",
    "tls_file",
    "too_many_days",
    "too_many_submessages",
    "unknown_method",
    "unknown_path",
    "unsupported_type",
    "url_invalid",
    "wrong_port",
    "zipkin_too_large",
};

// The word of ours that equals `text`, or "".
constexpr const char* known_reason(std::string_view text) noexcept {
  for (const char* reason : kReasons)
    if (text == reason) return reason;
  return "";
}

}  // namespace spanway::otlp
