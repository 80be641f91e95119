// Values as people write them: numbers, durations, sizes; and how messages show them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/config/binder.h"

namespace spanway::config {

// Nothing when `text` is not exactly such a value or does not fit. Numbers are decimal, without
// leading zeros, signs other than '-', or digit separators.
std::optional<bool> parse_bool(std::string_view text) noexcept;
std::optional<std::int64_t> parse_int(std::string_view text) noexcept;
std::optional<double> parse_double(std::string_view text);
// 250us 200ms 5s 2m 1h; a bare 0.
std::optional<Duration> parse_duration(std::string_view text) noexcept;
// 900KiB 64MiB 1GiB 512B 1024
std::optional<ByteSize> parse_size(std::string_view text) noexcept;

// The shortest text that parses to the same value.
std::string format_double(double value);
std::string format_duration(Duration value);
std::string format_size(ByteSize value);

// Parts between commas, without the spaces around them and without empty ones.
std::vector<std::string> split_list(std::string_view text);

// For one line of output: control characters as \xNN.
std::string escape(std::string_view text);
// 'text', escaped and cut to 64 bytes.
std::string quote(std::string_view text);

// The candidate that `name` was most likely meant to be; "" when none is near.
std::string_view nearest(std::string_view name, const std::vector<std::string>& candidates);
// " (did you mean 'topic'?)" or "".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace spanway::config
