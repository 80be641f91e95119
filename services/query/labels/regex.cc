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

namespace {

// In the words of Go's parser, as clients of Prometheus and Loki know them.
std::string_view text_of(const RE2& re) {
  switch (re.error_code()) {
    case RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
      return "invalid character class";
    case RE2::ErrorBadCharRange:
      return "invalid character class range";
    case RE2::ErrorMissingBracket:
      return "missing closing ]";
    case RE2::ErrorMissingParen:
      return "missing closing )";
    case RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
      return "expression too large";
    default:
      return "internal error";
  }
}

}  // namespace

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
    return invalid_argument("error parsing regexp: " + std::string(text_of(program->re)) + ": `" +
                            program->re.error_arg() + "`")
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
