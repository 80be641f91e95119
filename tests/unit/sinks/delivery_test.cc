#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "services/lib/sinks/in_flight_batch.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::sinks {
namespace {

pipeline::Batch batch_of(const std::string& tenant = "") {
  pipeline::Batch batch;
  batch.metadata.tenant = tenant;
  return batch;
}

TEST(InFlightBatch, AnswersOnceAndLeavesItsPlace) {
  const auto state = std::make_shared<SinkState>(1, system_clock());
  fakes::Answers answers;
  const auto delivery = start_batch(batch_of(), answers.token(), state);
  ASSERT_TRUE(delivery);
  EXPECT_FALSE(state->enter("").ok());
  delivery->finish(pipeline::Outcome{.rejected = 2, .message = "two"});
  delivery->finish(unavailable("late"));
  EXPECT_EQ(answers.count(), 1u);
  EXPECT_EQ(answers.next()->value().rejected, 2u);
  EXPECT_TRUE(state->enter("").ok());
}

TEST(InFlightBatch, RefusesWhenFullAndSaysWhenToRetry) {
  const auto state = std::make_shared<SinkState>(1, system_clock());
  fakes::Answers answers;
  const auto first = start_batch(batch_of(), answers.token(), state);
  EXPECT_FALSE(start_batch(batch_of(), answers.token(), state));
  const Error error = answers.next()->error();
  EXPECT_EQ(error.code, Code::kResourceExhausted);
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_TRUE(error.retry_after.has_value());
  EXPECT_STREQ(error.reason, "sink_full");
  // Our own refusals say nothing about the destination.
  EXPECT_EQ(state->health().last_error, "");
}

TEST(InFlightBatch, RefusesWhileDraining) {
  const auto state = std::make_shared<SinkState>(8, system_clock());
  EXPECT_TRUE(state->drain(Deadline::never()));
  fakes::Answers answers;
  EXPECT_FALSE(start_batch(batch_of(), answers.token(), state));
  const Error error = answers.next()->error();
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_STREQ(error.reason, "draining");
}

TEST(InFlightBatch, DroppedUnfinishedIsARefusalAndNoBug) {
  const std::uint64_t bugs = bug_count();
  const auto state = std::make_shared<SinkState>(8, system_clock());
  fakes::Answers answers;
  start_batch(batch_of(), answers.token(), state).reset();
  const Error error = answers.next()->error();
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_STREQ(error.reason, "sink_stopped");
  EXPECT_EQ(bug_count(), bugs);
  EXPECT_TRUE(state->drain(Deadline::never()));
}

// Batches of tenants that are not answered hold half of the places at most, however many they are.
TEST(InFlightBatch, TenantsThatHangLeavePlacesToTheOthers) {
  fakes::ManualClock clock;
  const auto state = std::make_shared<SinkState>(16, clock);
  fakes::Answers answers;
  const auto start = [&](const std::string& tenant) {
    return start_batch(batch_of(tenant), answers.token(), state);
  };
  start("good")->finish(pipeline::Outcome{});
  EXPECT_TRUE(answers.next()->ok());
  std::vector<std::shared_ptr<InFlightBatch>> hanging;
  for (int i = 0; i < 50; ++i) {
    if (auto held = start("hanging-" + std::to_string(i))) hanging.push_back(std::move(held));
  }
  EXPECT_EQ(hanging.size(), 8u);
  EXPECT_EQ(answers.count(), 1u + 42u);
  for (int i = 0; i < 42; ++i) EXPECT_STREQ(answers.next()->error().reason, "sink_full");
  const auto good = start("good");
  ASSERT_TRUE(good);
  const Error late = deadline_passed("the destination");
  for (const auto& held : hanging) held->finish(late);
  EXPECT_TRUE(start("new")) << "places of those that hang are free again";
}

TEST(SinkState, RemembersTheLastAnswer) {
  SinkState state(8, system_clock());
  EXPECT_FALSE(state.health().reachable);
  state.record(pipeline::Outcome{});
  EXPECT_TRUE(state.health().reachable);
  state.record(unavailable("connection refused").with_reason("connect"));
  EXPECT_FALSE(state.health().reachable);
  EXPECT_EQ(state.health().last_error, "connection refused");
  EXPECT_EQ(state.health().last_error_reason, "connect");
  state.record(configuration_error(Code::kUnauthenticated, "HTTP 401"));
  EXPECT_TRUE(state.health().reachable);
  EXPECT_EQ(state.health().last_error, "HTTP 401");
  state.record(pipeline::Outcome{});
  EXPECT_EQ(state.health().last_error, "");
}

}  // namespace
}  // namespace spanway::sinks
