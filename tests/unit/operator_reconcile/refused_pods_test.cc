#include "operator/reconcile/refused_pods.h"

#include <gtest/gtest.h>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

Json refusal(const char* uid, const char* note, const char* time) {
  return {{"reason", "FailedCreate"},
          {"regarding", {{"uid", uid}}},
          {"note", note},
          {"deprecatedLastTimestamp", time}};
}

TEST(RefusedPods, TheNewestRefusalOfTheObjectIsReportedWithoutTheNameOfThePod) {
  const std::vector<Json> events = {
      refusal("u", "Error creating: old", "2026-01-01T00:00:00Z"),
      refusal("u",
              "create Pod s-0 in StatefulSet s failed error: pods \"s-0\" is forbidden: exceeded "
              "quota: q",
              "2026-01-01T00:01:00Z"),
      refusal("other", "Error creating: x", "2026-01-01T00:02:00Z")};
  EXPECT_EQ(newest_refusal(events, "u"),
            "pods cannot be created: a pod is forbidden: exceeded quota: q");
  EXPECT_EQ(newest_refusal(events, "none"), "");
}

TEST(RefusedPods, AStatefulSetAndAJobLackPods) {
  EXPECT_TRUE(lacks_pods({{"spec", {{"replicas", 2}}}, {"status", {{"replicas", 1}}}}));
  EXPECT_FALSE(lacks_pods({{"spec", {{"replicas", 2}}}, {"status", {{"replicas", 2}}}}));
  const Json job = {{"backoffLimit", 3}};
  EXPECT_TRUE(lacks_pods({{"spec", job}, {"status", Json::object()}}));
  EXPECT_FALSE(lacks_pods({{"spec", job}, {"status", {{"active", 1}}}}));
  EXPECT_FALSE(lacks_pods({{"spec", job}, {"status", {{"succeeded", 1}}}}));
}

TEST(RefusedPods, RequestsOnceInAWhileForEachObjectThatLacksPods) {
  ControllerFixture fixture;
  RefusedPods refused;
  const Json set = {{"metadata", {{"name", "s"}, {"namespace", "team"}, {"uid", "u"}}},
                    {"spec", {{"replicas", 1}}}};
  fixture.kube.put(kube::kEvents, {{"metadata", {{"name", "e"}, {"namespace", "team"}}},
                                   {"reason", "FailedCreate"},
                                   {"regarding", {{"uid", "u"}}},
                                   {"note", "Error creating: quota"}});
  const auto answer = [&] {
    return refused.refusal_of(fixture.kube, kube::kStatefulSets, set, fixture.clock.now()).refusal;
  };
  const std::size_t before = fixture.kube.read_count();
  EXPECT_EQ(answer(), "pods cannot be created: quota");
  EXPECT_EQ(answer(), "pods cannot be created: quota");
  EXPECT_EQ(fixture.kube.read_count(), before + 1);
  fixture.clock.advance(RefusedPods::kAnswerCounts);
  answer();
  EXPECT_EQ(fixture.kube.read_count(), before + 2);
  Json complete = set;
  complete["status"]["replicas"] = 1;
  EXPECT_EQ(
      refused.refusal_of(fixture.kube, kube::kStatefulSets, complete, fixture.clock.now()).refusal,
      "");
  EXPECT_EQ(fixture.kube.read_count(), before + 2) << "nothing is requested when nothing changes";
}

TEST(RefusedPods, AnAnswerThatStaysTheSameIsRequestedEverMoreSeldom) {
  ControllerFixture fixture;
  RefusedPods refused;
  Json set = {{"metadata", {{"name", "s"}, {"namespace", "team"}, {"uid", "u"}, {"generation", 1}}},
              {"spec", {{"replicas", 1}}}};
  const auto lists_within = [&](Duration time) {
    const std::size_t before = fixture.kube.read_count("list");
    for (Duration at = Duration::zero(); at < time; at += std::chrono::seconds(10)) {
      refused.refusal_of(fixture.kube, kube::kStatefulSets, set, fixture.clock.now());
      fixture.clock.advance(std::chrono::seconds(10));
    }
    return fixture.kube.read_count("list") - before;
  };
  EXPECT_EQ(lists_within(std::chrono::minutes(15)), 5u) << "after 0, 30, 90, 210, 450 s";
  EXPECT_EQ(lists_within(std::chrono::hours(1)), 6u) << "ten minutes at most";
  set["metadata"]["generation"] = 2;
  EXPECT_EQ(lists_within(std::chrono::seconds(60)), 2u) << "a changed one is another one";
  fixture.kube.put(kube::kEvents, {{"metadata", {{"name", "e"}, {"namespace", "team"}}},
                                   {"reason", "FailedCreate"},
                                   {"regarding", {{"uid", "u"}}},
                                   {"note", "Error creating: quota"}});
  fixture.clock.advance(RefusedPods::kAnswerCountsMax);
  EXPECT_EQ(lists_within(std::chrono::seconds(60)), 2u) << "and so is another answer";
}

}  // namespace
}  // namespace spanway::reconcile
