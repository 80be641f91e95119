#include "services/kafka-bridge/consume/retry_policy.h"

#include <gtest/gtest.h>

namespace spanway::kafka_bridge {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Refusal kKinds[] = {Refusal::kTransient, Refusal::kData, Refusal::kConfiguration,
                              Refusal::kUnknown};

Refused refused(Refusal kind) {
  Refused r;
  r.kind = kind;
  return r;
}

TEST(RetryPolicy, WhatFailsAloneIsHalvedAndClassifiedWhateverItsKind) {
  const RetryConfig config;
  for (const Refusal kind : kKinds) {
    Refused r = refused(kind);
    r.others_accepted = true;
    r.tries = r.tries_alone = config.unknown_tries;
    EXPECT_EQ(next_step(config, r), Step::kHalve) << to_string(kind);
    r.single_item = true;
    EXPECT_EQ(next_step(config, r), Step::kSuspect) << to_string(kind);
  }
}

TEST(RetryPolicy, WhatMayBeStoredIsHalvedLateWhereIdentitiesCount) {
  const RetryConfig config;
  Refused r = refused(Refusal::kTransient);
  r.others_accepted = r.stored_once = true;
  r.tries = r.tries_alone = 1000;
  r.alone_for = minutes(4);
  EXPECT_EQ(next_step(config, r), Step::kRetry);
  r.alone_for = kUnansweredWait;
  EXPECT_EQ(next_step(config, r), Step::kHalve);
  r.full_batch = false;
  r.alone_for = seconds(29);
  EXPECT_EQ(next_step(config, r), Step::kRetry);
  r.alone_for = kAloneWait;
  EXPECT_EQ(next_step(config, r), Step::kHalve);
  r.alone_for = seconds(0);
  r.kind = Refusal::kUnknown;  // An answer: it is not stored.
  EXPECT_EQ(next_step(config, r), Step::kHalve);
}

TEST(RetryPolicy, AProbeThatMayBeStoredIsHalvedLateWhereIdentitiesCount) {
  const RetryConfig config;
  Refused r = refused(Refusal::kTransient);
  r.timed_out = r.probe = true;
  r.tries = config.unknown_tries;
  r.failing_for = minutes(4);
  EXPECT_EQ(next_step(config, r), Step::kHalve);
  r.stored_once = true;
  EXPECT_EQ(next_step(config, r), Step::kStall);
  r.failing_for = kUnansweredWait;
  EXPECT_EQ(next_step(config, r), Step::kHalve);
}

TEST(RetryPolicy, WhatFailsTogetherIsNeverClassifiedWhateverItsKind) {
  const RetryConfig config;
  for (const Refusal kind : kKinds) {
    for (const bool single : {false, true}) {
      for (const bool tried : {false, true}) {
        Refused r = refused(kind);
        r.tries = 1'000'000;
        r.failing_for = std::chrono::hours(1);
        r.others_fail = true;
        r.single_item = single;
        r.others_tried = tried;
        EXPECT_NE(next_step(config, r), Step::kSuspect) << to_string(kind);
        r.may_halve = false;
        r.others_tried = true;
        EXPECT_EQ(next_step(config, r), Step::kStall) << to_string(kind);
      }
    }
  }
}

TEST(RetryPolicy, TransientIsRetriedWhileItIsShort) {
  Refused r = refused(Refusal::kTransient);
  r.tries = 1000;
  r.failing_for = kTransientStall - milliseconds(1);
  EXPECT_EQ(next_step({}, r), Step::kRetry);
  r.failing_for = kTransientStall;
  EXPECT_EQ(next_step({}, r), Step::kStall);
  r.tries = 1;
  EXPECT_EQ(next_step({}, r), Step::kRetry) << "one answer says nothing about others";
}

TEST(RetryPolicy, WhatNeverComesBackInTimeIsHalvedToo) {
  Refused r = refused(Refusal::kTransient);
  r.timed_out = true;
  r.failing_for = minutes(3);
  r.tries = RetryConfig().unknown_tries;
  EXPECT_EQ(next_step({}, r), Step::kStall);
  r.probe = true;
  EXPECT_EQ(next_step({}, r), Step::kHalve);
  r.single_item = true;
  EXPECT_EQ(next_step({}, r), Step::kStall);
}

TEST(RetryPolicy, DataIsHalvedAtOnceDownToOneItem) {
  Refused r = refused(Refusal::kData);
  EXPECT_EQ(next_step({}, r), Step::kHalve);
  r.single_item = true;
  EXPECT_EQ(next_step({}, r), Step::kRotate) << "the other pieces are evidence";
  r.others_tried = true;
  EXPECT_EQ(next_step({}, r), Step::kSuspect) << "nothing else is there: it is only suspected";
  r.others_fail = true;
  EXPECT_EQ(next_step({}, r), Step::kStall);
}

TEST(RetryPolicy, ConfigurationStallsAtOnceUnlessOthersPass) {
  Refused r = refused(Refusal::kConfiguration);
  EXPECT_EQ(next_step({}, r), Step::kStall);
  r.others_accepted = true;
  EXPECT_EQ(next_step({}, r), Step::kRetry);
}

TEST(RetryPolicy, UnknownIsTriedSeveralTimesFirst) {
  const RetryConfig config;
  Refused r = refused(Refusal::kUnknown);
  r.tries = config.unknown_tries - 1;
  EXPECT_EQ(next_step(config, r), Step::kRetry);
  r.tries = config.unknown_tries;
  EXPECT_EQ(next_step(config, r), Step::kStall);
  r.probe = true;
  EXPECT_EQ(next_step(config, r), Step::kHalve) << "probes find out whether parts pass";
  r.probe = false;
  r.others_accepted = true;
  EXPECT_EQ(next_step(config, r), Step::kHalve);
  r.tries = config.unknown_tries - 1;
  EXPECT_EQ(next_step(config, r), Step::kRetry);
  r.full_batch = false;
  r.tries = 1;
  EXPECT_EQ(next_step(config, r), Step::kHalve) << "parts of it are cut at once";
}

TEST(RetryPolicy, AFlakyDestinationNeedsMoreTriesBeforeOneItemIsToBlame) {
  const RetryConfig config;
  EXPECT_EQ(tries_to_blame(config, {1000, 0}), config.unknown_tries);
  EXPECT_EQ(tries_to_blame(config, {1000, 1}), config.unknown_tries);
  EXPECT_EQ(tries_to_blame(config, {500, 500}), 20);
  EXPECT_GT(tries_to_blame(config, {100, 900}), 100);
  EXPECT_EQ(tries_to_blame(config, {0, 900}), 1000);
}

// Others were accepted between two outages: all tries in the second one are one piece of evidence.
TEST(RetryPolicy, ASecondOutageIsNoEvidenceAgainstOneItem) {
  const RetryConfig config;
  for (const Refusal kind : {Refusal::kTransient, Refusal::kConfiguration, Refusal::kUnknown}) {
    Refused r = refused(kind);
    r.others_accepted = true;
    r.single_item = true;
    r.tries = 100;
    r.tries_alone = config.unknown_tries - 1;
    r.alone_for = kAloneWait - milliseconds(1);
    EXPECT_EQ(next_step(config, r), Step::kRetry) << to_string(kind);
    r.alone_for = kAloneWait;
    EXPECT_EQ(next_step(config, r), Step::kSuspect) << to_string(kind) << ": no traffic decides";
    r.alone_for = {};
    r.tries_alone = config.unknown_tries;
    EXPECT_EQ(next_step(config, r), Step::kSuspect) << to_string(kind);
  }
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
