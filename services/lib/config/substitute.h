// ${env:NAME}, ${env:NAME:-default}, ${file:path}, and $$ for a single $.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/config/load.h"

namespace spanway::config {

struct Substituted {
  std::string text;
  // Something was substituted: the text must not be shown, and its YAML quotes mean nothing.
  bool changed = false;
  // The text still has substitutions, because `sources.resolve_nothing`.
  bool unresolved = false;
  // The path of each ${file:path}.
  std::vector<std::string> paths;
  // The text with each ${file:path} left in it and all else resolved; empty without any.
  std::string source;
};

// Substituted values are not searched for further substitutions. The error message contains no
// value.
Result<Substituted> substitute(std::string_view text, const Sources& sources);

// The text that substitute() turns into `text`.
std::string escape_dollars(std::string_view text);

}  // namespace spanway::config
