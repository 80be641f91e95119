// ${env:NAME}, ${env:NAME:-default}, ${file:path}, and $$ for a single $.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/config/load.h"

namespace spanway::config {

struct Substituted {
  std::string text;
  // Something was put in: the text must not be shown, and its YAML quotes say nothing.
  bool changed = false;
  // The text still has substitutions, because `sources.resolve_nothing`.
  bool unresolved = false;
  // The path, when the whole text is one ${file:path}.
  std::string file;
};

// What was put in is not searched for further substitutions. The error's message is for people and
// holds no value.
Result<Substituted> substitute(std::string_view text, const Sources& sources);

// The text that substitute() turns into `text`.
std::string escape_dollars(std::string_view text);

}  // namespace spanway::config
