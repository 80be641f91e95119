// The only place where errors become gRPC statuses, HTTP answers and OTLP responses, and back.
// Sources: OTLP specification 1.11 "Failures", gRPC status codes, google.rpc.error_details.
// Functions without state: thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/signal.h"

namespace spanway::otlp {

enum class Encoding : unsigned char { kProtobuf, kJson };

// Bounds of our error texts; truncated at a character, broken UTF-8 replaced.
inline constexpr std::size_t kErrorMessageBytesMax = 2048;
inline constexpr std::size_t kPartialMessageBytesMax = 4096;

// --- Answering ---

// The gRPC status code that a client is given. Transient errors become codes that OTLP clients
// retry (UNAVAILABLE, or RESOURCE_EXHAUSTED with RetryInfo); data errors codes that they do not;
// configuration errors one of UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND, UNIMPLEMENTED and
// FAILED_PRECONDITION, which error_from_grpc() understands again as configuration.
Code grpc_code(const Error& error) noexcept;
// HTTP status: transient 503 or 429, data 400 / 413 / 415, UNAUTHENTICATED 401, PERMISSION_DENIED
// 403, NOT_FOUND and UNIMPLEMENTED 404, else 500.
int http_status(const Error& error) noexcept;
// google.rpc.Status with RetryInfo for a retry_after (transient ones always get one) and
// ErrorInfo{domain: "spanway", reason} for a reason; the body of every HTTP error and,
// as protobuf, grpc-status-details-bin.
Bytes status_body(const Error& error, Encoding encoding);
// The same as protobuf with this code, for APIs that are not OTLP's.
Bytes status_body(const Error& error, Code code);
// Retry-After in whole seconds, at least 1; nothing when the error is not transient.
std::optional<std::int64_t> retry_after_seconds(const Error& error) noexcept;
// Export*ServiceResponse: empty on full success, partial_success otherwise. At most 4 KiB of
// message.
Bytes export_response(Signal signal, std::uint64_t rejected, std::string_view message,
                      Encoding encoding);

// --- Understanding the answers of others ---

struct PartialSuccess {
  std::uint64_t rejected = 0;
  std::string message;
};
// An answer that is not an Export response: INTERNAL, unknown.
Result<PartialSuccess> parse_export_response(Signal signal, std::string_view body,
                                             Encoding encoding);
// From a gRPC status and its (possibly empty) grpc-status-details-bin, already base64-decoded.
// RESOURCE_EXHAUSTED with RetryInfo is transient, without it data. `reason` of an ErrorInfo of
// domain spanway is kept when it is one of ours.
Error error_from_grpc(int code, std::string_view message, std::string_view details);
// From an HTTP status, Retry-After (seconds or HTTP date, against `now`) and the body: a
// google.rpc.Status as JSON or protobuf, or any text. 429, 502, 503 and 504 are transient; 400, 413
// and 422 data; 3xx, 401, 403, 404, 405, 407, 415 and 501 configuration; others unknown.
Error error_from_http(int status, std::string_view retry_after, std::string_view body,
                      std::chrono::system_clock::time_point now);

}  // namespace spanway::otlp
