// The functions of templates: those of text/template, of sprig as far as Loki lists them, and
// Loki's own.
#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/base/base64.h"
#include "services/lib/base/percent_encoding.h"
#include "services/query/labels/regex.h"
#include "services/query/logql/go_text.h"
#include "services/query/logql/go_time.h"
#include "services/query/logql/template_node.h"
#include "services/query/logql/template_texts.h"

namespace spanway::query::logql {
namespace {

using Value = TemplateValue;
using Function = Result<Value> (*)(const TemplateCall& call);

struct Entry {
  std::size_t arguments_min;
  std::size_t arguments_max;
  // A letter for each argument, the last one for all that follow: s string, i int, t time, a
  // anything.
  std::string_view types;
  Function function;
};

constexpr std::size_t kAny = 1000;

const std::string& text(const TemplateCall& call, std::size_t at) {
  return std::get<std::string>(call.arguments[at]);
}
std::int64_t integer(const TemplateCall& call, std::size_t at) {
  return std::get<std::int64_t>(call.arguments[at]);
}

// As sprig's toInt64: 0 for what is no number.
std::int64_t to_integer(const Value& value) {
  if (const auto* own = std::get_if<std::int64_t>(&value)) return *own;
  if (const auto* number = std::get_if<double>(&value)) {
    if (!(std::fabs(*number) < 9.2e18)) return 0;
    return static_cast<std::int64_t>(*number);
  }
  if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? 1 : 0;
  if (const auto* own = std::get_if<std::string>(&value)) {
    const auto parsed = parse_float(*own);
    const bool is_integer =
        own->find_first_not_of("0123456789",
                               own->starts_with('-') || own->starts_with('+') ? 1 : 0) == own->npos;
    return parsed.ok() && is_integer ? to_integer(Value(*parsed)) : 0;
  }
  return 0;
}

double to_double(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* own = std::get_if<std::string>(&value)) {
    const auto parsed = parse_float(*own);
    return parsed.ok() ? *parsed : 0;
  }
  return static_cast<double>(to_integer(value));
}

template <class Operation>
Result<Value> fold_integers(const TemplateCall& call, Operation operation) {
  std::int64_t result = to_integer(call.arguments[0]);
  for (const Value& value : call.arguments.subspan(1))
    result = operation(result, to_integer(value));
  return Value(result);
}
template <class Operation>
Result<Value> fold_doubles(const TemplateCall& call, Operation operation) {
  double result = to_double(call.arguments[0]);
  for (const Value& value : call.arguments.subspan(1)) result = operation(result, to_double(value));
  return Value(result);
}
// Without overflow, as Go's integers wrap.
std::int64_t wrapped(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t bits(std::int64_t value) { return static_cast<std::uint64_t>(value); }

Result<Value> divide(const TemplateCall& call) {
  const std::int64_t divisor = to_integer(call.arguments[1]);
  if (divisor == 0) return template_error("runtime error: integer divide by zero");
  const std::int64_t value = to_integer(call.arguments[0]);
  if (divisor == -1) return Value(wrapped(0 - bits(value)));
  return Value(call.name == "div" ? value / divisor : value % divisor);
}

Result<Value> round_to(const TemplateCall& call) {
  const double value = to_double(call.arguments[0]);
  const double half = call.arguments.size() > 2 ? to_double(call.arguments[2]) : 0.5;
  const double scale = std::pow(10, static_cast<double>(to_integer(call.arguments[1])));
  double integral = 0;
  const double fraction = std::modf(scale * value, &integral);
  return Value((fraction >= half ? std::ceil(scale * value) : std::floor(scale * value)) / scale);
}

int order(const Value& a, const Value& b) {
  if (const auto* left = std::get_if<std::string>(&a))
    return left->compare(std::get<std::string>(b));
  if (const auto* left = std::get_if<std::int64_t>(&a)) {
    const auto right = std::get<std::int64_t>(b);
    return *left < right ? -1 : *left > right ? 1 : 0;
  }
  const double left = std::get<double>(a);
  const double right = std::get<double>(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

Result<Value> compare_values(const TemplateCall& call) {
  const Value& a = call.arguments[0];
  const bool is_equality = call.name == "eq" || call.name == "ne";
  for (const Value& b : call.arguments.subspan(1)) {
    if (a.index() != b.index()) return template_error("incompatible types for comparison");
    if (!is_equality &&
        (std::holds_alternative<bool>(a) || std::holds_alternative<std::monostate>(a) ||
         std::holds_alternative<TemplateTime>(a)))
      return template_error("invalid type for comparison");
    if (call.name == "eq") {
      if (a == b) return Value(true);
      continue;
    }
    if (call.name == "ne") return Value(!(a == b));
    const int sign = order(a, b);
    if (call.name == "lt") return Value(sign < 0);
    if (call.name == "le") return Value(sign <= 0);
    if (call.name == "gt") return Value(sign > 0);
    return Value(sign >= 0);
  }
  return Value(false);
}

Result<Value> replace_by_regex(const TemplateCall& call) {
  SPANWAY_ASSIGN(const Regex regex, Regex::within(text(call, 0)));
  const bool is_literal = call.name == "regexReplaceAllLiteral";
  return Value(replace_all(regex, text(call, 1), text(call, 2), is_literal));
}

Result<Value> count_matches(const TemplateCall& call) {
  SPANWAY_ASSIGN(const Regex regex, Regex::within(text(call, 0)));
  std::int64_t count = 0;
  each_match(regex, text(call, 1), [&](const auto&) { ++count; });
  return Value(count);
}

Result<Value> unix_to_time(const TemplateCall& call) {
  const std::string& digits = text(call, 0);
  const std::int64_t value = to_integer(call.arguments[0]);
  switch (digits.size()) {
    case 5:
      return Value(TemplateTime{value * 86'400'000'000'000});
    case 10:
      return Value(TemplateTime{value * 1'000'000'000});
    case 13:
      return Value(TemplateTime{value * 1'000'000});
    case 16:
      return Value(TemplateTime{value * 1000});
    case 19:
      return Value(TemplateTime{value});
    default:
      return template_error("unable to parse time '" + digits + "'");
  }
}

Result<Value> date(const TemplateCall& call) {
  const Value& when = call.arguments[1];
  const auto* time = std::get_if<TemplateTime>(&when);
  const std::int64_t nanos =
      time != nullptr ? time->unix_nano : wrapped(bits(to_integer(when)) * 1'000'000'000ull);
  return Value(format_go_time(nanos, text(call, 0)));
}

Result<Value> epoch(const TemplateCall& call) {
  const std::int64_t nanos = std::get<TemplateTime>(call.arguments[0]).unix_nano;
  const std::int64_t unit = call.name == "unixEpoch"         ? 1'000'000'000
                            : call.name == "unixEpochMillis" ? 1'000'000
                                                             : 1;
  return Value(std::to_string(nanos / unit));
}

Result<Value> url_decode(const TemplateCall& call) {
  std::string encoded = text(call, 0);
  std::replace(encoded.begin(), encoded.end(), '+', ' ');
  auto decoded = percent_decode(encoded);
  if (!decoded) return template_error("invalid URL escape in " + quoted(text(call, 0)));
  return Value(std::move(*decoded));
}
Result<Value> url_encode(const TemplateCall& call) {
  std::string encoded = percent_encode(text(call, 0));
  for (std::size_t at = 0; (at = encoded.find("%20", at)) != encoded.npos;)
    encoded.replace(at, 3, "+");
  return Value(std::move(encoded));
}

Result<Value> print_all(const TemplateCall& call) {
  std::string out;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const bool separates = i > 0 && (call.name == "println" ||
                                     (!std::holds_alternative<std::string>(call.arguments[i]) &&
                                      !std::holds_alternative<std::string>(call.arguments[i - 1])));
    out += (separates ? " " : "") + print_value(call.arguments[i]);
  }
  return Value(call.name == "println" ? out + "\n" : out);
}

Result<Value> choose(const TemplateCall& call) {
  const bool is_or = call.name == "or";
  for (const Value& value : call.arguments)
    if (is_true(value) == is_or) return value;
  return call.arguments.back();
}

const std::map<std::string_view, Entry>& table() {
  using C = const TemplateCall&;
  static const std::map<std::string_view, Entry> all = {
      {"__line__",
       {0, 0, "", [](C c) -> Result<Value> { return Value(std::string(c.input.line)); }}},
      {"__timestamp__",
       {0, 0, "", [](C c) -> Result<Value> { return Value(TemplateTime{c.input.time}); }}},
      {"and", {1, kAny, "a", choose}},
      {"or", {1, kAny, "a", choose}},
      {"not", {1, 1, "a", [](C c) -> Result<Value> { return Value(!is_true(c.arguments[0])); }}},
      {"eq", {2, kAny, "a", compare_values}},
      {"ne", {2, 2, "a", compare_values}},
      {"lt", {2, 2, "a", compare_values}},
      {"le", {2, 2, "a", compare_values}},
      {"gt", {2, 2, "a", compare_values}},
      {"ge", {2, 2, "a", compare_values}},
      {"len",
       {1, 1, "s",
        [](C c) -> Result<Value> { return Value(static_cast<std::int64_t>(text(c, 0).size())); }}},
      {"print", {0, kAny, "a", print_all}},
      {"println", {0, kAny, "a", print_all}},
      {"printf",
       {1, kAny, "sa",
        [](C c) -> Result<Value> {
          return Value(print_formatted(text(c, 0), c.arguments.subspan(1)));
        }}},
      {"html", {1, 1, "s", [](C c) -> Result<Value> { return Value(html_escaped(text(c, 0))); }}},
      {"urlquery", {1, 1, "s", url_encode}},
      {"urlencode", {1, 1, "s", url_encode}},
      {"urldecode", {1, 1, "s", url_decode}},
      {"ToLower", {1, 1, "s", [](C c) -> Result<Value> { return Value(to_lower(text(c, 0))); }}},
      {"ToUpper", {1, 1, "s", [](C c) -> Result<Value> { return Value(upper(text(c, 0))); }}},
      {"lower", {1, 1, "s", [](C c) -> Result<Value> { return Value(to_lower(text(c, 0))); }}},
      {"upper", {1, 1, "s", [](C c) -> Result<Value> { return Value(upper(text(c, 0))); }}},
      {"title", {1, 1, "s", [](C c) -> Result<Value> { return Value(title(text(c, 0))); }}},
      {"Replace",
       {4, 4, "sssi",
        [](C c) -> Result<Value> {
          return Value(replaced(text(c, 0), text(c, 1), text(c, 2), integer(c, 3)));
        }}},
      {"replace",
       {3, 3, "s",
        [](C c) -> Result<Value> {
          return Value(replaced(text(c, 2), text(c, 0), text(c, 1), -1));
        }}},
      {"Trim",
       {2, 2, "s",
        [](C c) -> Result<Value> { return Value(trimmed(text(c, 0), text(c, 1), true, true)); }}},
      {"TrimLeft",
       {2, 2, "s",
        [](C c) -> Result<Value> { return Value(trimmed(text(c, 0), text(c, 1), true, false)); }}},
      {"TrimRight",
       {2, 2, "s",
        [](C c) -> Result<Value> { return Value(trimmed(text(c, 0), text(c, 1), false, true)); }}},
      {"trimAll",
       {2, 2, "s",
        [](C c) -> Result<Value> { return Value(trimmed(text(c, 1), text(c, 0), true, true)); }}},
      {"TrimSpace",
       {1, 1, "s",
        [](C c) -> Result<Value> { return Value(trimmed(text(c, 0), kSpaces, true, true)); }}},
      {"trim",
       {1, 1, "s",
        [](C c) -> Result<Value> { return Value(trimmed(text(c, 0), kSpaces, true, true)); }}},
      {"TrimPrefix",
       {2, 2, "s",
        [](C c) -> Result<Value> { return Value(without_prefix(text(c, 0), text(c, 1))); }}},
      {"TrimSuffix",
       {2, 2, "s",
        [](C c) -> Result<Value> { return Value(without_suffix(text(c, 0), text(c, 1))); }}},
      {"trimPrefix",
       {2, 2, "s",
        [](C c) -> Result<Value> { return Value(without_prefix(text(c, 1), text(c, 0))); }}},
      {"trimSuffix",
       {2, 2, "s",
        [](C c) -> Result<Value> { return Value(without_suffix(text(c, 1), text(c, 0))); }}},
      {"contains",
       {2, 2, "s",
        [](C c) -> Result<Value> {
          return Value(text(c, 1).find(text(c, 0)) != std::string::npos);
        }}},
      {"hasPrefix",
       {2, 2, "s", [](C c) -> Result<Value> { return Value(text(c, 1).starts_with(text(c, 0))); }}},
      {"hasSuffix",
       {2, 2, "s", [](C c) -> Result<Value> { return Value(text(c, 1).ends_with(text(c, 0))); }}},
      {"trunc",
       {2, 2, "is",
        [](C c) -> Result<Value> { return Value(truncated(integer(c, 0), text(c, 1))); }}},
      {"substr",
       {3, 3, "iis",
        [](C c) -> Result<Value> {
          return Value(substring(integer(c, 0), integer(c, 1), text(c, 2)));
        }}},
      {"alignLeft",
       {2, 2, "is",
        [](C c) -> Result<Value> { return Value(aligned(integer(c, 0), text(c, 1), true)); }}},
      {"alignRight",
       {2, 2, "is",
        [](C c) -> Result<Value> { return Value(aligned(integer(c, 0), text(c, 1), false)); }}},
      {"indent",
       {2, 2, "is", [](C c) -> Result<Value> { return indented(integer(c, 0), text(c, 1)); }}},
      {"nindent",
       {2, 2, "is",
        [](C c) -> Result<Value> {
          SPANWAY_ASSIGN(const Value inner, indented(integer(c, 0), text(c, 1)));
          return Value("\n" + std::get<std::string>(inner));
        }}},
      {"repeat",
       {2, 2, "is", [](C c) -> Result<Value> { return repeated(integer(c, 0), text(c, 1)); }}},
      {"regexReplaceAll", {3, 3, "s", replace_by_regex}},
      {"regexReplaceAllLiteral", {3, 3, "s", replace_by_regex}},
      {"count", {2, 2, "s", count_matches}},
      {"b64enc",
       {1, 1, "s", [](C c) -> Result<Value> { return Value(encode_base64(text(c, 0))); }}},
      {"b64dec",
       {1, 1, "s",
        [](C c) -> Result<Value> {
          auto decoded = decode_base64(text(c, 0));
          if (!decoded) return template_error("illegal base64 data");
          return Value(std::move(*decoded));
        }}},
      {"bytes",
       {1, 1, "s",
        [](C c) -> Result<Value> {
          SPANWAY_ASSIGN(const std::uint64_t size, parse_size(text(c, 0)));
          return Value(static_cast<double>(size));
        }}},
      {"duration", {1, 1, "s", seconds_of_duration}},
      {"duration_seconds", {1, 1, "s", seconds_of_duration}},
      {"unixEpoch", {1, 1, "t", epoch}},
      {"unixEpochMillis", {1, 1, "t", epoch}},
      {"unixEpochNanos", {1, 1, "t", epoch}},
      {"unixToTime", {1, 1, "s", unix_to_time}},
      {"date", {2, 2, "sa", date}},
      {"default",
       {1, 2, "a",
        [](C c) -> Result<Value> {
          return c.arguments.size() > 1 && is_true(c.arguments[1]) ? c.arguments[1]
                                                                   : c.arguments[0];
        }}},
      {"int", {1, 1, "a", [](C c) -> Result<Value> { return Value(to_integer(c.arguments[0])); }}},
      {"float64",
       {1, 1, "a", [](C c) -> Result<Value> { return Value(to_double(c.arguments[0])); }}},
      {"add",
       {1, kAny, "a",
        [](C c) {
          return fold_integers(c, [](auto a, auto b) { return wrapped(bits(a) + bits(b)); });
        }}},
      {"sub",
       {2, 2, "a",
        [](C c) {
          return fold_integers(c, [](auto a, auto b) { return wrapped(bits(a) - bits(b)); });
        }}},
      {"mul",
       {1, kAny, "a",
        [](C c) {
          return fold_integers(c, [](auto a, auto b) { return wrapped(bits(a) * bits(b)); });
        }}},
      {"div", {2, 2, "a", divide}},
      {"mod", {2, 2, "a", divide}},
      {"max",
       {1, kAny, "a",
        [](C c) { return fold_integers(c, [](auto a, auto b) { return std::max(a, b); }); }}},
      {"min",
       {1, kAny, "a",
        [](C c) { return fold_integers(c, [](auto a, auto b) { return std::min(a, b); }); }}},
      {"addf",
       {1, kAny, "a",
        [](C c) { return fold_doubles(c, [](double a, double b) { return a + b; }); }}},
      {"subf",
       {1, kAny, "a",
        [](C c) { return fold_doubles(c, [](double a, double b) { return a - b; }); }}},
      {"mulf",
       {1, kAny, "a",
        [](C c) { return fold_doubles(c, [](double a, double b) { return a * b; }); }}},
      {"divf",
       {1, kAny, "a",
        [](C c) { return fold_doubles(c, [](double a, double b) { return a / b; }); }}},
      {"maxf",
       {1, kAny, "a",
        [](C c) { return fold_doubles(c, [](double a, double b) { return std::fmax(a, b); }); }}},
      {"minf",
       {1, kAny, "a",
        [](C c) { return fold_doubles(c, [](double a, double b) { return std::fmin(a, b); }); }}},
      {"ceil",
       {1, 1, "a",
        [](C c) -> Result<Value> { return Value(std::ceil(to_double(c.arguments[0]))); }}},
      {"floor",
       {1, 1, "a",
        [](C c) -> Result<Value> { return Value(std::floor(to_double(c.arguments[0]))); }}},
      {"round", {2, 3, "a", round_to}},
  };
  return all;
}

bool has_type(const Value& value, char type) {
  switch (type) {
    case 's':
      return std::holds_alternative<std::string>(value);
    case 'i':
      return std::holds_alternative<std::int64_t>(value);
    case 't':
      return std::holds_alternative<TemplateTime>(value);
    default:
      return true;
  }
}

}  // namespace

bool is_template_function(std::string_view name) { return table().contains(name); }

Result<TemplateValue> call_template_function(const TemplateCall& call) {
  const Entry& entry = table().find(call.name)->second;
  const std::string name(call.name);
  const std::size_t count = call.arguments.size();
  if (count < entry.arguments_min || count > entry.arguments_max)
    return template_error("wrong number of args for " + name + ": got " + std::to_string(count));
  for (std::size_t i = 0; i < count; ++i)
    if (!has_type(call.arguments[i], entry.types[std::min(i, entry.types.size() - 1)]))
      return template_error("wrong type for argument " + std::to_string(i + 1) + " of " + name);
  auto result = entry.function(call);
  if (!result.ok()) return template_error("error calling " + name + ": " + result.error().message);
  return result;
}

}  // namespace spanway::query::logql
