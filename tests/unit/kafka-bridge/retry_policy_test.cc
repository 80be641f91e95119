#include "services/kafka-bridge/retry_policy.h"

#include <gtest/gtest.h>

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Refused refused(Refusal kind) {
  Refused r;
  r.kind = kind;
  return r;
}

TEST(RetryPolicy, TransientIsRetriedForEver) {
  Refused r = refused(Refusal::kTransient);
  r.single_item = true;
  r.unknown_tries = 1000;
  r.neighbours_pass = true;
  EXPECT_EQ(next_step({}, r), Step::kRetry);
}

TEST(RetryPolicy, DataIsHalvedDownToTheCulprit) {
  Refused r = refused(Refusal::kData);
  EXPECT_EQ(next_step({}, r), Step::kHalve);
  r.single_item = true;
  EXPECT_EQ(next_step({}, r), Step::kDeadLetter);
}

TEST(RetryPolicy, ConfigurationNeverBecomesADeadLetter) {
  Refused r = refused(Refusal::kConfiguration);
  r.single_item = true;
  r.unknown_tries = 1000;
  r.neighbours_pass = true;
  EXPECT_EQ(next_step({}, r), Step::kStall);
}

TEST(RetryPolicy, UnknownIsTriedSeveralTimesFirst) {
  const RetryConfig config;
  Refused r = refused(Refusal::kUnknown);
  r.neighbours_pass = true;
  r.single_item = true;
  r.unknown_tries = config.unknown_tries - 1;
  EXPECT_EQ(next_step(config, r), Step::kRetry);
  r.unknown_tries = config.unknown_tries;
  EXPECT_EQ(next_step(config, r), Step::kDeadLetter);
  r.single_item = false;
  EXPECT_EQ(next_step(config, r), Step::kHalve);
}

TEST(RetryPolicy, UnknownIsNeverADeadLetterWhileNothingElsePasses) {
  const RetryConfig config;
  for (const bool others_tried : {false, true}) {
    for (const bool blindly : {false, true}) {
      Refused r = refused(Refusal::kUnknown);
      r.single_item = true;
      r.unknown_tries = 1'000'000;
      r.others_tried = others_tried;
      r.may_cut_blindly = blindly;
      EXPECT_EQ(next_step(config, r), Step::kRotate);
    }
  }
}

TEST(RetryPolicy, WithoutEvidenceTheOthersAreTriedBeforeCuttingFurther) {
  const RetryConfig config;
  Refused r = refused(Refusal::kUnknown);
  r.unknown_tries = config.unknown_tries;
  EXPECT_EQ(next_step(config, r), Step::kRotate);
  r.others_tried = true;
  EXPECT_EQ(next_step(config, r), Step::kHalve);
  r.may_cut_blindly = false;
  EXPECT_EQ(next_step(config, r), Step::kRotate);
}

TEST(RetryPolicy, WaitsAsLongAsTheDestinationAsksUpToALimit) {
  RetryConfig config;
  config.retry_after_max = seconds(20);
  Backoff backoff({milliseconds(100), seconds(30), 2.0, 0.5}, Random(1));
  EXPECT_EQ(retry_wait(config, backoff, milliseconds(7000)), seconds(7));
  EXPECT_EQ(retry_wait(config, backoff, minutes(60)), seconds(20));
  const Duration own = retry_wait(config, backoff, std::nullopt);
  EXPECT_GE(own, milliseconds(200));
  EXPECT_LE(own, milliseconds(400));
  EXPECT_GE(retry_wait(config, backoff, milliseconds(1)), milliseconds(400))
      << "a destination cannot make us hammer it";
}

}  // namespace
}  // namespace spanway::kafka_bridge
