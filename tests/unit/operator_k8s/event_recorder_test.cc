#include "operator/k8s/event_recorder.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_kube.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::kube {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class EventRecorderTest : public testing::Test {
 protected:
  static EventNote note(const std::string& text = "It happened", const std::string& name = "p") {
    return {.regarding = Json{{"apiVersion", "spanway.dev/v1alpha1"},
                              {"kind", "Pipeline"},
                              {"metadata", {{"name", name}, {"namespace", "ns"}, {"uid", "u"}}},
                              {"spec", {{"secret", "not for Events"}}}},
            .is_warning = true,
            .reason = "RolledBack",
            .action = "Rollback",
            .note = text};
  }
  // Writes all that is queued; what it took.
  Duration drain() {
    Duration wait{};
    while (recorder_.queued() > 0 && (wait = recorder_.step()) == Duration::zero()) continue;
    return wait;
  }
  std::vector<Json> written() { return kube_.all(kEvents); }
  double dropped(const char* reason) {
    return metrics_.value("spanway_kubernetes_events_dropped_total", {{"reason", reason}});
  }

  fakes::ManualClock clock_;
  fakes::FakeKube kube_{clock_};
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  EventRecorder recorder_{"pod-1", kube_, clock_, Random(1), {log_, metrics_}};
};

TEST_F(EventRecorderTest, SetsTheFieldsThatTheApiRequires) {
  recorder_.record(note());
  clock_.advance(seconds(10));
  drain();
  ASSERT_EQ(written().size(), 1U);
  const Json event = written()[0];
  EXPECT_EQ(string_at(event, "apiVersion"), "events.k8s.io/v1");
  EXPECT_EQ(string_at(event, "kind"), "Event");
  EXPECT_EQ(string_at(event, "metadata/namespace"), "ns");
  EXPECT_EQ(string_at(event, "metadata/name").substr(0, 2), "p.");
  EXPECT_EQ(string_at(event, "eventTime"), "2026-01-01T00:00:01.000000Z")
      << "when, not when written";
  EXPECT_EQ(string_at(event, "reportingController"), "spanway.dev/operator");
  EXPECT_EQ(string_at(event, "reportingInstance"), "pod-1");
  EXPECT_EQ(string_at(event, "type"), "Warning");
  EXPECT_EQ(string_at(event, "reason"), "RolledBack");
  EXPECT_EQ(string_at(event, "action"), "Rollback");
  EXPECT_EQ(string_at(event, "note"), "It happened");
  EXPECT_EQ(event["regarding"], (Json{{"apiVersion", "spanway.dev/v1alpha1"},
                                      {"kind", "Pipeline"},
                                      {"name", "p"},
                                      {"namespace", "ns"},
                                      {"uid", "u"}}));
  EXPECT_EQ(find(event, "series"), nullptr);
}

TEST_F(EventRecorderTest, KeepsTheBoundsOfTheApi) {
  EventNote big = note(std::string(5000, 'x'), std::string(253, 'n'));
  big.reason = "";
  big.action = std::string(500, 'a');
  recorder_.record(big);
  drain();
  const Json event = written().at(0);
  EXPECT_EQ(string_at(event, "note").size(), 1024U);
  EXPECT_FALSE(string_at(event, "reason").empty());
  EXPECT_LE(string_at(event, "action").size(), 128U);
  EXPECT_LE(string_at(event, "metadata/name").size(), 253U);
  EXPECT_EQ(string_at(event, "metadata/name").find(".."), std::string::npos);
}

TEST_F(EventRecorderTest, OfSomethingWithoutANamespaceIsInDefault) {
  EventNote cluster_wide = note();
  cluster_wide.regarding["metadata"].erase("namespace");
  recorder_.record(cluster_wide);
  recorder_.record({});  // Nothing at all must not break it either.
  drain();
  EXPECT_EQ(written().size(), 2U);
  EXPECT_EQ(string_at(written()[0], "metadata/namespace"), "default");
}

