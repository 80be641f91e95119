#include "services/lib/clickhouse/exception.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "services/lib/otlp/status_map.h"

namespace spanway::clickhouse {
namespace {

constexpr auto kTransient = Refusal::kTransient;
constexpr auto kConfiguration = Refusal::kConfiguration;
constexpr auto kData = Refusal::kData;

constexpr int kNotFoundStatus = 404;
constexpr int kTooLarge = 413;
constexpr int kNotEnoughSpace = 243;
constexpr int kTooManyParts = 252;
constexpr std::chrono::seconds kMergesCatchUp{5};
constexpr std::size_t kTextBytesMax = 2048;

constexpr std::array<ExceptionKind, 52> kKinds = {{
    {6, "CANNOT_PARSE_TEXT", kData, Code::kInvalidArgument},
    {16, "NO_SUCH_COLUMN_IN_TABLE", kConfiguration, Code::kFailedPrecondition},
    {26, "CANNOT_PARSE_QUOTED_STRING", kData, Code::kInvalidArgument},
    {27, "CANNOT_PARSE_INPUT_ASSERTION_FAILED", kData, Code::kInvalidArgument},
    {33, "CANNOT_READ_ALL_DATA", kData, Code::kInvalidArgument},
    {36, "BAD_ARGUMENTS", kConfiguration, Code::kFailedPrecondition},
    {47, "UNKNOWN_IDENTIFIER", kConfiguration, Code::kFailedPrecondition},
    {53, "TYPE_MISMATCH", kData, Code::kInvalidArgument},
    {60, "UNKNOWN_TABLE", kConfiguration, Code::kNotFound},
    // This server cannot do it, as an older one without text indexes.
    {62, "SYNTAX_ERROR", kConfiguration, Code::kFailedPrecondition},
    {70, "CANNOT_CONVERT_TYPE", kData, Code::kInvalidArgument},
    {80, "INCORRECT_QUERY", kConfiguration, Code::kFailedPrecondition},
    {81, "UNKNOWN_DATABASE", kConfiguration, Code::kNotFound},
    {115, "UNKNOWN_SETTING", kConfiguration, Code::kFailedPrecondition},
    {117, "INCORRECT_DATA", kData, Code::kInvalidArgument},
    {131, "TOO_LARGE_STRING_SIZE", kData, Code::kInvalidArgument},
    // Limits of a query: it will never pass as it is.
    {158, "TOO_MANY_ROWS", kData, Code::kResourceExhausted},
    {159, "TIMEOUT_EXCEEDED", kTransient, Code::kDeadlineExceeded},
    {164, "READONLY", kConfiguration, Code::kPermissionDenied},
    {192, "UNKNOWN_USER", kConfiguration, Code::kUnauthenticated},
    {193, "WRONG_PASSWORD", kConfiguration, Code::kUnauthenticated},
    {194, "REQUIRED_PASSWORD", kConfiguration, Code::kUnauthenticated},
    {201, "QUOTA_EXCEEDED", kTransient, Code::kResourceExhausted},
    {202, "TOO_MANY_SIMULTANEOUS_QUERIES", kTransient, Code::kResourceExhausted},
    {203, "NO_FREE_CONNECTION", kTransient, Code::kUnavailable},
    {209, "SOCKET_TIMEOUT", kTransient, Code::kUnavailable},
    {210, "NETWORK_ERROR", kTransient, Code::kUnavailable},
    {225, "NO_ZOOKEEPER", kTransient, Code::kUnavailable},
    {236, "ABORTED", kTransient, Code::kUnavailable},
    {241, "MEMORY_LIMIT_EXCEEDED", kTransient, Code::kResourceExhausted},
    {242, "TABLE_IS_READ_ONLY", kTransient, Code::kUnavailable},
    {243, "NOT_ENOUGH_SPACE", kTransient, Code::kResourceExhausted},
    {252, "TOO_MANY_PARTS", kTransient, Code::kResourceExhausted},
    {285, "TOO_FEW_LIVE_REPLICAS", kTransient, Code::kUnavailable},
    {291, "DATABASE_ACCESS_DENIED", kConfiguration, Code::kPermissionDenied},
    {307, "TOO_MANY_BYTES", kData, Code::kResourceExhausted},
    // The insert may have happened: the same token lets the server deduplicate.
    {319, "UNKNOWN_STATUS_OF_INSERT", kTransient, Code::kUnavailable},
    {344, "SUPPORT_IS_DISABLED", kConfiguration, Code::kFailedPrecondition},
    {349, "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN", kData, Code::kInvalidArgument},
    {394, "QUERY_WAS_CANCELLED", kTransient, Code::kUnavailable},
    {396, "TOO_MANY_ROWS_OR_BYTES", kData, Code::kResourceExhausted},
    {425, "SYSTEM_ERROR", kTransient, Code::kUnavailable},
    {439, "CANNOT_SCHEDULE_TASK", kTransient, Code::kUnavailable},
    {452, "SETTING_CONSTRAINT_VIOLATION", kConfiguration, Code::kFailedPrecondition},
    // A CONSTRAINT that the owner of the database has added to a table.
    {469, "VIOLATED_CONSTRAINT", kData, Code::kInvalidArgument},
    {473, "DEADLOCK_AVOIDED", kTransient, Code::kUnavailable},
    {497, "ACCESS_DENIED", kConfiguration, Code::kPermissionDenied},
    {516, "AUTHENTICATION_FAILED", kConfiguration, Code::kUnauthenticated},
    {701, "CLUSTER_DOESNT_EXIST", kConfiguration, Code::kNotFound},
    {745, "SERVER_OVERLOADED", kTransient, Code::kUnavailable},
    {999, "KEEPER_EXCEPTION", kTransient, Code::kUnavailable},
    {1002, "UNKNOWN_EXCEPTION", kTransient, Code::kUnavailable},
}};

const ExceptionKind* find_kind(int code) noexcept {
  const auto found =
      std::lower_bound(kKinds.begin(), kKinds.end(), code,
                       [](const ExceptionKind& kind, int value) { return kind.code < value; });
  return found != kKinds.end() && found->code == code ? &*found : nullptr;
}

std::string_view first_line(std::string_view text) noexcept {
  return text.substr(0, std::min(text.find('\n'), kTextBytesMax));
}

}  // namespace

Error not_clickhouse(std::string_view answer) {
  return configuration_error(Code::kFailedPrecondition,
                             std::string(answer) +
                                 "what answers there is not ClickHouse's HTTP interface: set its "
                                 "URL, with port 8123 where the server has the usual one")
      .with_reason("not_clickhouse");
}

std::span<const ExceptionKind> exception_kinds() noexcept { return kKinds; }

Error error_of(int code, std::string_view text) {
  const ExceptionKind* kind = find_kind(code);
  Error error{.code = kind == nullptr ? Code::kUnknown : kind->status,
              .refusal = kind == nullptr ? Refusal::kUnknown : kind->refusal,
              .message = "ClickHouse refused with exception " + std::to_string(code) + ": " +
                         std::string(first_line(text)),
              .retry_after = std::nullopt,
              .reason = code == kNotEnoughSpace ? "clickhouse_disk_full" : "clickhouse_exception"};
  if (code == kTooManyParts) return std::move(error).with_retry_after(kMergesCatchUp);
  return error;
}

Error error_of(const http::Response& response, std::chrono::system_clock::time_point now) {
  const std::string_view header = response.headers.get("x-clickhouse-exception-code");
  int code = 0;
  const auto parsed = std::from_chars(header.data(), header.data() + header.size(), code);
  if (parsed.ec == std::errc() && code != 0) return error_of(code, response.body.view());
  Error error = otlp::error_from_http(response.status, response.headers.get("retry-after"),
                                      first_line(response.body.view()), now);
  // ClickHouse names an exception. What refuses a request without one, but for its size, is a proxy
  // or another port or path of the server.
  const bool is_refused = error.refusal == Refusal::kData && response.status != kTooLarge;
  if (is_refused || response.status == kNotFoundStatus) return not_clickhouse(error.message + "; ");
  return error;
}

}  // namespace spanway::clickhouse
