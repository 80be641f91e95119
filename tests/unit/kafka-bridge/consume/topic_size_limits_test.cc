#include "services/kafka-bridge/consume/topic_size_limits.h"

#include <gtest/gtest.h>

#include "tests/fakes/manual_clock.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

struct Fixture {
  fakes::ManualClock clock;
  Result<std::size_t> setting = std::size_t{5000};
  int reads = 0;
  TopicSizeLimits limits{1000,
                         [this](const std::string&) {
                           ++reads;
                           return setting;
                         },
                         clock};
};

TEST(TopicSizeLimits, AsksOnlyForWhatMayNotFit) {
  Fixture fixture;
  EXPECT_EQ(fixture.limits.of("t", 900), 1000u);
  EXPECT_EQ(fixture.reads, 0);
  EXPECT_EQ(fixture.limits.of("t", 2000), 5000u);
  EXPECT_EQ(fixture.limits.of("t", 4000), 5000u);
  EXPECT_EQ(fixture.reads, 1);
}

TEST(TopicSizeLimits, AsksSeldom) {
  Fixture fixture;
  fixture.setting = Error{Code::kPermissionDenied, Refusal::kConfiguration, "no"};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(fixture.limits.of("t", 2000), 1000u);
  EXPECT_EQ(fixture.reads, 1);
  fixture.clock.advance(seconds(29));  // Before a letter that did not fit is tried again.
  fixture.setting = std::size_t{3000};
  EXPECT_EQ(fixture.limits.of("t", 2000), 3000u) << "a right or a setting may have been given";
}

TEST(TopicSizeLimits, WhatTheBrokerRefusesIsTooLargeWhateverTheSettingsSay) {
  Fixture fixture;
  fixture.limits.refused("t", 800);
  EXPECT_EQ(fixture.limits.of("t", 300), 400u);
  fixture.setting = std::size_t{600};
  fixture.clock.advance(minutes(1));
  fixture.limits.refused("t", 700);
  EXPECT_EQ(fixture.limits.of("t", 300), 600u);
  EXPECT_EQ(fixture.limits.of("other", 300), 1000u);
}

}  // namespace
}  // namespace spanway::kafka_bridge