TEST_F(EventRecorderTest, EqualOnesBecomeASeries) {
  for (int i = 0; i < 10; ++i) recorder_.record(note());
  recorder_.record(note("Something else"));
  drain();
  ASSERT_EQ(written().size(), 2U);
  EXPECT_EQ(kube_.write_count(), 3U) << "two creations and the count of two";
  clock_.advance(seconds(59));
  recorder_.step();
  EXPECT_EQ(kube_.write_count(), 3U);
  clock_.advance(seconds(1));
  recorder_.step();
  EXPECT_EQ(kube_.write_count(), 4U);
  int most = 0;
  for (const Json& event : written())
    most = std::max(most, static_cast<int>(int_at(event, "series/count")));
  EXPECT_EQ(most, 10);
  clock_.advance(minutes(1));
  recorder_.step();
  EXPECT_EQ(kube_.write_count(), 4U) << "no writes while idle";
}

TEST_F(EventRecorderTest, AfterSixMinutesASeriesIsOver) {
  recorder_.record(note());
  drain();
  clock_.advance(minutes(6));
  recorder_.record(note());
  drain();
  EXPECT_EQ(written().size(), 2U);
}

TEST_F(EventRecorderTest, ASeriesWhoseEventWasDeletedStartsANewEvent) {
  recorder_.record(note());
  drain();
  kube_.erase(kEvents, {"ns", string_at(written()[0], "metadata/name")});
  recorder_.record(note());
  drain();
  recorder_.record(note());
  drain();
  EXPECT_EQ(written().size(), 1U);
}

TEST_F(EventRecorderTest, OneObjectCannotFloodTheServer) {
  for (int i = 0; i < 100; ++i) recorder_.record(note("Number " + std::to_string(i)));
  recorder_.record(note("Of another", "q"));
  drain();
  EXPECT_EQ(written().size(), 26U);
  EXPECT_EQ(dropped("rate"), 75);
  clock_.advance(minutes(5));
  for (int i = 0; i < 3; ++i) recorder_.record(note("Later " + std::to_string(i)));
  drain();
  EXPECT_EQ(written().size(), 27U);
}

TEST_F(EventRecorderTest, TheQueueHasABound) {
  for (int i = 0; i < 300; ++i) recorder_.record(note("n", "p" + std::to_string(i)));
  EXPECT_EQ(recorder_.queued(), 256U);
  EXPECT_EQ(dropped("full"), 44);
}

TEST_F(EventRecorderTest, AFaultForTheMomentIsTriedAgainUnderTheSameName) {
  kube_.fail("create", "events",
             unavailable("down").with_retry_after(std::chrono::milliseconds(7000)), 2);
  recorder_.record(note());
  EXPECT_EQ(recorder_.step(), seconds(7));
  EXPECT_EQ(recorder_.queued(), 1U);
  recorder_.step();
  recorder_.step();
  EXPECT_EQ(written().size(), 1U);
  const auto writes = kube_.writes();
  ASSERT_EQ(writes.size(), 3U);
  EXPECT_EQ(writes[0], writes[2]);
  EXPECT_EQ(dropped("failed"), 0);
}

TEST_F(EventRecorderTest, AFaultThatStaysIsGivenUp) {
  kube_.fail("create", "events", unavailable("down"), 100);
  recorder_.record(note());
  int steps = 0;
  while (recorder_.queued() > 0 && steps < 50) {
    recorder_.step();
    ++steps;
  }
  EXPECT_EQ(steps, 5);
  EXPECT_EQ(dropped("failed"), 1);
}

TEST_F(EventRecorderTest, AForbiddenEventIsNotRetried) {
  kube_.fail("create", "events", configuration_error(Code::kPermissionDenied, "no"), 1);
  recorder_.record(note());
  drain();
  EXPECT_EQ(recorder_.queued(), 0U);
  EXPECT_EQ(kube_.write_count(), 1U);
  EXPECT_EQ(dropped("failed"), 1);
}

TEST_F(EventRecorderTest, TheThreadWritesTheRestBeforeItEnds) {
  recorder_.start();
  for (int i = 0; i < 20; ++i) recorder_.record(note("Number " + std::to_string(i)));
  recorder_.stop();
  EXPECT_EQ(written().size(), 20U);
}

TEST_F(EventRecorderTest, TheThreadEndsWhileTheServerIsDown) {
  kube_.fail("create", "events", unavailable("down"), 1000);
  recorder_.start();
  for (int i = 0; i < 20; ++i) recorder_.record(note("Number " + std::to_string(i)));
  recorder_.stop();
  EXPECT_EQ(recorder_.queued(), 0U);
}

}  // namespace
}  // namespace spanway::kube
