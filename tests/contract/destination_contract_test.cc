// The promises of every destination: each batch is answered exactly once, by its deadline, with the
// right kind of refusal, and its memory is released afterwards.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/thread.h"
#include "tests/contract/backends.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::contract {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string payload_of(otlp::Signal signal) {
  switch (signal) {
    case otlp::Signal::kTraces:
      return fakes::otlp_request_of(
          {fakes::otlp_span(1, 1), fakes::otlp_span(1, 2), fakes::otlp_span(2, 3)});
    case otlp::Signal::kMetrics:
      return fakes::otlp_request_of(
          {fakes::otlp_metric("requests", fakes::MetricKind::kSum,
                              {fakes::otlp_number_point(3), fakes::otlp_number_point(4),
                               fakes::otlp_number_point(5)})});
    case otlp::Signal::kLogs:
      return fakes::otlp_request_of({fakes::otlp_log_record("started"),
                                     fakes::otlp_log_record("running"),
                                     fakes::otlp_log_record("ended")});
  }
  return {};
}

// One that the destination takes.
otlp::Signal signal_of(const Backend& backend) {
  for (const otlp::Signal signal : otlp::kSignals)
    if (backend.takes(signal)) return signal;
  return otlp::Signal::kTraces;
}

class DestinationContract : public testing::TestWithParam<std::string> {
 protected:
  DestinationContract() : backend_(make_backend(GetParam())) {}
  // No batch leaves memory behind, and no token was ever lost.
  void TearDown() override {
    sink_.reset();
    // A request that was on its way still calls the backend's virtual functions.
    backend_->stop();
    EXPECT_EQ(budget_.used(), 0u);
    EXPECT_EQ(bug_count(), bugs_) << last_bug_site();
  }

  pipeline::Sink& sink(const Limits& limits = {}) {
    if (!sink_) sink_ = backend_->make_sink(limits);
    return *sink_;
  }
  pipeline::Batch batch(Duration deadline = seconds(20)) {
    return batch(signal_of(*backend_), deadline);
  }
  pipeline::Batch batch(otlp::Signal signal, Duration deadline = seconds(20)) {
    pipeline::Batch b;
    b.signal = signal;
    b.payload = Bytes(payload_of(signal));
    b.item_count = 3;
    b.deadline = Deadline::after(system_clock(), deadline);
    b.permit = std::move(*budget_.try_acquire(b.payload.size()));
    return b;
  }
  void send(pipeline::Batch b) { sink().send(std::move(b), answers_.token()); }
  Error refusal_of(pipeline::Batch b) {
    send(std::move(b));
    const auto answer = answers_.next();
    EXPECT_TRUE(answer.has_value());
    if (!answer) return unknown_error(Code::kUnknown, "no answer");
    EXPECT_FALSE(answer->ok());
    return answer->ok() ? unknown_error(Code::kOk, "accepted") : answer->error();
  }
  static Deadline soon() { return Deadline::after(system_clock(), seconds(15)); }

  const std::uint64_t bugs_ = bug_count();
  // Before the backend and the sink: permits come back to it.
  MemoryBudget budget_{64u << 20};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<pipeline::Sink> sink_;
  fakes::Answers answers_;
};

#define NEEDS(kind) \
  if (!backend_->can(kind)) GTEST_SKIP() << GetParam() << " cannot answer " << to_string(kind)

TEST_P(DestinationContract, AcceptsEverySignalItClaimsToTake) {
  for (const otlp::Signal signal : otlp::kSignals) {
    send(batch(signal));
    const auto answer = answers_.next();
    ASSERT_TRUE(answer.has_value());
    if (backend_->takes(signal)) {
      ASSERT_TRUE(answer->ok()) << answer->error().message;
      EXPECT_EQ(answer->value().rejected, 0u);
      EXPECT_TRUE(sink().health().reachable);
    } else {
      ASSERT_FALSE(answer->ok());
      EXPECT_EQ(answer->error().refusal, Refusal::kConfiguration);
      EXPECT_EQ(answer->error().code, Code::kUnimplemented);
    }
  }
}

TEST_P(DestinationContract, AcceptsAnEmptyBatch) {
  pipeline::Batch empty;
  empty.signal = signal_of(*backend_);
  send(std::move(empty));
  const auto answer = answers_.next();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok());
}

TEST_P(DestinationContract, AnswersEachOfManyConcurrentBatches) {
  constexpr int kThreads = 4, kPerThread = 25;
  sink({.in_flight_max = 1000});
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.push_back(start_thread("sender", [&](const std::stop_token&) {
        for (int i = 0; i < kPerThread; ++i) send(batch());
      }));
  }
  for (int i = 0; i < kThreads * kPerThread; ++i) {
    const auto answer = answers_.next();
    ASSERT_TRUE(answer.has_value());
    ASSERT_TRUE(answer->ok()) << answer->error().message;
  }
  if (GetParam() == "debug") return;
  EXPECT_EQ(backend_->requests(), 100u);
}

