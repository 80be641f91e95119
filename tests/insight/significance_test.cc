// Tails against sums of their terms, and the others against values worked out by hand.
#include "services/query/insight/significance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "services/query/insight/conspicuous_windows.h"

namespace spanway::query::insight {
namespace {

double binomial_sum(int k, int n, double p) {
  double sum = 0;
  for (int i = k; i <= n; ++i)
    sum += std::exp(std::lgamma(n + 1.0) - std::lgamma(i + 1.0) - std::lgamma(n - i + 1.0) +
                    i * std::log(p) + (n - i) * std::log1p(-p));
  return sum;
}

double poisson_sum(int from, int to, double mean) {
  double sum = 0;
  for (int i = from; i <= to; ++i)
    sum += std::exp(i * std::log(mean) - mean - std::lgamma(i + 1.0));
  return sum;
}

TEST(Significance, BinomialTail) {
  for (const int n : {1, 10, 300, 5000})
    for (const double p : {1e-4, 0.01, 0.3, 0.9})
      for (const int k : {1, n / 3 + 1, n}) {
        const double expected = binomial_sum(k, n, p);
        const double tail =
            binomial_upper_tail(static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(n), p);
        EXPECT_NEAR(tail, expected, 1e-8 * expected + 1e-12) << k << " of " << n << " at " << p;
      }
  EXPECT_EQ(binomial_upper_tail(0, 10, 0.1), 1);
  EXPECT_EQ(binomial_upper_tail(11, 10, 0.1), 0);
  EXPECT_EQ(binomial_upper_tail(1, 10, 0), 0);
  EXPECT_EQ(binomial_upper_tail(1, 10, 1), 1);
}

TEST(Significance, PoissonTails) {
  for (const double mean : {0.1, 3.0, 40.0, 900.0})
    for (const int k : {1, 5, 40, 1000}) {
      const double lower = poisson_sum(0, k, mean), upper = poisson_sum(k, k + 2000, mean);
      EXPECT_NEAR(poisson_lower_tail(static_cast<std::uint64_t>(k), mean), lower,
                  1e-8 * lower + 1e-11);
      EXPECT_NEAR(poisson_upper_tail(static_cast<std::uint64_t>(k), mean), upper,
                  1e-8 * upper + 1e-11);
    }
  EXPECT_EQ(poisson_upper_tail(0, 5), 1);
  EXPECT_EQ(poisson_upper_tail(3, 0), 0);
  EXPECT_EQ(poisson_lower_tail(0, 0), 1);
  // Large means, where a series needs many terms.
  EXPECT_NEAR(poisson_lower_tail(1'000'000, 1'000'000), 0.5, 0.001);
  EXPECT_NEAR(poisson_upper_tail(1'000'000, 1'000'000), 0.5, 0.001);
}

TEST(Significance, SlowerIsOneSided) {
  const Durations fast = {{80, 500}, {84, 500}}, slow = {{84, 500}, {90, 500}};
  // D = 0.5, size = 500: exp(-250).
  EXPECT_NEAR(slower_p_value(fast, slow) / std::exp(-250.0), 1, 1e-9);
  EXPECT_EQ(slower_p_value(slow, fast), 1);
  EXPECT_EQ(slower_p_value(fast, fast), 1);
  EXPECT_EQ(slower_p_value({}, slow), 1);
  EXPECT_EQ(slower_p_value(fast, {}), 1);
}

TEST(Significance, TokenTables) {
  const TokenTable table{20, 10, 30, 140};
  EXPECT_NEAR(chi_squared(table), 200.0 * 2500 * 2500 / (30.0 * 170 * 50 * 150), 1e-9);
  EXPECT_NEAR(log_odds(table), std::log(20.5 * 140.5 / (10.5 * 30.5)), 1e-12);
  EXPECT_EQ(chi_squared({0, 0, 5, 5}), 0);
  EXPECT_NEAR(chi_squared_p_value(3.841458821), 0.05, 1e-9);
  EXPECT_NEAR(chi_squared_p_value(10.827566170), 0.001, 1e-11);
}

TEST(Significance, FalseDiscoveriesAreLimited) {
  // For 5 tests at 5 %: 0.01, 0.02, 0.03, 0.04, 0.05. The third exceeds its own limit, the fourth
  // does not.
  EXPECT_EQ(benjamini_hochberg_limit({0.9, 0.005, 0.035, 0.018, 0.039}, 0.05), 0.039);
  EXPECT_EQ(benjamini_hochberg_limit({0.011, 0.5}, 0.01), -1);
  EXPECT_EQ(benjamini_hochberg_limit({}, 0.01), -1);
}

TEST(Significance, Spread) {
  EXPECT_EQ(spread_of({}).median, 0);
  EXPECT_EQ(spread_of({5, 1, 3}).median, 3);
  EXPECT_NEAR(spread_of({5, 1, 3}).deviation, 1.4826 * 2, 1e-12);
  EXPECT_EQ(spread_of({4, 1, 3, 2}).median, 2.5);
  EXPECT_NEAR(spread_of({4, 1, 3, 2}).deviation, 1.4826, 1e-12);
}

WindowTest conspicuous() { return {.is_tested = true, .p_value = 1e-9, .is_large = true}; }
WindowTest usual() { return {.is_tested = true, .p_value = 0.5, .is_large = true}; }
WindowTest small() { return {.is_tested = true, .p_value = 1e-9, .is_large = false}; }

TEST(ConspicuousWindows, TwoOfThreeWithTheNewest) {
  const std::vector<std::vector<WindowTest>> rows = {
      {usual(), usual(), conspicuous()},           // One.
      {usual(), conspicuous(), conspicuous()},     // Reported.
      {conspicuous(), conspicuous(), usual()},     // Over.
      {conspicuous(), usual(), conspicuous()},     // Reported.
      {conspicuous(), small(), small()},           // Too small to matter.
      {conspicuous(), WindowTest{}, WindowTest{}}  // Without calls.
  };
  EXPECT_EQ(conspicuous_rows(rows, {}), (std::vector<std::size_t>{1, 3}));
}

// At 1 %, a p-value of 2e-5 is significant among 100 tests, and not among 1,000.
TEST(ConspicuousWindows, ManyTestsAreOneFamily) {
  const WindowTest likely{.is_tested = true, .p_value = 2e-5, .is_large = true};
  for (const std::size_t tests : {100u, 1000u}) {
    std::vector<std::vector<WindowTest>> rows(tests, {usual(), usual(), usual()});
    rows[7] = {usual(), likely, likely};
    EXPECT_EQ(conspicuous_rows(rows, {}).size(), tests == 100 ? 1u : 0u);
  }
}

}  // namespace
}  // namespace spanway::query::insight
