// ASCII text without regard to locale: case, and blanks at the ends. Stateless; thread-safe.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace spanway {

constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_lower(c);
  return out;
}

inline bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

// Optional white space of HTTP fields (RFC 9110, section 5.6.3), and that of text files.
inline constexpr std::string_view kBlanks = " \t";
inline constexpr std::string_view kWhiteSpace = " \t\r\n";

constexpr std::string_view trim_end(std::string_view text,
                                    std::string_view characters = kBlanks) noexcept {
  return text.substr(0, text.find_last_not_of(characters) + 1);
}

// Without these characters at either end.
constexpr std::string_view trim(std::string_view text,
                                std::string_view characters = kBlanks) noexcept {
  text = trim_end(text, characters);
  return text.substr(std::min(text.find_first_not_of(characters), text.size()));
}

}  // namespace spanway
