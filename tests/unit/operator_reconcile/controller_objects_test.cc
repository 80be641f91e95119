#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/unit/operator_reconcile/controller_test_base.h"

namespace spanway::reconcile {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST_F(ControllerTest, EveryKindOfObjectIsPutBackHoweverLongItHasRested) {
  Json pipeline = ControllerFixture::pipeline();
  pipeline["spec"]["ingress"]["autoscaling"] = {{"minReplicas", 2}, {"maxReplicas", 10}};
  fixture_.install(pipeline);
  for (int i = 0; i < 3; ++i) fixture_.resync();
  struct Change {
    kube::ResourceType type;
    const char* name;
    Json patch;
  };
  const Json label = {
      {"metadata",
       {{"labels", {{api::kPipelineLabel, "p"}, {"app.kubernetes.io/component", "x"}}}}}};
  for (const auto& [type, name, patch] :
       {Change{kube::kDeployments, "p-bridge", {{"spec", {{"replicas", 7}}}}},
        Change{kube::kStatefulSets, "p-tempo-consumer", label},
        Change{kube::kServices, "p-ingress", {{"spec", {{"type", "NodePort"}}}}},
        Change{kube::kPodDisruptionBudgets, "p-ingress", label},
        Change{kube::kHorizontalPodAutoscalers, "p-ingress", {{"spec", {{"maxReplicas", 99}}}}},
        Change{kube::kServiceAccounts, "p-ingress", {{"automountServiceAccountToken", true}}}}) {
    const auto made_of = [&, type = type, name = name] {
      Json object = fixture_.kube.at(type, {"team", name});
      object.erase("status");
      for (const char* field : {"resourceVersion", "generation"}) object["metadata"].erase(field);
      return object;
    };
    const Json before = made_of();
    for (int again = 0; again < 2; ++again) {
      fixture_.kube.edit(type, {"team", name}, patch, "stranger");
      ASSERT_NE(made_of(), before) << type.plural;
      fixture_.pass(std::chrono::seconds(10));
      EXPECT_EQ(made_of(), before) << type.plural;
    }
    fixture_.kube.erase(type, {"team", name});
    fixture_.pass(std::chrono::seconds(10));
    EXPECT_FALSE(fixture_.kube.at(type, {"team", name}).is_null()) << type.plural;
  }
}

TEST_F(ControllerTest, WhatAPipelineLeftAsOrphansIsAdopted) {
  fixture_.install();
  std::map<std::string, Json> left;
  const auto kinds = fixture_.stores->kinds();
  std::vector<std::pair<kube::ResourceType, Json>> objects;
  for (const kube::ResourceType& type : kinds) {
    for (Json object : fixture_.kube.all(type)) {
      object["metadata"].erase("ownerReferences");
      object["metadata"].erase("resourceVersion");
      objects.emplace_back(type, std::move(object));
    }
  }
  fixture_.kube.erase(kube::kPipelines, {"team", "p"});
  fixture_.pass(std::chrono::seconds(5));
  for (auto& [type, object] : objects) fixture_.kube.put(type, object);
  fixture_.install();
  EXPECT_THAT(fixture_.condition("Degraded"), Not(HasSubstr("ApplyFailed")));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  fixture_.pass(std::chrono::seconds(30));
  for (const kube::ResourceType& type : kinds) {
    if (type == kube::kPods || type == kube::kPipelines) continue;
    for (const Json& one : fixture_.kube.all(type)) {
      if (kube::string_at(one, "metadata/labels/spanway.dev~1pipeline") != "p") continue;
      EXPECT_EQ(kube::string_at(one, "metadata/ownerReferences/0/uid"),
                kube::string_at(object(), "metadata/uid"))
          << type.plural << " " << kube::string_at(one, "metadata/name");
    }
  }
}

TEST_F(ControllerTest, PutsDriftBack) {
  fixture_.install();
  fixture_.kube.edit(kube::kDeployments, {"team", "p-bridge"}, {{"spec", {{"replicas", 0}}}},
                     "kubectl-scale");
  fixture_.settle();
  EXPECT_EQ(kube::int_at(deployment("p-bridge"), "spec/replicas"), 1);
  EXPECT_THAT(fixture_.event("DriftReverted"),
              AllOf(HasSubstr("p-bridge"), HasSubstr("kubectl-scale"), HasSubstr("replicas")));
}

TEST_F(ControllerTest, MakesAgainWhatWasDeleted) {
  fixture_.install();
  fixture_.kube.erase(kube::kServices, {"team", "p-ingress"});
  fixture_.kube.erase(kube::kConfigMaps, {"team", "p-last-good"});
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.kube.names(kube::kServices), Contains("p-ingress"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, PausedByAnnotationOrFieldNothingIsTouched) {
  fixture_.install();
  for (const Json& patch :
       {Json{{"metadata", {{"annotations", {{api::kPauseAnnotation, "true"}}}}}},
        Json{{"metadata", {{"annotations", {{api::kPauseAnnotation, nullptr}}}}},
             {"spec", {{"paused", true}}}}}) {
    fixture_.kube.edit(kube::kPipelines, {"team", "p"}, patch, "kubectl");
    fixture_.settle();
    fixture_.kube.forget_writes();
    fixture_.kube.edit(kube::kDeployments, {"team", "p-bridge"}, {{"spec", {{"replicas", 3}}}},
                       "x");
    fixture_.change({{"ingress", {{"replicas", 2}}}});
    fixture_.pass(std::chrono::seconds(30));
    EXPECT_THAT(writes_without_status(), IsEmpty());
    EXPECT_THAT(fixture_.condition("Paused"), StartsWith("True"));
  }
  fixture_.change({{"paused", false}});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_THAT(fixture_.condition("Paused"), StartsWith("False"));
  EXPECT_EQ(kube::int_at(deployment("p-bridge"), "spec/replicas"), 1);
  EXPECT_EQ(kube::int_at(deployment("p-ingress"), "spec/replicas"), 2);
}

TEST_F(ControllerTest, ARemovedExporterTakesItsObjectsAlong) {
  Json object = ControllerFixture::pipeline();
  object["spec"]["exporters"].push_back(ControllerFixture::exporter("loki"));
  fixture_.install(object);
  ASSERT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-loki"));
  Json exporters = object["spec"]["exporters"];
  exporters.erase(1);
  fixture_.change({{"exporters", exporters}});
  fixture_.pass(std::chrono::seconds(180));
  for (const kube::ResourceType& type : fixture_.stores->kinds())
    for (const std::string& name : fixture_.kube.names(type))
      EXPECT_THAT(name, Not(HasSubstr("loki")));
  EXPECT_THAT(fixture_.kube.names(kube::kDeployments), Contains("p-tempo"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, DeletionLeavesNothing) {
  fixture_.install();
  fixture_.kube.forget_writes();
  fixture_.kube.erase(kube::kPipelines, {"team", "p"});
  fixture_.pass(std::chrono::seconds(10));
  for (const kube::ResourceType& type : fixture_.stores->kinds())
    EXPECT_THAT(fixture_.kube.names(type), IsEmpty()) << type.plural;
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
  EXPECT_EQ(fixture_.controller->pipelines(), 0u);
  EXPECT_EQ(fixture_.secrets->size(), 0u);
}

TEST_F(ControllerTest, EverythingItMakesHasThePipelineAsItsOwner) {
  Json pipeline = ControllerFixture::pipeline();
  pipeline["spec"]["exporters"].push_back(ControllerFixture::exporter("loki"));
  pipeline["spec"]["ingress"]["autoscaling"] = {{"minReplicas", 2}, {"maxReplicas", 10}};
  fixture_.install(pipeline);
  const std::string uid = kube::string_at(object(), "metadata/uid");
  ASSERT_FALSE(uid.empty());
  std::size_t seen = 0;
  for (const kube::ResourceType& type : fixture_.stores->kinds()) {
    for (const Json& one : fixture_.kube.all(type)) {
      const std::string what = std::string(type.plural) + " " + kube::to_text(one["metadata"]);
      const Json* owners = kube::find(one, "metadata/ownerReferences");
      ASSERT_NE(owners, nullptr) << what;
      ASSERT_EQ(owners->size(), 1u) << what;
      const Json& owner = owners->front();
      EXPECT_EQ(owner["uid"], uid) << what;
      EXPECT_EQ(owner["apiVersion"], kube::kPipelines.api_version()) << what;
      EXPECT_EQ(owner["kind"], "Pipeline") << what;
      EXPECT_EQ(owner["name"], "p") << what;
      EXPECT_TRUE(kube::bool_at(owner, "controller")) << what;
      EXPECT_EQ(kube::string_at(one, "metadata/namespace"), "team") << what;
      EXPECT_EQ(kube::find(one, "metadata/finalizers"), nullptr) << what;
      ++seen;
    }
  }
  EXPECT_GT(seen, 20u);
  EXPECT_THAT(fixture_.kube.names(kube::kConfigMaps), Contains("p-last-good"));
  EXPECT_EQ(fixture_.kube.all(kube::kJobs).size(), 1u);
  EXPECT_EQ(kube::find(object(), "metadata/finalizers"), nullptr);
}

TEST_F(ControllerTest, AWriteAfterTheDeletionIsCollectedToo) {
  fixture_.install();
  const Json late = fixture_.kube.at(kube::kServices, {"team", "p-ingress"});
  fixture_.kube.erase(kube::kPipelines, {"team", "p"});
  fixture_.kube.put(kube::kServices, late);
  fixture_.pass(std::chrono::seconds(10));
  EXPECT_THAT(fixture_.kube.all(kube::kServices), IsEmpty());
}

TEST_F(ControllerTest, ANewOperatorWritesNothingOverWhatItFinds) {
  fixture_.install();
  fixture_.restart();
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::seconds(120), std::chrono::seconds(30));
  for (int i = 0; i < 5; ++i) fixture_.resync();
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
}

TEST_F(ControllerTest, ChangesOfOthersToFieldsThatAreNotOursStay) {
  fixture_.install();
  fixture_.kube.forget_writes();
  fixture_.kube.edit(
      kube::kDeployments, {"team", "p-bridge"},
      {{"metadata", {{"annotations", {{"team/owner", "us"}}}, {"labels", {{"team", "us"}}}}}},
      "kubectl-annotate");
  fixture_.kube.edit(kube::kServices, {"team", "p-ingress"},
                     {{"metadata", {{"annotations", {{"lb.example/id", "7"}}}}}},
                     "cloud-controller");
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
  EXPECT_EQ(kube::string_at(deployment("p-bridge"), "metadata/labels/team"), "us");
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
}

TEST_F(ControllerTest, ARolloutRestartOfKubectlIsLeftAlone) {
  fixture_.install();
  const auto pods = fixture_.kube.names(kube::kPods);
  fixture_.kube.forget_writes();
  fixture_.kube.edit(
      kube::kDeployments, {"team", "p-bridge"},
      {{"spec",
        {{"template",
          {{"metadata",
            {{"annotations",
              {{"kubectl.kubernetes.io/restartedAt", "2026-01-01T00:05:00Z"}}}}}}}}}},
      "kubectl-rollout");
  fixture_.pass(std::chrono::seconds(120));
  EXPECT_THAT(writes_without_status(), IsEmpty());
  EXPECT_EQ(
      kube::string_at(deployment("p-bridge"),
                      "spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"),
      "2026-01-01T00:05:00Z");
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
  EXPECT_NE(fixture_.kube.names(kube::kPods), pods) << "the restart has happened";
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(ControllerTest, OurRestartAnnotationRestartsOnce) {
  fixture_.install();
  fixture_.kube.edit(kube::kPipelines, {"team", "p"},
                     {{"metadata", {{"annotations", {{api::kRestartAnnotation, "now"}}}}}},
                     "kubectl");
  const auto before = fixture_.kube.names(kube::kPods);
  fixture_.pass(std::chrono::seconds(900));
  const auto after = fixture_.kube.names(kube::kPods);
  EXPECT_NE(after, before);
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_THAT(fixture_.condition("Progressing"), StartsWith("False"));
  fixture_.kube.forget_writes();
  fixture_.restart();
  fixture_.pass(std::chrono::seconds(300), std::chrono::seconds(30));
  EXPECT_EQ(fixture_.kube.names(kube::kPods), after) << "not again";
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
}

TEST_F(ControllerTest, APipelineThatIsBeingDeletedIsLeftAlone) {
  fixture_.install();
  fixture_.kube.forget_writes();
  fixture_.kube.edit(kube::kPipelines, {"team", "p"},
                     {{"metadata", {{"deletionTimestamp", "2026-01-01T00:00:00Z"}}},
                      {"spec", {{"ingress", {{"replicas", 9}}}}}},
                     "kubectl");
  fixture_.pass(std::chrono::seconds(10));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
}

TEST_F(ControllerTest, AnObjectOfAnotherOwnerStopsItAndIsNotTouched) {
  const Json foreign = {{"metadata", {{"name", "p-ingress"}, {"namespace", "team"}}},
                        {"spec", {{"type", "ExternalName"}}}};
  fixture_.kube.put(kube::kServices, foreign, "helm");
  fixture_.install();
  EXPECT_EQ(fixture_.condition("Degraded"), "True: ApplyFailed");
  EXPECT_THAT(fixture_.message("Degraded"), HasSubstr("does not belong to this Pipeline"));
  EXPECT_EQ(fixture_.kube.at(kube::kServices, {"team", "p-ingress"})["spec"], foreign["spec"]);
}

}  // namespace
}  // namespace spanway::reconcile
