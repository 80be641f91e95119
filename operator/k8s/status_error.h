// Maps answers of the API server to Errors; the table is in client.h.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "operator/json/json.h"
#include "services/lib/base/result.h"

namespace spanway::kube {

inline constexpr std::size_t kErrorMessageBytesMax = 1024;

// Machine-readable words of Error::reason that callers compare.
inline constexpr char kReasonConflict[] = "conflict";
inline constexpr char kReasonExpired[] = "expired";
// The namespace is being deleted: nothing can be created in it any more.
inline constexpr char kReasonNamespaceEnds[] = "namespace_terminating";
// The server's watch cache is older than the requested version: list with resourceVersion "".
inline constexpr char kReasonTooNew[] = "resource_version_too_large";

// `what` is the verb and the path. `body` is a Status object as text, or the text of a
// proxy. `retry_after` is the header's value.
Error error_of_answer(std::string_view what, int http_status, std::string_view body,
                      std::optional<std::chrono::milliseconds> retry_after);
// For the Status object of an ERROR event of a watch.
Error error_of_status(std::string_view what, const Json& status);
// The value of a Retry-After header: seconds, at most an hour; nullopt for anything else.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view header);

}  // namespace spanway::kube
