#include "operator/reconcile/statusz_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "tests/fakes/fake_http_backend.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::reconcile {
namespace {

using ::testing::HasSubstr;

constexpr char kBody[] = R"({"ready":true,"kafka":{"reachable":true}})";

class StatuszReaderTest : public ::testing::Test {
 protected:
  StatuszReader::Address address(const std::string& pod) const {
    return {.pod = pod, .ip = "127.0.0.1", .port = backend_.port()};
  }
  decide::StatuszReport read_one() { return reader_->read({address("p")}).at("p"); }

  fakes::FakeHttpBackend backend_;
  // An answer is always in time, however busy the machine is.
  std::unique_ptr<StatuszReader> reader_ = make_statusz_reader(std::chrono::minutes(10));
};

TEST_F(StatuszReaderTest, RequestsForStatuszAndReadsIt) {
  backend_.answer_with([](const fakes::SeenRequest&) { return fakes::http_answer(200, kBody); });
  const decide::StatuszReport report = read_one();
  EXPECT_TRUE(report.answered);
  EXPECT_TRUE(report.kafka_reachable);
  ASSERT_EQ(backend_.requests().size(), 1u);
  EXPECT_EQ(backend_.requests()[0].head.method, "GET");
  EXPECT_EQ(backend_.requests()[0].head.path, "/statusz");
}

TEST_F(StatuszReaderTest, NoneToAskIsNoWait) { EXPECT_TRUE(reader_->read({}).empty()); }

TEST_F(StatuszReaderTest, EveryPodHasItsOwnAnswer) {
  backend_.answer_with([](const fakes::SeenRequest&) { return fakes::http_answer(200, kBody); });
  std::vector<StatuszReader::Address> pods;
  for (int i = 0; i < 40; ++i) pods.push_back(address("p" + std::to_string(i)));
  pods[7].port = 1;
  pods[8].ip = "no address";
  const auto reports = reader_->read(pods);
  ASSERT_EQ(reports.size(), 40u);
  for (const auto& [pod, report] : reports) {
    const bool fails = pod == "p7" || pod == "p8";
    EXPECT_EQ(report.answered, !fails) << pod;
    EXPECT_EQ(report.error.empty(), !fails) << pod;
  }
}

TEST_F(StatuszReaderTest, WhatIsNoReportIsAnErrorThatReportsWhy) {
  backend_.answer_with(503);
  EXPECT_THAT(read_one().error, HasSubstr("503"));
  backend_.answer_with([](const fakes::SeenRequest&) { return fakes::http_answer(200, "<html>"); });
  EXPECT_FALSE(read_one().error.empty());
  const std::string endless(3u << 20, ' ');
  backend_.answer_with(
      [&](const fakes::SeenRequest&) { return fakes::http_answer(200, endless + kBody); });
  EXPECT_FALSE(read_one().answered) << "more than a pod may say";
  backend_.stop();
  EXPECT_FALSE(read_one().answered);
}

TEST_F(StatuszReaderTest, APodThatHangsIsNotWaitedForForEver) {
  reader_ = make_statusz_reader(std::chrono::milliseconds(50));
  backend_.answer_with([](const fakes::SeenRequest&) { return fakes::Answer(); });
  const decide::StatuszReport report = read_one();
  EXPECT_FALSE(report.answered);
  EXPECT_FALSE(report.error.empty());
  backend_.release([] { return fakes::http_answer(200, kBody); });
}

// Pods by script: time passes only when the script says so.
class StatuszNodesTest : public ::testing::Test {
 protected:
  using Done = std::function<void(decide::StatuszReport)>;
  static constexpr Duration kTimeout = std::chrono::seconds(2);

  static decide::StatuszReport good() { return decide::parse_statusz(kBody); }
  // All that hang: their timeout has passed.
  void let_timeouts_pass() {
    clock_.advance(kTimeout);
    for (const Done& done : std::exchange(hanging_, {})) done(decide::not_answered("timed out"));
  }
  std::map<std::string, decide::StatuszReport> read() { return reader_->read(pods_); }
  void add(const std::string& name, const std::string& node) {
    pods_.push_back({.pod = name, .ip = "10.0.0.1", .node = node});
  }

  fakes::ManualClock clock_;
  std::vector<StatuszReader::Address> pods_;
  std::vector<Done> hanging_;
  std::vector<std::string> polled_;
  std::function<void(const StatuszReader::Address&, Done)> script_;
  std::unique_ptr<StatuszReader> reader_ = make_statusz_reader(
      [this](const StatuszReader::Address& pod, Done done) -> std::shared_ptr<void> {
        polled_.push_back(pod.pod);
        script_(pod, std::move(done));
        return nullptr;
      },
      clock_, kTimeout);
};

TEST_F(StatuszNodesTest, ANodeThatHangsHoldsUpItsOwnPodsOnlyAndIsGivenUp) {
  for (int i = 0; i < 40; ++i) {
    add("hangs-" + std::to_string(i), "a");
    add("ok-" + std::to_string(i), "b");
  }
  int answered = 0;
  script_ = [&](const StatuszReader::Address& pod, const Done& done) {
    if (pod.node == "a") {
      hanging_.push_back(done);
      return;
    }
    done(good());
    // Only now, with all of the other node answered, has the timeout passed.
    if (++answered == 40) let_timeouts_pass();
  };
  int not_polled = 0;
  for (const auto& [pod, report] : read()) {
    EXPECT_EQ(report.answered, pod.starts_with("ok-")) << pod;
    not_polled += report.error.find("no pod on node a answers") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(not_polled, 36);
  EXPECT_EQ(polled_.size(), 44u);
}

TEST_F(StatuszNodesTest, APodThatRefusesAtOnceDoesNotMakeItsNodeSilent) {
  for (int i = 0; i < 8; ++i) add("p" + std::to_string(i), "a");
  script_ = [](const StatuszReader::Address& pod, const Done& done) {
    done(pod.pod == "p7" ? good() : decide::not_answered("connection refused"));
  };
  EXPECT_TRUE(read().at("p7").answered);
}

TEST_F(StatuszNodesTest, ThePlaceOfAPodThatHungIsFreeAgain) {
  for (int i = 0; i < 4; ++i) add("p" + std::to_string(i), "a");
  script_ = [this](const StatuszReader::Address&, const Done& done) {
    hanging_.push_back(done);
    if (hanging_.size() == 4) let_timeouts_pass();
  };
  EXPECT_FALSE(read().at("p3").answered);
  script_ = [](const StatuszReader::Address&, const Done& done) { done(good()); };
  EXPECT_TRUE(read().at("p3").answered);
}

}  // namespace
}  // namespace spanway::reconcile
