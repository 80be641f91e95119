// ClickHouse's exceptions as errors: the code decides what may be tried next.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/http/message.h"

namespace spanway::clickhouse {

struct ExceptionKind {
  int code = 0;
  std::string_view name;  // As in system.errors.
  Refusal refusal = Refusal::kUnknown;
  Code status = Code::kUnknown;
};

// The codes whose meaning is known, ascending. Any other is unknown.
std::span<const ExceptionKind> exception_kinds() noexcept;

// The error of an exception. `text` is the server's message; 2 KiB of it are kept. TOO_MANY_PARTS
// carries a wait of 5 s, in which merges can catch up. The reason is "clickhouse_disk_full" for
// NOT_ENOUGH_SPACE, else "clickhouse_exception".
Error error_of(int code, std::string_view text);

// From an answer that is not 200: by X-ClickHouse-Exception-Code, and where a proxy has answered
// instead of ClickHouse, by the HTTP status; a refusal of the request itself is then
// not_clickhouse(), for it says nothing about rows.
Error error_of(const http::Response& response, std::chrono::system_clock::time_point now);

// Something else than the HTTP interface answers: configuration, "not_clickhouse". `answer` is the
// begin of the message.
Error not_clickhouse(std::string_view answer);

}  // namespace spanway::clickhouse