TEST_P(DestinationContract, ReportsHowManyItemsWereRejected) {
  NEEDS(BackendAnswer::kPartial);
  backend_->answer_with(BackendAnswer::kPartial);
  send(batch());
  const auto answer = answers_.next();
  ASSERT_TRUE(answer->ok());
  EXPECT_EQ(answer->value().rejected, 2u);
  EXPECT_NE(answer->value().message.find("two"), std::string::npos);
}

TEST_P(DestinationContract, PassesOnWhenToComeBack) {
  for (const BackendAnswer kind : {BackendAnswer::kRetryAfter, BackendAnswer::kRetryAfterDate}) {
    if (!backend_->can(kind)) continue;
    SCOPED_TRACE(to_string(kind));
    backend_->answer_with(kind);
    const Error error = refusal_of(batch());
    EXPECT_EQ(error.refusal, Refusal::kTransient);
    ASSERT_TRUE(error.retry_after.has_value());
    EXPECT_LE(*error.retry_after, seconds(7));
    EXPECT_GE(*error.retry_after, seconds(kind == BackendAnswer::kRetryAfter ? 7 : 4));
  }
}

TEST_P(DestinationContract, RecoversFromEveryRefusal) {
  NEEDS(BackendAnswer::kBusy);
  backend_->answer_with(BackendAnswer::kBusy);
  const Error error = refusal_of(batch());
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_NE(sink().health().last_error, "");
  backend_->answer_with(BackendAnswer::kAccept);
  send(batch());
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_TRUE(sink().health().reachable);
  EXPECT_EQ(sink().health().last_error, "");
}

TEST_P(DestinationContract, TooLongAnAnswerIsNeverHeldInMemory) {
  NEEDS(BackendAnswer::kHuge);
  backend_->answer_with(BackendAnswer::kHuge);
  send(batch());
  const auto answer = answers_.next();
  ASSERT_TRUE(answer.has_value());
  // Over HTTP the status is known by then; over gRPC it follows the message and is never read.
  EXPECT_EQ(answer->ok(), GetParam() != "otlp_grpc");
}

TEST_P(DestinationContract, TooLongARefusalStaysWhatItsStatusSays) {
  NEEDS(BackendAnswer::kHugeRefusal);
  backend_->answer_with(BackendAnswer::kHugeRefusal);
  const Error error = refusal_of(batch());
  EXPECT_EQ(error.refusal, Refusal::kData);
  EXPECT_LT(error.message.size(), 4096u);
}

TEST_P(DestinationContract, AMissingListenerIsTransientAndHealsByItself) {
  if (!backend_->stop()) GTEST_SKIP() << GetParam() << " has no port to close";
  const Error error = refusal_of(batch());
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_FALSE(sink().health().reachable);
  EXPECT_NE(sink().health().last_error, "");
  backend_->restart();
  const Deadline end = Deadline::after(system_clock(), seconds(30));
  bool accepted = false;
  while (!accepted && !end.passed(system_clock().now())) {
    send(batch());
    const auto answer = answers_.next();
    ASSERT_TRUE(answer.has_value());
    accepted = answer->ok();
  }
  EXPECT_TRUE(accepted);
  EXPECT_TRUE(sink().health().reachable);
}

TEST_P(DestinationContract, AnswersByTheDeadlineWhenTheBackendHangs) {
  NEEDS(BackendAnswer::kHang);
  backend_->answer_with(BackendAnswer::kHang);
  const SteadyTime start = system_clock().now();
  const Error error = refusal_of(batch(milliseconds(600)));
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_EQ(error.code, Code::kDeadlineExceeded);
  EXPECT_LT(system_clock().now() - start, seconds(10));
  backend_->release();
  EXPECT_EQ(answers_.count(), 1u);
}

TEST_P(DestinationContract, AnswersByItsOwnTimeoutWhenTheDeadlineIsLater) {
  NEEDS(BackendAnswer::kHang);
  if (GetParam() == "file") GTEST_SKIP() << "file has no timeout of its own";
  backend_->answer_with(BackendAnswer::kHang);
  sink({.timeout = milliseconds(300)});
  const Error error = refusal_of(batch());
  EXPECT_EQ(error.code, Code::kDeadlineExceeded);
  EXPECT_EQ(error.refusal, Refusal::kTransient);
}

TEST_P(DestinationContract, DoesNotSendWhatIsTooLateAlready) {
  if (GetParam() == "debug") GTEST_SKIP() << "debug answers before anything can be late";
  const Error error = refusal_of(batch(milliseconds(-1)));
  EXPECT_EQ(error.code, Code::kDeadlineExceeded);
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_EQ(backend_->requests(), 0u);
}

TEST_P(DestinationContract, WaitsForASlowBackend) {
  NEEDS(BackendAnswer::kHang);
  backend_->answer_with(BackendAnswer::kHang);
  send(batch());
  ASSERT_TRUE(backend_->wait_for_requests(1));
  EXPECT_EQ(answers_.count(), 0u);
  backend_->release();
  EXPECT_TRUE(answers_.next()->ok());
}

