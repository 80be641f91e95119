// An exception that comes after the first bytes of an answer with status 200.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::clickhouse {

// So many bytes at the end of an answer hold the exception of a server of 26.x: its text is at most
// 16 KiB there.
inline constexpr std::size_t kLateExceptionBytesMax = 32u << 10;

// The exception at the end of `answer`, which the server has marked with the tag that it announced
// in the header X-ClickHouse-Exception-Tag. Nothing without one: similar rows do not hold
// the tag, which is chosen at random for each answer.
std::optional<Error> find_late_exception(std::string_view answer, std::string_view tag);

}  // namespace spanway::clickhouse
