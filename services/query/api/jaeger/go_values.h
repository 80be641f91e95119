// Texts of parameters as Go's libraries read them. Internal to query/api/jaeger.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spanway::query::jaeger {

// Nanoseconds of "1.5s", "2h45m" or "-3us", as time.ParseDuration; nothing for other texts and
// those beyond 64 bits.
std::optional<std::int64_t> parse_go_duration(std::string_view text);
// A whole decimal number.
std::optional<std::int64_t> parse_number(std::string_view text);
// As strconv.ParseBool: 1, t, T, TRUE, true, True and their opposites.
std::optional<bool> parse_bool(std::string_view text);
// {"key":"value"}: a JSON object of texts; nothing for other JSON.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_text_map(
    std::string_view json);

}  // namespace spanway::query::jaeger
