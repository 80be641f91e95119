#include "services/lib/promseries/names.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "services/lib/base/ascii.h"

namespace spanway::promseries {
namespace {

using Entry = std::pair<std::string_view, std::string_view>;

// UCUM to words.
constexpr std::array<Entry, 26> kUnits = {{
    {"d", "days"},
    {"h", "hours"},
    {"min", "minutes"},
    {"s", "seconds"},
    {"ms", "milliseconds"},
    {"us", "microseconds"},
    {"ns", "nanoseconds"},
    {"By", "bytes"},
    {"KiBy", "kibibytes"},
    {"MiBy", "mebibytes"},
    {"GiBy", "gibibytes"},
    {"TiBy", "tibibytes"},
    {"KBy", "kilobytes"},
    {"MBy", "megabytes"},
    {"GBy", "gigabytes"},
    {"TBy", "terabytes"},
    {"m", "meters"},
    {"V", "volts"},
    {"A", "amperes"},
    {"J", "joules"},
    {"W", "watts"},
    {"g", "grams"},
    {"Cel", "celsius"},
    {"Hz", "hertz"},
    {"1", ""},
    {"%", "percent"},
}};
// Behind a '/', where one of them is meant.
constexpr std::array<Entry, 7> kPerUnits = {{
    {"s", "second"},
    {"m", "minute"},
    {"h", "hour"},
    {"d", "day"},
    {"w", "week"},
    {"mo", "month"},
    {"y", "year"},
}};

template <std::size_t N>
std::string_view word_for(const std::array<Entry, N>& words, std::string_view unit) {
  for (const auto& [code, word] : words)
    if (code == unit) return word;
  return unit;
}

constexpr bool is_alphanumeric(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
constexpr bool is_metric_char(char c) noexcept { return is_alphanumeric(c) || c == ':'; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool has_underscores_only(std::string_view text) noexcept {
  return text.find_first_not_of('_') == std::string_view::npos;
}

// A part in braces is an annotation and no unit.
std::string_view part_of(std::string_view unit) {
  unit = trim(unit, kWhiteSpace);
  return unit.find_first_of("{}") == std::string_view::npos ? unit : std::string_view();
}

// "By" and "s" of "By/s", as words.
struct UnitWords {
  std::string main, per;  // "bytes", "per_second"; empty = none.
};
UnitWords unit_words(std::string_view unit) {
  UnitWords words;
  const std::size_t slash = unit.find('/');
  words.main = word_for(kUnits, part_of(unit.substr(0, slash)));
  if (slash == std::string_view::npos) return words;
  const std::string_view per = part_of(unit.substr(slash + 1));
  if (!per.empty()) words.per = "per_" + std::string(word_for(kPerUnits, per));
  return words;
}

// Runs of other characters become one underscore, and a leading one is dropped.
std::string cleaned(std::string_view unit) {
  std::string out;
  for (const char c : unit) {
    if (is_metric_char(c)) {
      out += c;
    } else if (out.empty() || out.back() != '_') {
      out += '_';
    }
  }
  if (out.starts_with('_')) out.erase(0, 1);
  return out;
}

void remove_suffix(std::string& text, std::string_view suffix) {
  if (text.ends_with(suffix)) text.resize(text.size() - suffix.size());
}

using Tokens = std::vector<std::string>;

bool contains(const Tokens& tokens, std::string_view token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

template <typename Keep>
Tokens split(std::string_view text, Keep keep) {
  Tokens tokens;
  bool is_open = false;
  for (const char c : text) {
    if (!keep(c)) {
      is_open = false;
      continue;
    }
    if (!is_open) tokens.emplace_back();
    is_open = true;
    tokens.back() += c;
  }
  return tokens;
}

std::string join(const Tokens& tokens) {
  std::string text;
  for (const std::string& token : tokens) {
    if (!text.empty()) text += '_';
    text += token;
  }
  return text;
}

void append_unit(Tokens& tokens, std::string_view unit) {
  const UnitWords words = unit_words(unit);
  std::string main = cleaned(words.main), per = cleaned(words.per);
  if (contains(tokens, main)) main.clear();
  if (per == "per_") per.clear();
  remove_suffix(per, "_");
  if (contains(tokens, per)) per.clear();
  if (!per.empty()) remove_suffix(main, "_");
  if (!main.empty()) tokens.push_back(std::move(main));
  if (!per.empty()) tokens.push_back(std::move(per));
}

// Once, at the end.
void move_to_end(Tokens& tokens, std::string_view token) {
  std::erase(tokens, token);
  tokens.emplace_back(token);
}

bool is_counter(otlp::MetricType type, bool is_monotonic) noexcept {
  return type == otlp::MetricType::kSum && is_monotonic;
}
bool is_ratio(std::string_view unit, otlp::MetricType type) noexcept {
  return unit == "1" && type == otlp::MetricType::kGauge;
}

std::string escaped_name(std::string_view name, std::string_view unit, otlp::MetricType type,
                         bool is_monotonic, bool with_suffixes) {
  std::string result;
  if (with_suffixes) {
    Tokens tokens = split(name, is_metric_char);
    append_unit(tokens, unit);
    if (is_counter(type, is_monotonic)) move_to_end(tokens, "total");
    if (is_ratio(unit, type)) move_to_end(tokens, "ratio");
    result = join(tokens);
  } else {
    result = join(split(name, [](char c) { return is_metric_char(c) || c == '_'; }));
  }
  if (!result.empty() && is_digit(result.front())) result.insert(0, 1, '_');
  if (result != name && has_underscores_only(result)) result.clear();
  return result;
}

// Takes "_total" or "total" with the character before it off the end, unless nothing is left.
void trim_suffix(std::string& name, std::string_view suffix) {
  if (name.ends_with(suffix) && name.size() > suffix.size() + 1)
    name.resize(name.size() - suffix.size() - 1);
}

std::string name_with_suffixes(std::string_view text, std::string_view unit, otlp::MetricType type,
                               bool is_monotonic) {
  std::string name(text);
  const UnitWords words = unit_words(unit);
  if (is_ratio(unit, type)) trim_suffix(name, "ratio");
  if (is_counter(type, is_monotonic)) trim_suffix(name, "total");
  if (!words.per.empty()) trim_suffix(name, words.per);
  if (!words.main.empty() && !name.ends_with(words.main)) name += "_" + words.main;
  if (!words.per.empty()) name += "_" + words.per;
  if (is_counter(type, is_monotonic)) name += "_total";
  if (is_ratio(unit, type)) name += "_ratio";
  return name;
}

}  // namespace

std::string metric_name(std::string_view name, std::string_view unit, otlp::MetricType type,
                        bool is_monotonic, Translation translation) {
  if (escapes(translation))
    return escaped_name(name, unit, type, is_monotonic, adds_suffixes(translation));
  return adds_suffixes(translation) ? name_with_suffixes(name, unit, type, is_monotonic)
                                    : std::string(name);
}

std::string unit_name(std::string_view unit) {
  const UnitWords words = unit_words(unit);
  const std::string main = cleaned(words.main), per = cleaned(words.per);
  std::string name = !main.empty() && !per.empty() ? main + "_" + per : main + per;
  if (name.starts_with('_')) name.erase(0, 1);
  remove_suffix(name, "_");
  return name;
}

std::string label_name(std::string_view key, Translation translation) {
  if (has_underscores_only(key)) return {};
  if (!escapes(translation)) return std::string(key);
  std::string name;
  for (const char c : key) {
    if (is_alphanumeric(c)) {
      name += c;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
      name += '_';  // One for each character, however many bytes it has.
    }
  }
  if (name.empty()) return {};
  if (is_digit(name.front())) name.insert(0, "key_");
  if (name.starts_with('_') && !name.starts_with("__")) name.insert(0, "key");
  return has_underscores_only(name) ? std::string() : name;
}

}  // namespace spanway::promseries
