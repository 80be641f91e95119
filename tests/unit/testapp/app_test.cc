#include "services/testapp/app.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::testapp {
namespace {

using std::chrono::seconds;

class AppTest : public ::testing::Test {
 protected:
  App make(AppOptions options) {
    return App(
        options, Shop(Random(1), 0, clock_), Random(2), sink_, executor_,
        [this](const std::string& line) { lines_.push_back(line); }, [this] { done_ = true; });
  }

  fakes::ManualClock clock_;
  fakes::ManualExecutor executor_{clock_};
  fakes::SinkRecorder sink_;
  std::vector<std::string> lines_;
  bool done_ = false;
};

TEST_F(AppTest, BuysAtItsIntervalAndPrintsEveryTrace) {
  AppOptions options;
  options.count = 3;
  App app = make(options);
  sink_.answer_with([](const pipeline::Batch&) { return pipeline::Outcome{}; });
  app.start();
  executor_.run();
  EXPECT_EQ(sink_.sent(), 3u);
  EXPECT_EQ(lines_.size(), 1u);
  EXPECT_FALSE(done_);
  executor_.advance(seconds(2));
  EXPECT_EQ(lines_.size(), 2u);
  executor_.advance(seconds(2));
  EXPECT_EQ(lines_.size(), 3u);
  EXPECT_TRUE(done_);
  EXPECT_EQ(executor_.pending_timers(), 0u);
  EXPECT_EQ(app.refused(), 0u);
  const std::regex form(
      "trace [0-9a-f]{32} [0-9]+ spans accepted, [0-9]+ data points accepted, "
      "[0-9]+ log records accepted");
  for (const std::string& line : lines_) EXPECT_TRUE(std::regex_match(line, form)) << line;
}

TEST_F(AppTest, SaysWhatWasRefused) {
  AppOptions options;
  options.count = 1;
  App app = make(options);
  sink_.answer_with([](const pipeline::Batch& batch) -> Result<pipeline::Outcome> {
    if (batch.signal == otlp::Signal::kLogs) return invalid_argument("no logs here");
    return pipeline::Outcome{};
  });
  app.start();
  executor_.run();
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_NE(lines_[0].find("log records refused: INVALID_ARGUMENT no logs here"), std::string::npos)
      << lines_[0];
  EXPECT_EQ(app.refused(), 1u);
  EXPECT_TRUE(done_);
}

TEST_F(AppTest, StopsBuyingWhileThePipelineIsBehind) {
  AppOptions options;
  options.pending_max = 2;
  App app = make(options);
  app.start();
  executor_.advance(seconds(9));
  EXPECT_EQ(sink_.sent(), 6u);
  ASSERT_FALSE(lines_.empty());
  EXPECT_NE(lines_[0].find("behind"), std::string::npos);
  while (auto taken = sink_.take(Duration::zero())) taken->token.ack();
  executor_.advance(seconds(2));
  EXPECT_GT(sink_.sent(), 6u);
  while (auto taken = sink_.take(Duration::zero())) taken->token.ack();
}

TEST(Describe, SaysHowManyWereAcceptedAndWhyNotAll) {
  Delivery::Report report;
  EXPECT_EQ(describe(otlp::Signal::kTraces, 23, report), "23 spans accepted");
  report.tries = 3;
  EXPECT_EQ(describe(otlp::Signal::kLogs, 4, report), "4 log records accepted after 3 tries");
  report.answer = pipeline::Outcome{3, "too old"};
  report.tries = 1;
  EXPECT_EQ(describe(otlp::Signal::kTraces, 23, report), "20 of 23 spans accepted (too old)");
  report.answer = unavailable("Kafka is away");
  report.tries = 4;
  EXPECT_EQ(describe(otlp::Signal::kMetrics, 5, report),
            "5 data points refused after 4 tries: UNAVAILABLE Kafka is away");
}

}  // namespace
}  // namespace spanway::testapp