TEST_P(DestinationContract, RefusesAtOnceWhenFull) {
  NEEDS(BackendAnswer::kHang);
  backend_->answer_with(BackendAnswer::kHang);
  sink({.in_flight_max = 2});
  send(batch());
  ASSERT_TRUE(backend_->wait_for_requests(1));
  send(batch());
  const Error error = refusal_of(batch());
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_TRUE(error.retry_after.has_value());
  EXPECT_EQ(answers_.count(), 1u);
  if (GetParam() != "file") {
    ASSERT_TRUE(backend_->wait_for_requests(2));
  }
  backend_->release();
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_TRUE(answers_.next()->ok());
}

TEST_P(DestinationContract, DrainFinishesWhatIsInFlightAndRefusesTheRest) {
  if (backend_->can(BackendAnswer::kHang)) {
    backend_->answer_with(BackendAnswer::kHang);
    send(batch());
    ASSERT_TRUE(backend_->wait_for_requests(1));
    EXPECT_FALSE(sink().drain(Deadline::after(system_clock(), milliseconds(20))));
    EXPECT_EQ(answers_.count(), 0u);
    backend_->release();
    EXPECT_TRUE(sink().drain(soon()));
    ASSERT_EQ(answers_.count(), 1u);
    EXPECT_TRUE(answers_.next()->ok());
  }
  EXPECT_TRUE(sink().drain(soon()));
  const Error error = refusal_of(batch());
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_TRUE(sink().drain(soon()));
}

TEST_P(DestinationContract, DestroyedWithWorkInFlightAnswersAll) {
  NEEDS(BackendAnswer::kHang);
  backend_->answer_with(BackendAnswer::kHang);
  for (int i = 0; i < 5; ++i) send(batch());
  ASSERT_TRUE(backend_->wait_for_requests(1));
  const std::jthread releaser = start_thread("releaser", [this](const std::stop_token&) {
    // A file's writer cannot be taken off a disk that hangs: the destructor waits for it.
    if (GetParam() == "file") backend_->release();
  });
  sink_.reset();
  for (int i = 0; i < 5; ++i) {
    const auto answer = answers_.next();
    ASSERT_TRUE(answer.has_value());
    EXPECT_TRUE(answer->ok() || answer->error().refusal == Refusal::kTransient);
  }
}

TEST_P(DestinationContract, DestroyedUnusedIsFine) { sink(); }

INSTANTIATE_TEST_SUITE_P(All, DestinationContract, testing::ValuesIn(destination_names()),
                         [](const auto& test) { return test.param; });

// --- Each refusal of each destination has its kind ---

struct Case {
  std::string destination;
  BackendAnswer answer;
  Refusal refusal;
  Code code;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& name : destination_names()) {
    const auto backend = make_backend(name);
    const auto add = [&](BackendAnswer kind, Refusal refusal, Code code) {
      if (backend->can(kind)) all.push_back({name, kind, refusal, code});
    };
    const bool grpc = name == "otlp_grpc", file = name == "file";
    add(BackendAnswer::kBusy, Refusal::kTransient,
        file ? Code::kResourceExhausted : Code::kUnavailable);
    add(BackendAnswer::kRetryAfter, Refusal::kTransient, Code::kResourceExhausted);
    add(BackendAnswer::kRetryAfterDate, Refusal::kTransient, Code::kUnavailable);
    add(BackendAnswer::kBadData, Refusal::kData, Code::kInvalidArgument);
    add(BackendAnswer::kTooLarge, Refusal::kData, Code::kResourceExhausted);
    add(BackendAnswer::kUnauthenticated, Refusal::kConfiguration, Code::kUnauthenticated);
    add(BackendAnswer::kForbidden, Refusal::kConfiguration, Code::kPermissionDenied);
    add(BackendAnswer::kNotFound, Refusal::kConfiguration,
        grpc ? Code::kUnimplemented : Code::kNotFound);
    add(BackendAnswer::kBroken, Refusal::kUnknown, Code::kInternal);
  }
  return all;
}

class RefusalContract : public testing::TestWithParam<Case> {};

TEST_P(RefusalContract, HasItsKind) {
  const auto backend = make_backend(GetParam().destination);
  backend->answer_with(GetParam().answer);
  const auto sink = backend->make_sink({});
  pipeline::Batch b;
  b.signal = signal_of(*backend);
  b.payload = Bytes(payload_of(b.signal));
  b.deadline = Deadline::after(system_clock(), seconds(20));
  fakes::Answers answers;
  sink->send(std::move(b), answers.token());
  const auto answer = answers.next();
  ASSERT_TRUE(answer.has_value());
  ASSERT_FALSE(answer->ok());
  EXPECT_EQ(answer->error().refusal, GetParam().refusal) << answer->error().message;
  EXPECT_EQ(answer->error().code, GetParam().code) << answer->error().message;
  EXPECT_NE(answer->error().message, "");
  if (answer->error().refusal == Refusal::kTransient) return;
  EXPECT_FALSE(answer->error().retry_after.has_value());
}

INSTANTIATE_TEST_SUITE_P(All, RefusalContract, testing::ValuesIn(cases()), [](const auto& test) {
  return test.param.destination + "_" + std::string(to_string(test.param.answer));
});

}  // namespace
}  // namespace spanway::contract
