// GET /statusz over real connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/reconcile/statusz.h"
#include "tests/fakes/fake_http_backend.h"

namespace spanway::reconcile {
namespace {

using ::testing::HasSubstr;

constexpr char kBody[] = R"({"ready":true,"kafka":{"reachable":true}})";

class StatuszReaderTest : public ::testing::Test {
 protected:
  StatuszReader::Address address(const std::string& pod) const {
    return {.pod = pod, .ip = "127.0.0.1", .port = backend_.port()};
  }
  StatuszReport read_one() { return reader_->read({address("p")}).at("p"); }

  fakes::FakeHttpBackend backend_;
  std::unique_ptr<StatuszReader> reader_ = make_statusz_reader();
};

TEST_F(StatuszReaderTest, AsksForStatuszAndReadsIt) {
  backend_.answer_with([](const fakes::SeenRequest&) { return fakes::http_answer(200, kBody); });
  const StatuszReport report = read_one();
  EXPECT_TRUE(report.answered);
  EXPECT_TRUE(report.kafka_reachable);
  ASSERT_EQ(backend_.requests().size(), 1u);
  EXPECT_EQ(backend_.requests()[0].head.method, "GET");
  EXPECT_EQ(backend_.requests()[0].head.path, "/statusz");
}

TEST_F(StatuszReaderTest, NobodyToAskIsNoWait) { EXPECT_TRUE(reader_->read({}).empty()); }

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

TEST_F(StatuszReaderTest, WhatIsNoReportIsAnErrorThatSaysWhy) {
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

TEST_F(StatuszReaderTest, APodThatHangsHoldsUpNobodyForLong) {
  reader_ = make_statusz_reader(std::chrono::milliseconds(500));
  backend_.answer_with([](const fakes::SeenRequest&) { return fakes::Answer(); });
  const StatuszReport report = read_one();
  EXPECT_FALSE(report.answered);
  EXPECT_FALSE(report.error.empty());
  backend_.release([] { return fakes::http_answer(200, kBody); });
  backend_.answer_with([](const fakes::SeenRequest&) { return fakes::http_answer(200, kBody); });
  EXPECT_TRUE(read_one().answered) << "and its place is free again";
}

TEST_F(StatuszReaderTest, ANodeThatHangsHoldsUpItsOwnPodsOnlyAndIsGivenUp) {
  reader_ = make_statusz_reader(std::chrono::milliseconds(500));
  backend_.answer_with([](const fakes::SeenRequest&) { return fakes::Answer(); });
  fakes::FakeHttpBackend healthy;
  healthy.answer_with([](const fakes::SeenRequest&) { return fakes::http_answer(200, kBody); });
  std::vector<StatuszReader::Address> pods;
  for (int i = 0; i < 40; ++i) {
    pods.push_back(address("hangs-" + std::to_string(i)));
    pods.back().node = "a";
    pods.push_back(
        {.pod = "ok-" + std::to_string(i), .ip = "127.0.0.1", .port = healthy.port(), .node = "b"});
  }
  const auto reports = reader_->read(pods);
  int not_asked = 0;
  for (const auto& [pod, report] : reports) {
    EXPECT_EQ(report.answered, pod.starts_with("ok-")) << pod;
    not_asked += report.error.find("no pod on node a answers") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(not_asked, 36);
  backend_.release([] { return fakes::http_answer(200, kBody); });
}

}  // namespace
}  // namespace spanway::reconcile
