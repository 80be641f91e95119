#include "services/query/insight/significance.h"

#include <math.h>  // lgamma_r

#include <algorithm>
#include <cmath>

namespace spanway::query::insight {
namespace {

constexpr double kPrecision = 1e-14;
constexpr int kTermsMax = 100'000;  // Enough for 1e9 calls: terms grow with the square root.
constexpr double kTiny = 1e-300;

// Not std::lgamma, which writes a variable of the process.
double log_gamma(double x) noexcept {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

// Continued fractions by Lentz's method: one step with the terms a and b.
struct Fraction {
  double c, d, value;
  // False when it has converged.
  bool step(double a, double b) noexcept {
    d = b + a * d;
    if (std::abs(d) < kTiny) d = kTiny;
    c = b + a / c;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    const double factor = c * d;
    value *= factor;
    return std::abs(factor - 1) > kPrecision;
  }
};

// The lower incomplete gamma function, regularized, by its series; for x < a + 1.
double gamma_series(double a, double x) noexcept {
  double term = 1 / a, sum = term;
  for (int n = 1; n < kTermsMax && term > sum * kPrecision; ++n) {
    term *= x / (a + n);
    sum += term;
  }
  return sum * std::exp(a * std::log(x) - x - log_gamma(a));
}

// The upper one, by its continued fraction; for x >= a + 1.
double gamma_fraction(double a, double x) noexcept {
  double b = x + 1 - a;
  Fraction fraction{1 / kTiny, 1 / b, 1 / b};
  for (int n = 1; n < kTermsMax; ++n) {
    b += 2;
    if (!fraction.step(-n * (n - a), b)) break;
  }
  return fraction.value * std::exp(a * std::log(x) - x - log_gamma(a));
}

// The regularized incomplete beta function by its continued fraction; for x < (a + 1) / (a + b +
// 2).
double beta_fraction(double a, double b, double x) noexcept {
  double d = 1 - (a + b) * x / (a + 1);
  if (std::abs(d) < kTiny) d = kTiny;
  Fraction fraction{1, 1 / d, 1 / d};
  for (int n = 1; n < kTermsMax; ++n) {
    const double m = n;
    fraction.step(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), 1);
    if (!fraction.step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), 1)) break;
  }
  const double log_factor =
      log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * std::log(x) + b * std::log1p(-x);
  return std::exp(log_factor) * fraction.value / a;
}

double total(const Durations& durations) noexcept {
  double sum = 0;
  for (const auto& [bucket, count] : durations) sum += static_cast<double>(count);
  return sum;
}

}  // namespace

double binomial_upper_tail(std::uint64_t k, std::uint64_t n, double p) noexcept {
  if (k == 0) return 1;
  if (k > n || p <= 0) return 0;
  if (p >= 1) return 1;
  const auto a = static_cast<double>(k), b = static_cast<double>(n - k + 1);
  if (p < (a + 1) / (a + b + 2)) return std::min(1.0, beta_fraction(a, b, p));
  return std::max(0.0, 1 - beta_fraction(b, a, 1 - p));
}

double poisson_upper_tail(std::uint64_t k, double mean) noexcept {
  if (k == 0) return 1;
  if (mean <= 0) return 0;
  const auto a = static_cast<double>(k);
  if (mean < a + 1) return std::min(1.0, gamma_series(a, mean));
  return std::max(0.0, 1 - gamma_fraction(a, mean));
}

double poisson_lower_tail(std::uint64_t k, double mean) noexcept {
  if (mean <= 0) return 1;
  const double a = static_cast<double>(k) + 1;
  if (mean < a + 1) return std::max(0.0, 1 - gamma_series(a, mean));
  return std::min(1.0, gamma_fraction(a, mean));
}

double slower_p_value(const Durations& baseline, const Durations& now) noexcept {
  const double spans_before = total(baseline), spans_now = total(now);
  if (spans_before == 0 || spans_now == 0) return 1;
  double before = 0, after = 0, largest = 0;
  auto left = baseline.begin();
  auto right = now.begin();
  while (left != baseline.end()) {
    while (right != now.end() && right->first <= left->first)
      after += static_cast<double>((right++)->second);
    before += static_cast<double>((left++)->second);
    largest = std::max(largest, before / spans_before - after / spans_now);
  }
  const double size = spans_before * spans_now / (spans_before + spans_now);
  return std::exp(-2 * size * largest * largest);
}

double chi_squared(const TokenTable& t) noexcept {
  const double bad = t.bad_with + t.bad_without, good = t.good_with + t.good_without;
  const double with = t.bad_with + t.good_with, without = t.bad_without + t.good_without;
  const double product = bad * good * with * without;
  if (product == 0) return 0;
  const double difference = t.bad_with * t.good_without - t.bad_without * t.good_with;
  return (bad + good) * difference * difference / product;
}

double chi_squared_p_value(double x) noexcept { return std::erfc(std::sqrt(x / 2)); }

double exact_p_value(const TokenTable& t) noexcept {
  const double bad = t.bad_with + t.bad_without, good = t.good_with + t.good_without;
  const double with = t.bad_with + t.good_with, all = bad + good;
  const auto log_choose = [](double n, double k) {
    return log_gamma(n + 1) - log_gamma(k + 1) - log_gamma(n - k + 1);
  };
  double term = std::exp(log_choose(with, t.bad_with) + log_choose(all - with, t.bad_without) -
                         log_choose(all, bad));
  double sum = term;
  for (double k = t.bad_with; k < std::min(with, bad) && term > sum * kPrecision; ++k) {
    term *= (with - k) * (bad - k) / ((k + 1) * (all - with - bad + k + 1));
    sum += term;
  }
  return std::min(1.0, sum);
}

double log_odds(const TokenTable& t) noexcept {
  return std::log((t.bad_with + 0.5) * (t.good_without + 0.5) /
                  ((t.bad_without + 0.5) * (t.good_with + 0.5)));
}

double benjamini_hochberg_limit(std::vector<double> p_values, double rate) {
  std::sort(p_values.begin(), p_values.end());
  const auto tests = static_cast<double>(p_values.size());
  for (std::size_t rank = p_values.size(); rank > 0; --rank)
    if (p_values[rank - 1] <= rate * static_cast<double>(rank) / tests) return p_values[rank - 1];
  return -1;
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  const auto median_of = [&values] {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2 == 1) return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
  };
  Spread spread;
  spread.median = median_of();
  for (double& value : values) value = std::abs(value - spread.median);
  spread.deviation = 1.4826 * median_of();
  return spread;
}

}  // namespace spanway::query::insight
