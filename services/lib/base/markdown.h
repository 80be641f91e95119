// Markdown that documents generate from declarations. Stateless; thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace spanway {

// Text for a cell of a table, which neither '|' nor a line break may end.
inline std::string markdown_cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

// `text`, or nothing.
inline std::string markdown_code(std::string_view text) {
  return text.empty() ? "" : "`" + std::string(text) + "`";
}

}  // namespace spanway
