#include "services/query/store_health.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fakes/manual_clock.h"

namespace spanway::query {
namespace {

TEST(StoreHealth, ErrorsThatAreNotOfTheStoreSayNothingOfIt) {
  fakes::ManualClock clock;
  StoreHealth health(clock);
  for (const Error& error :
       {transient_error(Code::kCancelled, "gone"), invalid_argument("no id"),
        transient_error(Code::kResourceExhausted, "no memory here").with_reason("no_memory")}) {
    health.query_ended(error);
    EXPECT_EQ(health.snapshot().reachable, std::nullopt) << error.message;
    EXPECT_EQ(health.snapshot().last_query, clock.system_now());
  }
  // Answers of the store, both.
  health.query_ended(data_error(Code::kNotFound, "no such trace"));
  EXPECT_EQ(health.snapshot().reachable, true);
  health.query_ended(data_error(Code::kResourceExhausted, "too many rows"));
  EXPECT_EQ(health.snapshot().reachable, true);
}

TEST(StoreHealth, AFailureHasItsTimeAndStaysAfterASuccess) {
  fakes::ManualClock clock;
  StoreHealth health(clock);
  clock.advance(std::chrono::seconds(7));
  const SystemTime failed = clock.system_now();
  health.probe_ended(configuration_error(Code::kPermissionDenied, "no grant").with_reason("auth"));
  clock.advance(std::chrono::seconds(7));
  health.probe_ended({});
  const StoreHealth::Snapshot state = health.snapshot();
  EXPECT_EQ(state.reachable, true);
  EXPECT_EQ(state.last_error, "no grant");
  EXPECT_EQ(state.last_error_reason, "auth");
  EXPECT_EQ(state.last_error_time, failed);
  EXPECT_EQ(state.last_query, std::nullopt);
}

TEST(StoreHealth, AChangeIsReportedOnce) {
  fakes::ManualClock clock;
  std::vector<std::string> reported;
  StoreHealth health(clock, [&](const StoreHealth::Snapshot& state) {
    reported.push_back(*state.reachable ? "answers" : state.last_error);
  });
  health.probe_ended(transient_error(Code::kUnavailable, "refused"));
  health.query_ended(transient_error(Code::kUnavailable, "still"));
  health.query_ended(invalid_argument("no id"));
  health.query_ended({});
  health.probe_ended({});
  health.probe_ended(configuration_error(Code::kPermissionDenied, "no grant"));
  EXPECT_EQ(reported, (std::vector<std::string>{"refused", "answers", "no grant"}));
}

TEST(StoreHealth, ItIsIdleWhenNothingHasEndedForSoLong) {
  fakes::ManualClock clock;
  StoreHealth health(clock);
  EXPECT_TRUE(health.is_idle_for(std::chrono::seconds(30))) << "never used";
  health.query_ended({});
  EXPECT_FALSE(health.is_idle_for(std::chrono::seconds(30)));
  clock.advance(std::chrono::seconds(30));
  EXPECT_TRUE(health.is_idle_for(std::chrono::seconds(30)));
}

}  // namespace
}  // namespace spanway::query
