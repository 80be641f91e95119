#include "services/lib/runtime/supervisor.h"

#include <gtest/gtest.h>

#include "services/lib/base/thread.h"
#include "tests/fakes/manual_clock.h"
#include "tests/unit/runtime/fake_service.h"

namespace spanway::runtime {
namespace {

using Lines = std::vector<std::string>;
using std::chrono::milliseconds;
using std::chrono::seconds;

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest() {
    auto service = std::make_unique<FakeService>("service", journal_);
    service_ = service.get();
    host_.add("service", std::move(service));
  }
  Ending run() {
    return supervise(
        host_, stop_,
        {.shutdown_delay = seconds(5),
         .drain_timeout = seconds(20),
         .on_stopping = [this] { journal_.write("stopping"); },
         .poll_interval = milliseconds(1)},
        telemetry_, clock_, [this](Duration wait) {
          journal_.write(host_.readiness().ready ? "pause while ready" : "pause while not ready");
          EXPECT_EQ(wait, Duration(seconds(5)));
        });
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  telemetry::Telemetry telemetry_{log_, metrics_};
  fakes::ManualClock clock_;
  Journal journal_;
  StopSignal stop_;
  Host host_{telemetry_};
  FakeService* service_ = nullptr;
};

TEST_F(SupervisorTest, TurnsReadinessOffThenWaitsThenDrains) {
  stop_.request("SIGTERM");
  const Ending ending = run();
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(ending.reason, "");
  EXPECT_EQ(journal_.lines(), (Lines{"service start", "stopping", "pause while not ready",
                                     "service stop", "service stop", "service drain"}));
}

TEST_F(SupervisorTest, IncompleteDrainIsAFailure) {
  service_->drains = false;
  stop_.request("SIGTERM");
  const Ending ending = run();
  EXPECT_EQ(ending.exit_code, 1);
  EXPECT_EQ(
      ending.reason,
      "not everything in flight was finished and committed (drain_timeout 20s); the lines above "
      "say why");
}

TEST_F(SupervisorTest, FailedStartIsAFailure) {
  service_->fail_start = true;
  const Ending ending = run();
  EXPECT_EQ(ending.exit_code, 1);
  EXPECT_EQ(ending.reason, "cannot start: service: no port");
  EXPECT_EQ(journal_.lines(), (Lines{"service start"}));
}

TEST_F(SupervisorTest, FatalErrorEndsTheRunWithoutDelay) {
  service_->broken = true;
  const Ending ending = run();
  EXPECT_EQ(ending.exit_code, 1);
  EXPECT_EQ(ending.reason, "service: fenced");
  EXPECT_EQ(journal_.lines(),
            (Lines{"service start", "stopping", "service stop", "service stop", "service drain"}));
}

TEST_F(SupervisorTest, RunsUntilStoppedAndShowsReadiness) {
  service_->ready = false;
  Ending ending{-1, ""};
  std::jthread thread = start_thread("run", [&](const std::stop_token&) { ending = run(); });
  const auto wait_for_ready = [this](double expected) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (metrics_.value("spanway_runtime_ready") != expected) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  };
  service_->ready = true;
  EXPECT_TRUE(wait_for_ready(1));
  service_->ready = false;
  EXPECT_TRUE(wait_for_ready(0));
  stop_.request("SIGINT");
  thread.join();
  EXPECT_EQ(ending.exit_code, 0);
}

TEST(StopSignal, KeepsTheFirstReason) {
  StopSignal stop;
  EXPECT_FALSE(stop.wait_for(Duration::zero()));
  stop.request("first");
  stop.request("second");
  EXPECT_TRUE(stop.wait_for(Duration::zero()));
  EXPECT_EQ(stop.reason(), "first");
}

}  // namespace
}  // namespace spanway::runtime
