#include "services/query/logql/template_texts.h"

#include <algorithm>
#include <charconv>

#include "services/query/logql/go_text.h"

namespace spanway::query::logql {
namespace {

bool is_continuation(char c) { return (c & 0xC0) == 0x80; }

std::int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); });
}

// Where the character of that number begins.
std::size_t offset_of(std::string_view text, std::int64_t character) {
  std::size_t at = 0;
  for (; at < text.size(); ++at)
    if (!is_continuation(text[at]) && character-- == 0) break;
  return at;
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

Error too_long() {
  return template_error("a template prints more than " + std::to_string(Template::kOutputBytesMax) +
                        " bytes");
}

}  // namespace

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return result;
}

std::string title(std::string_view text) {
  std::string result(text);
  bool is_begin = true;
  for (char& c : result) {
    if (is_begin && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    is_begin = !is_word(c) && (c & 0x80) == 0 && c != '\'';
  }
  return result;
}

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\0':
        out += "\xef\xbf\xbd";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::int64_t count) {
  std::string out;
  if (from.empty()) {
    // Go inserts before each character and at the end.
    for (std::size_t at = 0; at <= text.size(); ++at) {
      const bool is_character = at == text.size() || !is_continuation(text[at]);
      if (is_character && count-- != 0) out += to;
      if (at < text.size()) out += text[at];
    }
    return out;
  }
  for (; count != 0; --count) {
    const std::size_t at = text.find(from);
    if (at == text.npos) break;
    out += text.substr(0, at);
    out += to;
    text.remove_prefix(at + from.size());
  }
  return out += text;
}

std::string trimmed(std::string_view text, std::string_view characters, bool left, bool right) {
  if (left) text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
  if (right) text = text.substr(0, text.find_last_not_of(characters) + 1);
  return std::string(text);
}

std::string without_prefix(std::string_view text, std::string_view prefix) {
  return std::string(text.starts_with(prefix) ? text.substr(prefix.size()) : text);
}

std::string without_suffix(std::string_view text, std::string_view suffix) {
  return std::string(text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text);
}

std::string truncated(std::int64_t count, std::string_view text) {
  const std::int64_t length = characters(text);
  if (count < 0 && length + count > 0)
    return std::string(text.substr(offset_of(text, length + count)));
  if (count >= 0 && length > count) return std::string(text.substr(0, offset_of(text, count)));
  return std::string(text);
}

std::string substring(std::int64_t begin, std::int64_t end, std::string_view text) {
  const std::int64_t length = characters(text);
  end = std::min(end, length);
  begin = std::min(begin, length);
  if (begin < 0) return end < 0 ? "" : std::string(text.substr(0, offset_of(text, end)));
  const std::size_t from = offset_of(text, begin);
  if (end < 0) return std::string(text.substr(from));
  if (begin > end) return "";
  return std::string(text.substr(from, offset_of(text, end) - from));
}

std::string aligned(std::int64_t count, std::string_view text, bool left) {
  const std::int64_t length = characters(text);
  if (count < 0 || count == length) return std::string(text);
  count = std::min<std::int64_t>(count, Template::kOutputBytesMax);
  if (count > length) {
    const std::string padding(static_cast<std::size_t>(count - length), ' ');
    return left ? std::string(text) + padding : padding + std::string(text);
  }
  return std::string(left ? text.substr(0, offset_of(text, count))
                          : text.substr(offset_of(text, length - count)));
}

Result<TemplateValue> repeated(std::int64_t count, std::string_view text) {
  if (count < 0) return template_error("strings: negative Repeat count");
  if (!text.empty() && static_cast<std::uint64_t>(count) > Template::kOutputBytesMax / text.size())
    return too_long();
  std::string out;
  for (std::int64_t i = 0; i < count && !text.empty(); ++i) out += text;
  return TemplateValue(std::move(out));
}

Result<TemplateValue> indented(std::int64_t count, std::string_view text) {
  if (count < 0) return template_error("strings: negative Repeat count");
  const auto lines = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  if (static_cast<std::uint64_t>(count) > Template::kOutputBytesMax / lines) return too_long();
  const std::string padding(static_cast<std::size_t>(count), ' ');
  return TemplateValue(padding + replaced(text, "\n", "\n" + padding, -1));
}

Result<TemplateValue> seconds_of_duration(const TemplateCall& call) {
  SPANWAY_ASSIGN(const std::int64_t nanos,
                 parse_go_duration(std::get<std::string>(call.arguments[0])));
  return TemplateValue(static_cast<double>(nanos) / 1e9);
}

void each_match(const Regex& regex, std::string_view text,
                const std::function<void(const std::vector<std::string_view>& groups)>& visit) {
  std::vector<std::string_view> groups;
  std::size_t last_end = text.npos;
  for (std::size_t begin = 0; begin <= text.size();) {
    if (!regex.find(text, begin, groups)) return;
    const auto from = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t end = from + groups[0].size();
    // An empty match right behind another one does not count.
    if (!groups[0].empty() || end != last_end) visit(groups);
    last_end = end;
    begin = groups[0].empty() ? end + 1 : end;
    while (begin < text.size() && is_continuation(text[begin])) ++begin;
  }
}

std::string expanded(const Regex& regex, std::string_view replacement,
                     const std::vector<std::string_view>& groups) {
  const std::vector<std::string> names = regex.group_names();
  const auto value_of_group = [&](std::string_view name) {
    std::size_t number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ptr != name.data() + name.size()) {
      const auto found = std::find(names.begin(), names.end(), name);
      if (found == names.end()) return std::string_view();
      number = static_cast<std::size_t>(found - names.begin()) + 1;
    }
    return number < groups.size() ? groups[number] : std::string_view();
  };
  std::string out;
  while (!replacement.empty()) {
    const std::size_t dollar = std::min(replacement.find('$'), replacement.size());
    out += replacement.substr(0, dollar);
    replacement.remove_prefix(dollar);
    if (replacement.empty()) break;
    replacement.remove_prefix(1);
    if (replacement.starts_with('$')) {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    const bool has_brace = replacement.starts_with('{');
    const std::size_t begin = has_brace ? 1 : 0;
    std::size_t end = begin;
    while (end < replacement.size() && is_word(replacement[end])) ++end;
    if (end == begin || (has_brace && (end == replacement.size() || replacement[end] != '}'))) {
      out += '$';
      continue;
    }
    out += value_of_group(replacement.substr(begin, end - begin));
    replacement.remove_prefix(end + (has_brace ? 1 : 0));
  }
  return out;
}

std::string replace_all(const Regex& regex, std::string_view text, std::string_view replacement,
                        bool is_literal) {
  std::string out;
  std::size_t done = 0;
  each_match(regex, text, [&](const std::vector<std::string_view>& groups) {
    const auto from = static_cast<std::size_t>(groups[0].data() - text.data());
    out += text.substr(done, from - done);
    out += is_literal ? std::string(replacement) : expanded(regex, replacement, groups);
    done = from + groups[0].size();
  });
  return out += text.substr(done);
}

}  // namespace spanway::query::logql
