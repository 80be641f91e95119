#include "services/kafka-bridge/topic_watch.h"

#include <gtest/gtest.h>

#include <deque>

#include "services/lib/base/mutex.h"
#include "tests/fakes/eventually.h"

namespace spanway::kafka_bridge {
namespace {

using kafka::TopicChanges;

struct TopicWatchFixture {
  Result<TopicWatch::Reports> ask(TopicChanges changes) {
    MutexLock lock(mutex);
    requested.push_back(changes);
    if (answers.empty()) return unavailable("no broker has answered");
    auto answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }
  static TopicWatch::Reports weak_topic() {
    kafka::TopicReport report;
    report.name = "otel.traces";
    report.weaker = {"unclean.leader.election.enable is true, configured false"};
    report.settings_read = true;
    return {report};
  }
  static TopicWatch::Reports missing_topic() {
    kafka::TopicReport report;
    report.name = "otel.traces";
    report.action = kafka::TopicReport::Action::kFailed;
    report.error = "there is no topic otel.traces";
    return {report};
  }
  std::size_t rounds() {
    MutexLock lock(mutex);
    return requested.size();
  }

  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  Mutex mutex;
  std::deque<Result<TopicWatch::Reports>> answers;
  std::vector<TopicChanges> requested;
  std::size_t reported = 0;
  std::size_t disconnects = 0;
  TopicWatch watch{{[this](TopicChanges changes, Duration) { return ask(changes); },
                    [this] {
                      MutexLock lock(mutex);
                      ++disconnects;
                    },
                    [] {}},
                   [this](const TopicWatch::Reports&) {
                     MutexLock lock(mutex);
                     ++reported;
                   },
                   {log, metrics},
                   {.retry = std::chrono::seconds(1),
                    .incomplete = std::chrono::milliseconds(1),
                    .complete = std::chrono::hours(1)}};
};

TEST(TopicWatch, TheFirstRoundIsOverWhenStartReturns) {
  TopicWatchFixture fixture;
  fixture.answers.emplace_back(TopicWatchFixture::weak_topic());
  fixture.watch.start(true, true);
  EXPECT_EQ(fixture.watch.weaknesses(),
            std::vector<std::string>{
                "otel.traces: unclean.leader.election.enable is true, configured false"});
  ASSERT_EQ(fixture.watch.reports().size(), 1u);
  EXPECT_EQ(fixture.watch.reports()[0].name, "otel.traces");
  fixture.watch.stop();
  EXPECT_EQ(fixture.requested, std::vector<TopicChanges>{TopicChanges::kCreateAndUpdate});
  EXPECT_EQ(fixture.reported, 1u);
}

TEST(TopicWatch, WithoutCreateNothingIsEverMade) {
  TopicWatchFixture fixture;
  fixture.answers.emplace_back(TopicWatchFixture::weak_topic());
  fixture.watch.start(false, false);
  EXPECT_TRUE(fakes::eventually([&] { return !fixture.watch.weaknesses().empty(); }));
  fixture.watch.stop();
  EXPECT_EQ(fixture.requested, std::vector<TopicChanges>{TopicChanges::kNone});
}

TEST(TopicWatch, AsksAgainUntilTheBrokersAnswerAndMakesTopicsOnce) {
  TopicWatchFixture fixture;
  fixture.watch.start(true, true);
  EXPECT_TRUE(fixture.watch.weaknesses().empty());
  EXPECT_TRUE(fakes::eventually([&] { return fixture.rounds() >= 2; }));
  {
    MutexLock lock(fixture.mutex);
    fixture.answers.emplace_back(TopicWatchFixture::weak_topic());
  }
  EXPECT_TRUE(fakes::eventually([&] { return !fixture.watch.weaknesses().empty(); }));
  fixture.watch.stop();
  EXPECT_EQ(fixture.requested.back(), TopicChanges::kCreateAndUpdate);
  EXPECT_FALSE(fixture.watch.check(Duration::zero()));
  EXPECT_EQ(fixture.requested.back(), TopicChanges::kNone) << "what is deleted later stays deleted";
}

TEST(TopicWatch, ATopicThatIsMissingAtTheStartIsFoundSoonAfterItIsCreated) {
  TopicWatchFixture fixture;
  fixture.answers.emplace_back(TopicWatchFixture::missing_topic());
  fixture.answers.emplace_back(TopicWatchFixture::missing_topic());
  fixture.answers.emplace_back(TopicWatchFixture::weak_topic());
  fixture.watch.start(false, true);
  EXPECT_TRUE(fakes::eventually([&] { return !fixture.watch.weaknesses().empty(); }));
  fixture.watch.stop();
  EXPECT_EQ(fixture.rounds(), 3u) << "then it waits for the long interval";
  EXPECT_EQ(fixture.disconnects, 1u) << "one connection for all rounds until everything is known";
}

TEST(TopicWatch, NothingIsKnownOfATopicThatIsMissing) {
  TopicWatchFixture fixture;
  fixture.answers.emplace_back(TopicWatchFixture::missing_topic());
  fixture.answers.emplace_back(TopicWatchFixture::weak_topic());
  EXPECT_TRUE(fixture.watch.check(Duration::zero()));
  EXPECT_TRUE(fixture.watch.reports().empty());
  EXPECT_TRUE(fixture.watch.check(Duration::zero()));
  EXPECT_EQ(fixture.watch.reports().size(), 1u);
}

TEST(TopicWatch, StopEndsTheRequestInProgress) {
  Mutex mutex;
  CondVar changed;
  bool running = false;
  bool cancelled = false;
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  TopicWatch watch({[&](TopicChanges, Duration) -> Result<TopicWatch::Reports> {
                      MutexLock lock(mutex);
                      running = true;
                      changed.wait(mutex, [&] { return cancelled; });
                      return unavailable("cancelled");
                    },
                    [] {},
                    [&] {
                      MutexLock lock(mutex);
                      cancelled = true;
                      changed.notify_all();
                    }},
                   [](const TopicWatch::Reports&) {}, {log, metrics}, {});
  watch.start(false, false);
  ASSERT_TRUE(fakes::eventually([&] {
    MutexLock lock(mutex);
    return running;
  }));
  watch.stop();
  EXPECT_TRUE(cancelled);
}

}  // namespace
}  // namespace spanway::kafka_bridge
