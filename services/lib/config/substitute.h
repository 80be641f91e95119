// ${env:NAME}, ${env:NAME:-default}, ${file:path}, and $$ for a single $.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/config/load.h"

namespace spanway::config {

struct Substituted {
  std::string text;
  // Something was substituted: the text must not be shown, and its YAML quotes mean nothing.
  bool changed = false;
  // The text still has substitutions, because `sources.resolve_nothing`.
  bool unresolved = false;
  // The path, when the text is one ${file:path} and nothing else.
  std::string file;
};

// Substituted values are not searched for further substitutions. The error message contains no
// value.
Result<Substituted> substitute(std::string_view text, const Sources& sources);

// The text that substitute() turns into `text`.
std::string escape_dollars(std::string_view text);

}  // namespace spanway::config
