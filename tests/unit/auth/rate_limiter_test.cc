#include "services/lib/auth/rate_limiter.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/manual_clock.h"

namespace spanway::auth {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

RateLimitConfig items(std::int64_t per_second, std::int64_t burst = 0) {
  RateLimitConfig config;
  config.items_per_second = per_second;
  config.items_burst = burst;
  return config;
}

TEST(RateLimiter, PassesEverythingWhenNothingIsLimited) {
  fakes::ManualClock clock;
  RateLimiter limiter({}, clock);
  EXPECT_FALSE(limiter.enabled());
  EXPECT_EQ(limiter.take("acme", 1'000'000'000, 1'000'000'000), std::nullopt);
  EXPECT_EQ(limiter.tenant_count(), 0u);
}

TEST(RateLimiter, TakesABurstThenTheRateAndSaysHowLongToWait) {
  fakes::ManualClock clock;
  RateLimiter limiter(items(100, 300), clock);
  EXPECT_EQ(limiter.take("acme", 300, 0), std::nullopt);
  EXPECT_EQ(limiter.take("acme", 50, 0), Duration(milliseconds(500)));
  clock.advance(milliseconds(499));
  EXPECT_NE(limiter.take("acme", 50, 0), std::nullopt);
  clock.advance(milliseconds(1));
  EXPECT_EQ(limiter.take("acme", 50, 0), std::nullopt);
  EXPECT_NE(limiter.take("acme", 1, 0), std::nullopt);
}

TEST(RateLimiter, HoldsTheRateOverTimeForRequestsLargerThanABurst) {
  fakes::ManualClock clock;
  RateLimiter limiter(items(100), clock);
  std::uint64_t passed = 0;
  for (int i = 0; i < 100; ++i) {
    while (const auto wait = limiter.take("acme", 250, 0)) clock.advance(*wait);
    passed += 250;
  }
  const double took = std::chrono::duration<double>(clock.now() - SteadyTime(seconds(1))).count();
  // A full burst at the start, and the debt of the last request, are all that is above the rate.
  EXPECT_LE(static_cast<double>(passed), 100 * took + 100 + 250);
  EXPECT_GE(static_cast<double>(passed), 100 * took);
}

TEST(RateLimiter, TakesNothingWhenOneOfTheTwoIsMissing) {
  fakes::ManualClock clock;
  RateLimitConfig config = items(100);
  config.bytes_per_second = {1000};
  RateLimiter limiter(config, clock);
  EXPECT_EQ(limiter.take("acme", 10, 1000), std::nullopt);
  EXPECT_EQ(limiter.take("acme", 90, 500), Duration(milliseconds(500)));
  EXPECT_EQ(limiter.take("acme", 90, 0), std::nullopt);
}

TEST(RateLimiter, KeepsTenantsApartAndHonoursOverrides) {
  fakes::ManualClock clock;
  RateLimitConfig config = items(10);
  config.overrides.push_back({.tenant = "big", .items_per_second = 1000});
  config.overrides.push_back({.tenant = "free"});
  RateLimiter limiter(config, clock);
  EXPECT_EQ(limiter.take("small", 10, 0), std::nullopt);
  EXPECT_NE(limiter.take("small", 1, 0), std::nullopt);
  EXPECT_EQ(limiter.take("other", 10, 0), std::nullopt);
  EXPECT_EQ(limiter.take("big", 1000, 0), std::nullopt);
  EXPECT_NE(limiter.take("big", 1, 0), std::nullopt);
  EXPECT_EQ(limiter.take("free", 1'000'000, 0), std::nullopt);
}

TEST(RateLimiter, RemembersABoundedNumberOfTenantsWithoutGivingAnythingAway) {
  fakes::ManualClock clock;
  RateLimitConfig config = items(10);
  config.tenants_max = 2;
  RateLimiter limiter(config, clock);
  EXPECT_EQ(limiter.take("a", 10, 0), std::nullopt);
  EXPECT_EQ(limiter.take("b", 10, 0), std::nullopt);
  // Made-up names share one allowance.
  EXPECT_EQ(limiter.take("c", 10, 0), std::nullopt);
  EXPECT_NE(limiter.take("d", 1, 0), std::nullopt);
  EXPECT_NE(limiter.take("a", 1, 0), std::nullopt);
  EXPECT_EQ(limiter.tenant_count(), 2u);
  // "b" is full again after a second: it can be forgotten, and "a" too.
  clock.advance(seconds(1));
  EXPECT_EQ(limiter.take("e", 10, 0), std::nullopt);
  EXPECT_NE(limiter.take("e", 1, 0), std::nullopt);
  EXPECT_EQ(limiter.tenant_count(), 2u);
}

TEST(RateLimiter, SpreadsManyTenantsOverShardsWithinTheBound) {
  fakes::ManualClock clock;
  RateLimitConfig config = items(10);
  config.tenants_max = 1600;
  RateLimiter limiter(config, clock);
  for (int i = 0; i < 10'000; ++i) limiter.take("tenant-" + std::to_string(i), 10, 0);
  EXPECT_LE(limiter.tenant_count(), 1600u);
  EXPECT_GE(limiter.tenant_count(), 1500u);
}

}  // namespace
}  // namespace spanway::auth
