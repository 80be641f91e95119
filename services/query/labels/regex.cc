#include "services/query/labels/regex.h"

#include <re2/re2.h>

#include <charconv>
#include <string>
#include <utility>

namespace spanway::query {

struct Regex::Program {
  Program(std::string_view pattern, const RE2::Options& options, bool whole)
      : re(re2::StringPiece(pattern.data(), pattern.size()), options), is_whole(whole) {}
  const RE2 re;
  const bool is_whole;
};

Result<Regex> Regex::whole(std::string_view pattern) { return compile(pattern, true); }
Result<Regex> Regex::within(std::string_view pattern) { return compile(pattern, false); }

Result<Regex> Regex::compile(std::string_view pattern, bool is_whole) {
  if (pattern.size() > kPatternBytesMax)
    return invalid_argument("a regular expression has at most " + std::to_string(kPatternBytesMax) +
                            " bytes")
        .with_reason("bad_regex");
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(is_whole);
  auto program = std::make_shared<Program>(pattern, options, is_whole);
  if (!program->re.ok())
    return invalid_argument("the regular expression '" + std::string(pattern) +
                            "' is not valid: " + program->re.error())
        .with_reason("bad_regex");
  return Regex(std::move(program));
}

bool Regex::matches(std::string_view text) const {
  const re2::StringPiece piece(text.data(), text.size());
  return program_->is_whole ? RE2::FullMatch(piece, program_->re)
                            : RE2::PartialMatch(piece, program_->re);
}

std::optional<Regex::Groups> Regex::groups(std::string_view text) const {
  const RE2& re = program_->re;
  const auto count = static_cast<std::size_t>(re.NumberOfCapturingGroups()) + 1;
  std::vector<re2::StringPiece> found(count);
  if (!re.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), RE2::ANCHOR_BOTH,
                found.data(), static_cast<int>(count)))
    return std::nullopt;
  Groups result;
  for (const re2::StringPiece& one : found) result.values_.emplace_back(one.data(), one.size());
  for (const auto& [name, number] : re.NamedCapturingGroups()) result.names_[name] = number;
  return result;
}

bool Regex::find(std::string_view text, std::size_t begin,
                 std::vector<std::string_view>& found) const {
  const RE2& re = program_->re;
  std::vector<re2::StringPiece> pieces(static_cast<std::size_t>(re.NumberOfCapturingGroups()) + 1);
  const auto anchor = program_->is_whole ? RE2::ANCHOR_BOTH : RE2::UNANCHORED;
  if (begin > text.size() ||
      !re.Match(re2::StringPiece(text.data(), text.size()), begin, text.size(), anchor,
                pieces.data(), static_cast<int>(pieces.size())))
    return false;
  found.clear();
  for (const re2::StringPiece& one : pieces) found.emplace_back(one.data(), one.size());
  return true;
}

std::vector<std::string> Regex::group_names() const {
  std::vector<std::string> names(static_cast<std::size_t>(program_->re.NumberOfCapturingGroups()));
  for (const auto& [number, name] : program_->re.CapturingGroupNames())
    names[static_cast<std::size_t>(number) - 1] = name;
  return names;
}

std::string_view Regex::Groups::value(std::string_view name) const {
  std::size_t number = 0;
  const char* end = name.data() + name.size();
  if (const auto parsed = std::from_chars(name.data(), end, number); parsed.ptr != end) {
    const auto named = names_.find(name);
    if (named == names_.end()) return "";
    number = static_cast<std::size_t>(named->second);
  }
  return number < values_.size() ? std::string_view(values_[number]) : std::string_view();
}

}  // namespace spanway::query
