// Functions of instant vectors and scalars.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "services/query/promql/evaluator.h"
#include "services/query/promql/functions.h"

namespace spanway::query::promql {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kPi = 3.14159265358979323846;

using Unary = double (*)(double);

// As Go's: not a number when an operand is none.
double least(double a, double b) { return std::isnan(a) || std::isnan(b) ? kNaN : std::min(a, b); }
double greatest(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? kNaN : std::max(a, b);
}

Unary find_math(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, Unary>, 23> kFunctions{{
      {"abs", [](double v) { return std::fabs(v); }},
      {"ceil", [](double v) { return std::ceil(v); }},
      {"floor", [](double v) { return std::floor(v); }},
      {"exp", [](double v) { return std::exp(v); }},
      {"sqrt", [](double v) { return std::sqrt(v); }},
      {"ln", [](double v) { return std::log(v); }},
      {"log2", [](double v) { return std::log2(v); }},
      {"log10", [](double v) { return std::log10(v); }},
      {"sin", [](double v) { return std::sin(v); }},
      {"cos", [](double v) { return std::cos(v); }},
      {"tan", [](double v) { return std::tan(v); }},
      {"asin", [](double v) { return std::asin(v); }},
      {"acos", [](double v) { return std::acos(v); }},
      {"atan", [](double v) { return std::atan(v); }},
      {"sinh", [](double v) { return std::sinh(v); }},
      {"cosh", [](double v) { return std::cosh(v); }},
      {"tanh", [](double v) { return std::tanh(v); }},
      {"asinh", [](double v) { return std::asinh(v); }},
      {"acosh", [](double v) { return std::acosh(v); }},
      {"atanh", [](double v) { return std::atanh(v); }},
      {"rad", [](double v) { return v * kPi / 180; }},
      {"deg", [](double v) { return v * 180 / kPi; }},
      {"sgn", [](double v) { return v < 0   ? -1.0
                                    : v > 0 ? 1.0
                                            : v; }},
  }};
  const auto found = std::find_if(kFunctions.begin(), kFunctions.end(),
                                  [&](const auto& one) { return one.first == name; });
  return found == kFunctions.end() ? nullptr : found->second;
}

// A part of the date at these Unix seconds, UTC.
double date_part(std::string_view name, double seconds) {
  using namespace std::chrono;
  const sys_seconds time{std::chrono::seconds{static_cast<std::int64_t>(seconds)}};
  const auto day_start = floor<days>(time);
  const year_month_day date{day_start};
  const hh_mm_ss clock{time - day_start};
  if (name == "minute") return static_cast<double>(clock.minutes().count());
  if (name == "hour") return static_cast<double>(clock.hours().count());
  if (name == "day_of_week") return weekday{day_start}.c_encoding();
  if (name == "day_of_month") return static_cast<unsigned>(date.day());
  if (name == "day_of_year")
    return static_cast<double>((day_start - sys_days{date.year() / January / 1}).count() + 1);
  if (name == "days_in_month")
    return static_cast<unsigned>((date.year() / date.month() / last).day());
  if (name == "month") return static_cast<unsigned>(date.month());
  return static_cast<int>(date.year());
}

bool is_date_function(std::string_view name) {
  static constexpr std::array<std::string_view, 8> kNames{
      "minute",      "hour",          "day_of_week", "day_of_month",
      "day_of_year", "days_in_month", "month",       "year"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// The numbers, each changed; their names go.
template <typename Change>
Vector change_numbers(const Vector& input, Change change) {
  Vector result;
  for (const Element& element : input)
    if (!element.h) result.push_back({element.labels, change(element.f), nullptr, true});
  return result;
}

Vector clamped(const Vector& input, double low, double high) {
  if (high < low) return {};
  return change_numbers(input, [&](double v) { return greatest(low, least(high, v)); });
}

Vector sorted(Vector input, bool is_descending) {
  std::erase_if(input, [](const Element& element) { return element.h != nullptr; });
  std::stable_sort(input.begin(), input.end(), [&](const Element& a, const Element& b) {
    if (std::isnan(a.f) || std::isnan(b.f)) return !std::isnan(a.f) && std::isnan(b.f);
    return is_descending ? a.f > b.f : a.f < b.f;
  });
  return input;
}

// Digits compare as numbers: "a2" is before "a10".
int compare_naturally(std::string_view a, std::string_view b) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j] ? -1 : 1;
      ++i;
      ++j;
      continue;
    }
    const auto number = [&](std::string_view text, std::size_t& at) {
      while (at + 1 < text.size() && text[at] == '0' && is_digit(text[at + 1])) ++at;
      const std::size_t first = at;
      while (at < text.size() && is_digit(text[at])) ++at;
      return text.substr(first, at - first);
    };
    const std::string_view x = number(a, i);
    const std::string_view y = number(b, j);
    if (x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
    if (x != y) return x < y ? -1 : 1;
  }
  if (a.size() - i == b.size() - j) return 0;
  return a.size() - i < b.size() - j ? -1 : 1;
}

