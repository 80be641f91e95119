// Tests of significance, on counts. Stateless; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace spanway::query::insight {

// P(X >= k) of a binomial distribution of n trials with probability p.
double binomial_upper_tail(std::uint64_t k, std::uint64_t n, double p) noexcept;
// P(X >= k) and P(X <= k) of a Poisson distribution.
double poisson_upper_tail(std::uint64_t k, double mean) noexcept;
double poisson_lower_tail(std::uint64_t k, double mean) noexcept;

using Durations = std::map<std::int16_t, std::uint64_t>;  // RedRow::durations.

// Kolmogorov-Smirnov, one-sided: the probability of histograms that differ as much, if the spans of
// both were of one distribution and not slower now. Grouping in buckets makes it larger, never
// smaller. 1 when one of them is empty.
double slower_p_value(const Durations& baseline, const Durations& now) noexcept;

// A table of two by two: traces with and without a token, bad and good ones.
struct TokenTable {
  double bad_with = 0;
  double bad_without = 0;
  double good_with = 0;
  double good_without = 0;
};
// 0 when a row or column is empty.
double chi_squared(const TokenTable& table) noexcept;
// P(X >= x) with one degree of freedom.
double chi_squared_p_value(double x) noexcept;
// P(at least as many bad ones with the token), if the bad ones were drawn from all (Fisher's exact
// test, one-sided); right also where chi-squared's approximation is not, for rare tokens.
double exact_p_value(const TokenTable& table) noexcept;
// Natural logarithm of the odds ratio, each count plus one half (Haldane).
double log_odds(const TokenTable& table) noexcept;

// The largest p-value that is significant at this rate of false discoveries, by Benjamini and
// Hochberg; below 0 when none is.
double benjamini_hochberg_limit(std::vector<double> p_values, double rate);

// The median and 1.4826 times the median absolute deviation: the standard deviation, of normal
// values. Zeros without values.
struct Spread {
  double median = 0;
  double deviation = 0;
};
Spread spread_of(std::vector<double> values);

}  // namespace spanway::query::insight
