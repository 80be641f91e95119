#include "services/lib/telemetry/logger.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

#include "services/lib/base/rfc3339.h"
#include "services/lib/base/thread.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::telemetry {
namespace {

class LoggerTest : public testing::Test {
 protected:
  Logger create(bool json = false, LogLevel level = LogLevel::kDebug) {
    return Logger::create({.level = level,
                           .json = json,
                           .service = "ingress",
                           .write = [this](std::string_view line) { lines_.emplace_back(line); },
                           .clock = &clock_});
  }
  std::string last() const { return lines_.empty() ? "" : lines_.back(); }

  fakes::ManualClock clock_;
  std::vector<std::string> lines_;
};

TEST_F(LoggerTest, WritesTimeLevelServiceMessageAndFields) {
  const Logger log = create();
  log.info("Listening", {{"address", "0.0.0.0"}, {"port", 4317}, {"tls", false}});
  EXPECT_EQ(
      last(),
      "2026-01-01T00:00:01.000Z INFO  ingress  Listening address=0.0.0.0 port=4317 tls=false");
  clock_.advance(std::chrono::milliseconds(1'234));
  log.error("Failed");
  EXPECT_EQ(last(), "2026-01-01T00:00:02.234Z ERROR ingress  Failed");
}

TEST_F(LoggerTest, WritesJson) {
  create(true).warn("Odd \"thing\"", {{"key", "a\nb"}, {"n", -7}, {"d", 0.5}, {"b", true}});
  EXPECT_EQ(last(), R"({"time":"2026-01-01T00:00:01.000Z","level":"warn","service":"ingress",)"
                    R"("message":"Odd \"thing\"","key":"a\nb","n":-7,"d":0.5,"b":true})");
}

TEST_F(LoggerTest, JsonHasNoNumberThatJsonDoesNotKnow) {
  create(true).info("x", {{"a", std::nan("")}, {"b", INFINITY}});
  EXPECT_TRUE(last().ends_with(R"("a":"nan","b":"inf"})")) << last();
}

TEST_F(LoggerTest, ValuesCannotForgeLinesOrFields) {
  const Logger log = create();
  log.info("x", {{"v", "a\n2026-01-01T00:00:00.000Z ERROR ingress  Forged"}});
  EXPECT_TRUE(last().ends_with(R"(v="a\n2026-01-01T00:00:00.000Z ERROR ingress  Forged")"))
      << last();
  log.info("x", {{"v", "a b=c"}, {"w", "say \"hi\""}, {"empty", ""}, {"e", "\x1b[0m"}});
  EXPECT_TRUE(last().ends_with(R"(v="a b=c" w="say \"hi\"" empty="" e="\u001b[0m")")) << last();
  log.info("two\nlines");
  EXPECT_TRUE(last().ends_with(R"(two\nlines)")) << last();
}

TEST_F(LoggerTest, ValuesAreBounded) {
  create().info(std::string(1 << 20, 'm'), {{"v", std::string(1 << 20, 'v')}});
  EXPECT_LT(last().size(), 10'000U);
}

TEST_F(LoggerTest, SkipsWhatIsBelowItsLevel) {
  const Logger log = create(false, LogLevel::kWarn);
  log.debug("x");
  log.info("x");
  EXPECT_TRUE(lines_.empty());
  EXPECT_FALSE(log.enabled(LogLevel::kInfo));
  EXPECT_TRUE(log.enabled(LogLevel::kWarn));
  log.warn("x");
  log.error("x");
  EXPECT_EQ(lines_.size(), 2U);
}

TEST_F(LoggerTest, LimitedWritesOncePerSiteAndCountsTheRest) {
  const Logger log = create();
  for (int i = 0; i < 5; ++i) log.limited(LogLevel::kWarn, "site_a", "A");
  log.limited(LogLevel::kWarn, "site_b", "B");
  EXPECT_EQ(lines_.size(), 2U);
  clock_.advance(std::chrono::milliseconds(9'999));
  log.limited(LogLevel::kWarn, "site_a", "A");
  EXPECT_EQ(lines_.size(), 2U);
  clock_.advance(std::chrono::milliseconds(1));
  log.limited(LogLevel::kWarn, "site_a", "A", {{"k", 1}});
  EXPECT_TRUE(last().ends_with("A k=1 suppressed=5")) << last();
  clock_.advance(std::chrono::seconds(10));
  log.limited(LogLevel::kWarn, "site_a", "A");
  EXPECT_TRUE(last().ends_with("ingress  A")) << last();
}

TEST_F(LoggerTest, TheLevelChangesWhileRunningForAllHandles) {
  const Logger log = create(false, LogLevel::kInfo);
  const Logger copy = log;
  copy.set_level(LogLevel::kDebug);
  EXPECT_EQ(log.level(), LogLevel::kDebug);
  log.debug("now");
  EXPECT_EQ(lines_.size(), 1u);
  log.set_level(LogLevel::kError);
  copy.warn("no more");
  EXPECT_EQ(lines_.size(), 1u);
}

TEST_F(LoggerTest, KeepsTheLast16WarningsAndErrorsWithTheirTimes) {
  const Logger log = create();
  log.info("not kept");
  for (int i = 0; i < 20; ++i) {
    clock_.advance(std::chrono::seconds(1));
    log.warn("Failed", {{"attempt", i}, {"why", "a \"b\""}});
  }
  log.error(std::string(10'000, 'x'));
  const std::vector<RecentError> recent = log.recent_errors();
  ASSERT_EQ(recent.size(), 16u);
  EXPECT_EQ(recent.front().text, R"(Failed attempt=5 why="a \"b\"")");
  EXPECT_EQ(to_rfc3339(recent.front().time), "2026-01-01T00:00:07.000Z");
  EXPECT_EQ(recent.front().level, LogLevel::kWarn);
  EXPECT_EQ(recent.back().level, LogLevel::kError);
  EXPECT_LE(recent.back().text.size(), 1024u);
}

TEST_F(LoggerTest, NullSwallowsEverything) {
  const Logger log = Logger::null();
  EXPECT_FALSE(log.enabled(LogLevel::kError));
  log.error("x");
  log.limited(LogLevel::kError, "site", "x");
}

TEST_F(LoggerTest, LinesOfManyThreadsAreNotMixed) {
  const Logger log = create();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.push_back(start_thread("log", [copy = log](const std::stop_token&) {
        for (int i = 0; i < 250; ++i) {
          copy.info("same", {{"k", "v"}});
          copy.limited(LogLevel::kInfo, "site", "limited", {{"k", "v"}});
        }
      }));
  }
  EXPECT_EQ(lines_.size(), 1001U);
  for (const std::string& line : lines_) EXPECT_TRUE(line.ends_with(" k=v")) << line;
}

TEST(LoggerOnStandardError, WritesOneLine) {
  testing::internal::CaptureStderr();
  Logger::create({.service = "x"}).info("Hello", {{"port", 1U}});
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(written.ends_with(" INFO  x  Hello port=1\n")) << written;
  EXPECT_EQ(written.find('\n'), written.size() - 1);
}

}  // namespace
}  // namespace spanway::telemetry
