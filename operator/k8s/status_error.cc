#include "operator/k8s/status_error.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/lib/base/utf8.h"

namespace spanway::kube {
namespace {

constexpr std::chrono::seconds kRetryAfterMax = std::chrono::hours(1);

// A Status, or its fields derived from an answer without one.
struct ServerStatus {
  int code = 0;
  std::string reason;
  std::string message;
  bool version_too_large = false;
  bool namespace_ends = false;
  std::optional<std::chrono::milliseconds> retry_after;
};

bool names_cause(const Json& status, std::string_view cause) {
  const Json* causes = find(status, "details/causes");
  if (causes == nullptr || !causes->is_array()) return false;
  return std::any_of(causes->begin(), causes->end(),
                     [&](const Json& entry) { return string_at(entry, "reason") == cause; });
}

void read_status(const Json& status, ServerStatus& answer) {
  if (answer.code == 0) answer.code = static_cast<int>(int_at(status, "code", 500));
  answer.reason = string_at(status, "reason");
  answer.message = string_at(status, "message");
  // Servers before 1.19 set no reason, only this message.
  answer.version_too_large = names_cause(status, "ResourceVersionTooLarge") ||
                             answer.message.find("Too large resource version") != std::string::npos;
  answer.namespace_ends = names_cause(status, "NamespaceTerminating");
  const std::int64_t seconds = int_at(status, "details/retryAfterSeconds");
  if (!answer.retry_after && seconds > 0)
    answer.retry_after = std::min<std::chrono::milliseconds>(
        kRetryAfterMax, std::chrono::seconds(std::min<std::int64_t>(seconds, 3600)));
}

std::string message_of(std::string_view what, const ServerStatus& answer) {
  std::string text(what);
  text += ": HTTP " + std::to_string(answer.code);
  if (!answer.reason.empty()) text += " " + answer.reason;
  if (!answer.message.empty()) text += ": " + answer.message;
  return truncate_utf8(text, kErrorMessageBytesMax);
}

Error transient_of(Code code, std::string message, const ServerStatus& answer) {
  Error error = transient_error(code, std::move(message));
  error.retry_after = answer.retry_after;
  return error;
}

Error conflict_of(std::string message, const ServerStatus& answer) {
  if (answer.reason == "AlreadyExists")
    return data_error(Code::kAlreadyExists, std::move(message)).with_reason("already_exists");
  return transient_of(Code::kAborted, std::move(message), answer).with_reason(kReasonConflict);
}

Error error_of(std::string_view what, const ServerStatus& answer) {
  std::string message = message_of(what, answer);
  if (answer.version_too_large)
    return transient_of(Code::kOutOfRange, std::move(message), answer).with_reason(kReasonTooNew);
  if (answer.code == 410 || answer.reason == "Expired" || answer.reason == "Gone")
    return transient_of(Code::kOutOfRange, std::move(message), answer).with_reason(kReasonExpired);
  switch (answer.code) {
    case 401:
      return configuration_error(Code::kUnauthenticated, std::move(message))
          .with_reason("unauthorized");
    case 403:
      return configuration_error(Code::kPermissionDenied, std::move(message))
          .with_reason(answer.namespace_ends ? kReasonNamespaceEnds : "forbidden");
    case 404:
      return data_error(Code::kNotFound, std::move(message)).with_reason("not_found");
    case 405:
    case 406:
    case 415:
      return configuration_error(Code::kUnimplemented, std::move(message))
          .with_reason("unsupported");
    case 408:
      return transient_of(Code::kDeadlineExceeded, std::move(message), answer)
          .with_reason("timeout");
    case 409:
      return conflict_of(std::move(message), answer);
    case 429:
      return transient_of(Code::kResourceExhausted, std::move(message), answer)
          .with_reason("too_many_requests");
    default:
      break;
  }
  if (answer.code >= 500)
    return transient_of(Code::kUnavailable, std::move(message), answer)
        .with_reason(answer.code == 500 ? "internal_error" : "server_error");
  if (answer.code >= 400)
    return data_error(Code::kInvalidArgument, std::move(message)).with_reason("invalid");
  // A redirect, for example to the login page of a proxy: not an API server.
  return configuration_error(Code::kFailedPrecondition, std::move(message))
      .with_reason("not_an_api_server");
}

}  // namespace

Error error_of_answer(std::string_view what, int http_status, std::string_view body,
                      std::optional<std::chrono::milliseconds> retry_after) {
  ServerStatus answer{.code = http_status,
                      .reason = {},
                      .message = {},
                      .version_too_large = false,
                      .namespace_ends = false,
                      .retry_after = retry_after};
  if (auto status = parse_json(body); status.ok() && status->is_object()) {
    read_status(*status, answer);
  } else {
    // Plain text of a proxy or of the server's early filters.
    answer.message = to_text(Json(std::string(body.substr(0, 256))));
    if (body.empty()) answer.message.clear();
  }
  return error_of(what, answer);
}

Error error_of_status(std::string_view what, const Json& status) {
  ServerStatus answer;
  read_status(status, answer);
  // Not a Status, or one without a failure: still the end of the stream.
  if (answer.code < 400) answer.code = 500;
  return error_of(what, answer);
}

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view header) {
  if (header.empty() || header.size() > 9) return std::nullopt;
  std::int64_t seconds = 0;
  for (const char c : header) {
    if (c < '0' || c > '9') return std::nullopt;
    seconds = seconds * 10 + (c - '0');
  }
  return std::min<std::chrono::milliseconds>(kRetryAfterMax, std::chrono::seconds(seconds));
}

}  // namespace spanway::kube
