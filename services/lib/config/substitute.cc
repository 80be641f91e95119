#include "services/lib/config/substitute.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/config/scalar.h"

namespace spanway::config {
namespace {

constexpr std::string_view kDefaultMark = ":-";
constexpr std::string_view kEnv = "env:";
constexpr std::string_view kFile = "file:";

bool is_name(std::string_view name) noexcept {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
  });
}

Result<std::string> from_environment(std::string_view what, const Sources& sources) {
  const std::size_t mark = what.find(kDefaultMark);
  const std::string name(what.substr(0, mark));
  if (!is_name(name))
    return invalid_argument("${env:...} needs the name of a variable, not " + quote(name));
  if (sources.resolve_nothing) return std::string();
  // As in a shell, ":-" also replaces a variable that is empty.
  const auto found = sources.environment.find(name);
  const bool has_default = mark != std::string_view::npos;
  if (found != sources.environment.end() && !(has_default && found->second.empty()))
    return found->second;
  if (has_default) return std::string(what.substr(mark + kDefaultMark.size()));
  return invalid_argument("the environment variable " + name +
                          " is not set; set it or write ${env:" + name + ":-default}");
}

Result<std::string> from_file(std::string_view what, const Sources& sources) {
  const std::string path(what);
  if (path.empty()) return invalid_argument("${file:...} needs a path");
  if (sources.resolve_nothing) return std::string();
  std::optional<std::string> content;
  if (sources.read_file) content = sources.read_file(path);
  if (!content) return invalid_argument("the file " + quote(path) + " cannot be read");
  content->resize(trim_end(*content, "\r\n").size());
  return std::move(*content);
}

Result<std::string> resolve(std::string_view inside, const Sources& sources) {
  if (inside.starts_with(kEnv)) return from_environment(inside.substr(kEnv.size()), sources);
  if (inside.starts_with(kFile)) return from_file(inside.substr(kFile.size()), sources);
  return invalid_argument(
      "'${' starts a substitution: write ${env:NAME}, ${env:NAME:-default} or "
      "${file:path}, or $$ for a plain $");
}

}  // namespace

Result<Substituted> substitute(std::string_view text, const Sources& sources) {
  Substituted out;
  const std::string_view original = text;
  for (std::size_t dollar; (dollar = text.find('$')) != std::string_view::npos;) {
    out.text += text.substr(0, dollar);
    out.source += text.substr(0, dollar);
    text.remove_prefix(dollar + 1);
    if (text.starts_with('{')) {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos)
        return invalid_argument("'${' without a closing '}'; write $$ for a plain $");
      const std::string_view inside = text.substr(1, end - 1);
      SPANWAY_ASSIGN(const std::string value, resolve(inside, sources));
      const bool is_file = inside.starts_with(kFile);
      if (is_file) out.paths.emplace_back(inside.substr(kFile.size()));
      out.source += is_file ? "$" + std::string(text.substr(0, end + 1)) : escape_dollars(value);
      out.text += value;
      out.changed = true;
      text.remove_prefix(end + 1);
    } else {
      if (text.starts_with('$')) text.remove_prefix(1);
      out.text += '$';
      out.source += "$$";
    }
  }
  out.text += text;
  out.source += text;
  if (out.paths.empty() || sources.resolve_nothing) out.source.clear();
  out.unresolved = out.changed && sources.resolve_nothing;
  if (out.unresolved) out.text = original;
  return out;
}

std::string escape_dollars(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '$') out += '$';
    out += c;
  }
  return out;
}

}  // namespace spanway::config
