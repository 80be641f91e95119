// Numbers, durations, sizes and strings as Go and its libraries read and print them, because
// LogQL's grammar and answers are defined by these. Pure; thread-safe.
// Sources: Go's strconv and time; prometheus/common model.Duration; dustin/go-humanize.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/base/result.h"

namespace spanway::query::logql {

// A string literal in double quotes, with escapes.
std::string quoted(std::string_view text);
// The value of "..", '..' or `..`. INVALID_ARGUMENT, data, for an escape that is none.
Result<std::string> unquote(std::string_view literal);

// Errors of all parse functions: INVALID_ARGUMENT, data, with the text of the original.
Result<double> parse_float(std::string_view text);
// Nanoseconds of "1h30m", "-1.5s", "2us".
Result<std::int64_t> parse_go_duration(std::string_view text);
// Nanoseconds of "1w2d": units y w d h m s ms, from large to small, each once.
Result<std::int64_t> parse_prometheus_duration(std::string_view text);
// Bytes of "10KB", "1.5 GiB".
Result<std::uint64_t> parse_size(std::string_view text);

// The shortest decimal that reads back, without an exponent; NaN, +Inf, -Inf.
std::string print_fixed(double value);
// As %v: the shortest, with an exponent below 1e-4 and from 1e21 on.
std::string print_general(double value);
std::string print_go_duration(std::int64_t ns);          // "1h30m0s"
std::string print_prometheus_duration(std::int64_t ns);  // "1h30m"
std::string print_size(std::uint64_t bytes);             // "1.5kB"

}  // namespace spanway::query::logql
