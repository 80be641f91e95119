#include "services/exporter/circuit_breaker.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spanway::exporter {
namespace {

using Change = CircuitBreaker::Change;
using State = CircuitBreaker::State;
using otlp::Signal;
using std::chrono::milliseconds;
using std::chrono::seconds;

Error down() { return unavailable("connection refused"); }

class CircuitBreakerTest : public testing::Test {
 protected:
  Duration admit(const std::string& tenant = "") {
    return breaker_.admit(Signal::kTraces, tenant, now_);
  }
  Change answer(Result<pipeline::Outcome> result, const std::string& tenant = "") {
    return breaker_.answered(Signal::kTraces, tenant, result, now_);
  }
  Change accept(const std::string& tenant = "") { return answer(pipeline::Outcome(), tenant); }
  void fail(int times, const std::string& tenant = "") {
    for (int i = 0; i < times; ++i) answer(down(), tenant);
  }
  void open() {
    fail(20);
    ASSERT_EQ(breaker_.state(), State::kOpen);
  }

  SteadyTime now_{seconds(1000)};
  CircuitBreakerConfig config_;
  CircuitBreaker breaker_{config_};
};

// The table of states: what happens in each, and what follows.
TEST_F(CircuitBreakerTest, OpensAtTheLastOfEnoughFailures) {
  fail(19);
  EXPECT_EQ(breaker_.state(), State::kClosed);
  EXPECT_EQ(admit(), Duration::zero());
  EXPECT_EQ(answer(down()), Change::kOpened);
  EXPECT_EQ(breaker_.state(), State::kOpen);
  EXPECT_EQ(breaker_.last_failure(), "connection refused");
}

TEST_F(CircuitBreakerTest, OpenRefusesUntilTheTimeOfAProbe) {
  open();
  EXPECT_EQ(admit(), seconds(5));
  now_ += milliseconds(4999);
  EXPECT_EQ(admit(), milliseconds(1));
  EXPECT_EQ(breaker_.state(), State::kOpen);
}

TEST_F(CircuitBreakerTest, OneProbeAtATime) {
  open();
  now_ += seconds(5);
  EXPECT_EQ(admit(), Duration::zero());
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  for (int i = 0; i < 100; ++i) EXPECT_GT(admit(), Duration::zero());
}

TEST_F(CircuitBreakerTest, AProbeThatFailsIsFollowedByAnotherOnlyMuchLater) {
  open();
  int probes = 0;
  for (int i = 0; i < 1000; ++i) {  // 100 s.
    now_ += milliseconds(100);
    if (admit() > Duration::zero()) continue;
    ++probes;
    EXPECT_EQ(answer(unavailable("still down")), Change::kNone);
    EXPECT_EQ(breaker_.state(), State::kOpen);
  }
  EXPECT_EQ(probes, 20);
  EXPECT_EQ(breaker_.last_failure(), "still down");
}

TEST_F(CircuitBreakerTest, AProbeThatIsTakenClosesIt) {
  open();
  now_ += seconds(5);
  EXPECT_EQ(admit(), Duration::zero());
  EXPECT_EQ(accept(), Change::kClosed);
  EXPECT_EQ(breaker_.state(), State::kClosed);
  EXPECT_EQ(breaker_.last_failure(), "");
  fail(19);  // Earlier failures are forgotten.
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(CircuitBreakerTest, ALateAnswerOfBeforeClosesItToo) {
  open();
  EXPECT_EQ(accept(), Change::kClosed);
}

TEST_F(CircuitBreakerTest, AProbeWithoutEvidenceIsFollowedByTheNext) {
  open();
  now_ += seconds(5);
  EXPECT_EQ(admit(), Duration::zero());
  answer(transient_error(Code::kResourceExhausted, "slow down"));
  EXPECT_EQ(breaker_.state(), State::kOpen);
  EXPECT_EQ(admit(), Duration::zero());
}

TEST_F(CircuitBreakerTest, AnEmptyProbeClosesItAndNeverOpensIt) {
  for (int i = 0; i < 100; ++i) breaker_.probed(down());
  EXPECT_EQ(breaker_.state(), State::kClosed);
  open();
  EXPECT_EQ(breaker_.probed(down()), Change::kNone);
  EXPECT_EQ(breaker_.probed(pipeline::Outcome()), Change::kClosed);
}

TEST_F(CircuitBreakerTest, WhatCountsAsAFailure) {
  const std::vector<std::pair<Error, bool>> table = {
      {unavailable("no connection"), true},
      {transient_error(Code::kDeadlineExceeded, "no answer"), true},
      {configuration_error(Code::kUnauthenticated, "expired"), true},
      {unknown_error(Code::kInternal, "500"), true},
      {invalid_argument("too old"), false},
      {transient_error(Code::kResourceExhausted, "429"), false},
      {unavailable("stopping").with_reason("draining"), false},
      {unavailable("waiting").with_reason("client_queue_full"), false},
  };
  for (const auto& [error, counts] : table) {
    CircuitBreaker breaker(config_);
    for (int i = 0; i < 50; ++i) breaker.answered(Signal::kLogs, "", error, now_);
    EXPECT_EQ(breaker.state() == State::kOpen, counts) << error.message;
  }
}

TEST_F(CircuitBreakerTest, TheRatioDecides) {
  for (int i = 0; i < 200; ++i) {
    if (i % 8 == 0) accept();
    fail(1);
  }
  EXPECT_EQ(breaker_.state(), State::kClosed) << "a ninth is accepted";
  fail(100);
  EXPECT_EQ(breaker_.state(), State::kOpen);
}

TEST_F(CircuitBreakerTest, AnswersOlderThanTheWindowAreForgotten) {
  for (int i = 0; i < 1000; ++i) accept();
  fail(50);
  EXPECT_EQ(breaker_.state(), State::kClosed);
  now_ += seconds(5);
  fail(1);
  now_ += seconds(5);
  fail(20);
  EXPECT_EQ(breaker_.state(), State::kOpen);
}

TEST_F(CircuitBreakerTest, SlowFailuresAreTooFewToOpenIt) {
  for (int i = 0; i < 100; ++i) {
    now_ += seconds(1);
    fail(1);
  }
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

// One tenant hangs or is refused: the others are never refused because of it.
TEST_F(CircuitBreakerTest, ATenantThatFailsAloneNeverOpensIt) {
  for (int i = 0; i < 500; ++i) {
    now_ += milliseconds(100);
    if (i % 20 == 0) accept("good");
    fail(20, "hanging");
    ASSERT_EQ(breaker_.state(), State::kClosed) << i;
  }
}

TEST_F(CircuitBreakerTest, ATenantWithoutAFailureIsAProbeAtOnce) {
  fail(30, "hanging");
  ASSERT_EQ(breaker_.state(), State::kOpen) << "none but this one has sent anything";
  EXPECT_GT(admit("hanging"), Duration::zero());
  EXPECT_EQ(admit("good"), Duration::zero());
  EXPECT_EQ(accept("good"), Change::kClosed);
  EXPECT_EQ(admit("hanging"), Duration::zero());
}

TEST_F(CircuitBreakerTest, FailuresOfOneTenantDoNotDelayTheProbesOfAnother) {
  fail(10, "dead");
  fail(10, "recovers");
  ASSERT_EQ(breaker_.state(), State::kOpen);
  now_ += seconds(5);
  EXPECT_EQ(admit("dead"), Duration::zero());
  fail(1, "dead");
  EXPECT_EQ(admit("recovers"), Duration::zero());
}

TEST_F(CircuitBreakerTest, SignalsAreKeptApart) {
  for (int i = 0; i < 50; ++i) {
    breaker_.answered(Signal::kMetrics, "", down(), now_);
    if (i % 10 == 0) breaker_.answered(Signal::kTraces, "", pipeline::Outcome(), now_);
  }
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(CircuitBreakerTest, IsBoundedWhateverTenantsCome) {
  for (int i = 0; i < 5000; ++i) fail(1, "tenant " + std::to_string(i));
  EXPECT_EQ(breaker_.state(), State::kOpen);
  std::size_t probes = 0;
  for (int i = 0; i < 5000; ++i)
    if (admit("other " + std::to_string(i)) == Duration::zero()) ++probes;
  EXPECT_LE(probes, CircuitBreaker::kStreamsMax);
}

TEST_F(CircuitBreakerTest, CanBeTurnedOff) {
  config_.enabled = false;
  CircuitBreaker breaker(config_);
  for (int i = 0; i < 1000; ++i) breaker.answered(Signal::kTraces, "", down(), now_);
  EXPECT_EQ(breaker.admit(Signal::kTraces, "", now_), Duration::zero());
  EXPECT_EQ(breaker.state(), State::kClosed);
}

}  // namespace
}  // namespace spanway::exporter
