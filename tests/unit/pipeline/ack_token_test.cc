#include "services/lib/pipeline/ack_token.h"

#include <gtest/gtest.h>

#include <optional>

#include "services/lib/base/check.h"

namespace spanway::pipeline {
namespace {

// Keeps the answers it is given.
struct Recorder {
  AckToken token() {
    return AckToken([this](Result<Outcome> result) {
      ++count;
      if (result.ok()) {
        outcome = std::move(*result);
      } else {
        error = std::move(result).error();
      }
    });
  }
  int count = 0;
  std::optional<Outcome> outcome;
  std::optional<Error> error;
};

TEST(AckToken, AckAnswersWithTheOutcome) {
  Recorder recorder;
  AckToken token = recorder.token();
  EXPECT_TRUE(token.undecided());
  EXPECT_EQ(recorder.count, 0);
  token.ack({.rejected = 3, .message = "too old"});
  EXPECT_FALSE(token.undecided());
  ASSERT_TRUE(recorder.outcome.has_value());
  EXPECT_EQ(recorder.outcome->rejected, 3U);
  EXPECT_EQ(recorder.outcome->message, "too old");
}

TEST(AckToken, NackAnswersWithTheError) {
  Recorder recorder;
  recorder.token().nack(unavailable("down"));
  ASSERT_TRUE(recorder.error.has_value());
  EXPECT_EQ(recorder.error->code, Code::kUnavailable);
  EXPECT_EQ(recorder.count, 1);
}

TEST(AckToken, AnswerTakesEither) {
  Recorder recorder;
  recorder.token().answer(Outcome{});
  recorder.token().answer(unavailable("down"));
  EXPECT_TRUE(recorder.outcome.has_value());
  EXPECT_TRUE(recorder.error.has_value());
}

TEST(AckToken, DroppedUndecidedIsARefusalAndABug) {
  Recorder recorder;
  const auto bugs = bug_count();
  { const AckToken token = recorder.token(); }
  ASSERT_TRUE(recorder.error.has_value());
  EXPECT_EQ(recorder.error->code, Code::kInternal);
  EXPECT_EQ(recorder.error->refusal, Refusal::kUnknown);
  EXPECT_EQ(recorder.count, 1);
  EXPECT_EQ(bug_count(), bugs + 1);
}

TEST(AckToken, DecidedTwiceAnswersOnceAndIsABug) {
  Recorder recorder;
  const auto bugs = bug_count();
  AckToken token = recorder.token();
  token.ack();
  token.nack(unavailable("late"));
  EXPECT_EQ(recorder.count, 1);
  EXPECT_TRUE(recorder.outcome.has_value());
  EXPECT_EQ(bug_count(), bugs + 1);
}

TEST(AckToken, MoveTakesTheDutyAlong) {
  Recorder recorder;
  const auto bugs = bug_count();
  {
    AckToken from = recorder.token();
    AckToken to(std::move(from));
    EXPECT_FALSE(from.undecided());  // NOLINT: the state after a move is promised.
    EXPECT_TRUE(to.undecided());
    to.ack();
  }
  EXPECT_EQ(recorder.count, 1);
  EXPECT_EQ(bug_count(), bugs);
}

TEST(AckToken, AssignmentRefusesTheOneItReplaces) {
  Recorder old_one, new_one;
  AckToken token = old_one.token();
  token = new_one.token();
  EXPECT_TRUE(old_one.error.has_value());
  EXPECT_EQ(new_one.count, 0);
  token.ack();
  EXPECT_TRUE(new_one.outcome.has_value());
}

TEST(AckToken, EmptyOneOwesNothing) {
  const auto bugs = bug_count();
  { const AckToken token; }
  EXPECT_EQ(bug_count(), bugs);
}

// The answer may destroy or replace whatever holds the token.
TEST(AckToken, AnswerMayReplaceTheTokenItself) {
  AckToken token;
  int answers = 0;
  token = AckToken([&](const Result<Outcome>&) {
    ++answers;
    token = AckToken([&](const Result<Outcome>&) { ++answers; });
  });
  token.ack();
  EXPECT_TRUE(token.undecided());
  token.ack();
  EXPECT_EQ(answers, 2);
}

}  // namespace
}  // namespace spanway::pipeline