Vector sorted_by_label(const Expr& expr, Vector input, bool is_descending) {
  std::stable_sort(input.begin(), input.end(), [&](const Element& a, const Element& b) {
    for (std::size_t i = 1; i < expr.args.size(); ++i) {
      const std::string& label = unwrapped(*expr.args[i]).text;
      const int order = compare_naturally(value_of(a.labels, label), value_of(b.labels, label));
      if (order != 0) return is_descending ? order > 0 : order < 0;
    }
    return is_descending ? b.labels < a.labels : a.labels < b.labels;
  });
  return input;
}

double single_number(const Vector& input) {
  double result = kNaN;
  std::size_t found = 0;
  for (const Element& element : input)
    if (!element.h && ++found == 1) result = element.f;
  return found == 1 ? result : kNaN;
}

Vector scalar(double value) { return {{{}, value, nullptr, false}}; }

}  // namespace

Result<Matrix> Evaluator::vector_call(const Expr& expr, const Steps& steps) {
  std::vector<Matrix> inputs;
  for (const ExprPtr& arg : expr.args) {
    Matrix one;
    if (type_of(*arg) != ValueType::kString) {
      SPANWAY_ASSIGN(one, evaluate(*arg, steps));
    }
    inputs.push_back(std::move(one));
  }
  return each_step(std::move(inputs), steps,
                   [&](const Inputs& v, std::int64_t t) { return apply(expr, v, t); });
}

Result<Vector> Evaluator::apply(const Expr& expr, const Inputs& inputs, std::int64_t t) {
  const std::string_view name = expr.signature->name;
  const double now = static_cast<double>(t) / 1000;
  const auto number = [&](std::size_t i) { return inputs[i].empty() ? kNaN : inputs[i][0].f; };
  if (const Unary function = find_math(name); function != nullptr)
    return change_numbers(inputs[0], function);
  if (is_date_function(name)) {
    if (inputs.empty()) return scalar(date_part(name, std::floor(now)));
    return change_numbers(inputs[0], [&](double v) { return date_part(name, v); });
  }
  if (name == "time") return scalar(now);
  if (name == "pi") return scalar(kPi);
  if (name == "vector") return scalar(number(0));
  if (name == "scalar") return scalar(single_number(inputs[0]));
  if (name == "min_of") return scalar(least(number(0), number(1)));
  if (name == "max_of") return scalar(greatest(number(0), number(1)));
  if (name == "clamp") return clamped(inputs[0], number(1), number(2));
  if (name == "clamp_min") return clamped(inputs[0], number(1), kInfinity);
  if (name == "clamp_max") return clamped(inputs[0], -kInfinity, number(1));
  if (name == "sort") return sorted(inputs[0], false);
  if (name == "sort_desc") return sorted(inputs[0], true);
  if (name == "sort_by_label") return sorted_by_label(expr, inputs[0], false);
  if (name == "sort_by_label_desc") return sorted_by_label(expr, inputs[0], true);
  if (name == "round") {
    const double inverse = 1.0 / (inputs.size() > 1 ? number(1) : 1);
    return change_numbers(inputs[0],
                          [&](double v) { return std::floor(v * inverse + 0.5) / inverse; });
  }
  if (name == "timestamp") {
    Vector result;
    for (const Element& element : inputs[0]) result.push_back({element.labels, now, nullptr, true});
    return result;
  }
  if (name.starts_with("histogram_")) return histogram_call(expr, inputs);
  return evaluation_error("function " + quoted(name) + " is not supported");
}

}  // namespace spanway::query::promql
