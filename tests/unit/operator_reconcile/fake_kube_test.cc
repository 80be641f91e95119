#include "tests/fakes/fake_kube.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "services/lib/base/thread.h"
#include "tests/fakes/manual_clock.h"

// The fake behaves as the tests of the controller need it; api_server_contract_test.cc compares it
// with a real one.
namespace spanway::fakes {
namespace {

using kube::Json;
using testing::ElementsAre;

const kube::ObjectKey kKey{"a", "x"};

Json service(Json spec) {
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", {{"name", "x"}, {"namespace", "a"}}},
          {"spec", std::move(spec)}};
}

class FakeKubeTest : public testing::Test {
 protected:
  Json apply(Json spec, const char* manager, bool force = true) {
    auto answer = kube_.apply(kube::kServices, service(std::move(spec)),
                              {.field_manager = manager, .force = force});
    if (!answer.ok()) {
      error_ = answer.error().code;
      return nullptr;
    }
    return std::move(answer).value();
  }
  ManualClock clock_;
  FakeKube kube_{clock_};
  Code error_ = Code::kOk;
};

TEST_F(FakeKubeTest, ApplyTwiceIsOneVersion) {
  const Json once = apply({{"type", "ClusterIP"}}, "m");
  const Json twice = apply({{"type", "ClusterIP"}}, "m");
  EXPECT_EQ(once, twice);
}

TEST_F(FakeKubeTest, ApplyTakesAwayOnlyWhatNoneElseHolds) {
  apply({{"a", 1}, {"b", 2}}, "m");
  apply({{"b", 2}, {"c", 3}}, "other");
  apply({{"a", 1}}, "m");
  EXPECT_EQ(kube_.at(kube::kServices, kKey)["spec"], (Json{{"a", 1}, {"b", 2}, {"c", 3}}));
  apply(Json::object({{"z", 0}}), "m");
  EXPECT_EQ(kube_.at(kube::kServices, kKey)["spec"], (Json{{"b", 2}, {"c", 3}, {"z", 0}}));
}

TEST_F(FakeKubeTest, AConflictIsAnErrorUnlessForced) {
  apply({{"a", 1}}, "m");
  EXPECT_TRUE(apply({{"a", 2}}, "other", false).is_null());
  EXPECT_EQ(error_, Code::kAborted);
  EXPECT_EQ(apply({{"a", 2}}, "other")["spec"]["a"], 2);
}

TEST_F(FakeKubeTest, AnEditTakesTheFieldOver) {
  apply({{"a", 1}}, "m");
  kube_.edit(kube::kServices, kKey, {{"spec", {{"a", 5}}}}, "kubectl");
  apply({{"b", 1}}, "m");  // No longer ours, so it stays.
  EXPECT_EQ(kube_.at(kube::kServices, kKey)["spec"], (Json{{"a", 5}, {"b", 1}}));
}

TEST_F(FakeKubeTest, ReplicasFallBackToOneWhenTheirOnlyOwnerGivesThemUp) {
  Json deployment = service({{"replicas", 4}});
  deployment["kind"] = "Deployment";
  ASSERT_TRUE(kube_.apply(kube::kDeployments, deployment, {}).ok());
  deployment["spec"] = {{"paused", false}};
  ASSERT_TRUE(kube_.apply(kube::kDeployments, deployment, {}).ok());
  EXPECT_EQ(kube_.at(kube::kDeployments, kKey)["spec"]["replicas"], 1);
}

TEST_F(FakeKubeTest, StatusIsWrittenApartAndBumpsNoGeneration) {
  kube_.put(kube::kPipelines, service({{"a", 1}}));
  ASSERT_TRUE(kube_.merge_patch(kube::kPipelines, kKey, {{"status", {{"s", 1}}}}).ok());
  EXPECT_FALSE(kube_.at(kube::kPipelines, kKey).contains("status"));
  ASSERT_TRUE(kube_
                  .merge_patch(kube::kPipelines, kKey,
                               {{"status", {{"s", 1}}}, {"spec", {{"a", 2}}}}, "status")
                  .ok());
  const Json live = kube_.at(kube::kPipelines, kKey);
  EXPECT_EQ(live["status"]["s"], 1);
  EXPECT_EQ(live["spec"]["a"], 1);
  EXPECT_EQ(live["metadata"]["generation"], 1);
  kube_.edit(kube::kPipelines, kKey, {{"spec", {{"a", 2}}}}, "kubectl");
  EXPECT_EQ(kube_.at(kube::kPipelines, kKey)["metadata"]["generation"], 2);
}

TEST_F(FakeKubeTest, AnOldVersionIsAConflict) {
  kube_.put(kube::kPipelines, service({{"a", 1}}));
  const Json patch = {{"metadata", {{"resourceVersion", "1"}}}, {"status", {{"s", 1}}}};
  const auto answer = kube_.merge_patch(kube::kPipelines, kKey, patch, "status");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kAborted);
}

TEST_F(FakeKubeTest, OwnedObjectsGoWithTheirOwner) {
  kube_.put(kube::kPipelines, service({}));
  Json owned = service({});
  owned["metadata"]["ownerReferences"] =
      Json::array({{{"uid", kube_.at(kube::kPipelines, kKey)["metadata"]["uid"]}}});
  kube_.put(kube::kServices, owned);
  ASSERT_TRUE(kube_.remove(kube::kPipelines, kKey).ok());
  EXPECT_TRUE(kube_.all(kube::kServices).empty());
}

TEST_F(FakeKubeTest, ADeploymentReplacesItsPodsOneByOne) {
  Json deployment =
      service({{"replicas", 2}, {"template", {{"spec", {{"containers", Json::array()}}}}}});
  kube_.put(kube::kDeployments, deployment);
  for (int i = 0; i < 3; ++i) kube_.step();
  const auto ready = [&] {
    return kube::int_at(kube_.at(kube::kDeployments, kKey), "status/readyReplicas");
  };
  ASSERT_EQ(ready(), 2);
  kube_.edit(kube::kDeployments, kKey,
             {{"spec", {{"template", {{"metadata", {{"annotations", {{"v", "2"}}}}}}}}}}, "us");
  for (int i = 0; i < 10; ++i) {
    kube_.step();
    EXPECT_GE(ready(), 2);
    EXPECT_LE(kube_.all(kube::kPods).size(), 3u);
  }
  for (const Json& pod : kube_.all(kube::kPods))
    EXPECT_EQ(pod["metadata"]["annotations"]["v"], "2");
}

TEST_F(FakeKubeTest, AWatchObservesWhatComesAfterItsVersion) {
  kube_.put(kube::kServices, service({{"a", 1}}));
  const auto list = kube_.list(kube::kServices, {});
  kube::WatchOptions options;
  options.resource_version = list->resource_version;
  std::vector<int> seen;
  {
    std::stop_source stop;
    std::jthread thread = start_thread("watch", [&](const std::stop_token&) {
      (void)kube_.watch(kube::kServices, options, stop.get_token(), [&](kube::WatchEvent event) {
        seen.push_back(static_cast<int>(event.type));
        return event.type != kube::WatchEvent::Type::kDeleted;
      });
    });
    kube_.edit(kube::kServices, kKey, {{"spec", {{"a", 2}}}}, "x");
    kube_.erase(kube::kServices, kKey);
  }
  EXPECT_THAT(seen, ElementsAre(1, 2));
}

}  // namespace
}  // namespace spanway::fakes
