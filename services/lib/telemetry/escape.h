// Text from outside made safe for one line of a log.
#pragma once

#include <string>
#include <string_view>

namespace spanway::telemetry {

// Appends `text` as the inside of a JSON string: valid UTF-8 without control, line-separating or
// bidirectional characters. Bad UTF-8 becomes U+FFFD. Text above `bytes_max` is cut and ends in
// "...".
void append_escaped(std::string& out, std::string_view text, std::size_t bytes_max);

// True when `text` can stand in a key=value line without quotes.
bool is_plain_word(std::string_view text) noexcept;

}  // namespace spanway::telemetry
