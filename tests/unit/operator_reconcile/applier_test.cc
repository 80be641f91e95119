#include "operator/reconcile/applier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ApplierTest : public testing::Test {
 protected:
  void SetUp() override {
    fixture_.kube.put(kube::kPipelines, ControllerFixture::pipeline());
    fixture_.sync();
    pipeline_ = fixture_.kube.at(kube::kPipelines, {"team", "p"});
  }
  Json owner() const {
    return {{"apiVersion", "spanway.dev/v1alpha1"},
            {"kind", "Pipeline"},
            {"name", "p"},
            {"uid", kube::string_at(pipeline_, "metadata/uid")},
            {"controller", true}};
  }
  render::Manifest deployment(Json spec_patch = Json::object()) const {
    Json object = {
        {"apiVersion", "apps/v1"},
        {"kind", "Deployment"},
        {"metadata",
         {{"name", "p-ingress"},
          {"namespace", "team"},
          {"labels",
           {{"app.kubernetes.io/managed-by", "spanway-operator"}, {"spanway.dev/pipeline", "p"}}},
          {"ownerReferences", Json::array({owner()})}}},
        {"spec",
         {{"replicas", 3},
          {"selector", {{"matchLabels", {{"app", "x"}}}}},
          {"template",
           {{"metadata", {{"labels", {{"app", "x"}}}}},
            {"spec", {{"containers", Json::array({{{"name", "ingress"}, {"image", "a:1"}}})}}}}}}}};
    object["spec"].merge_patch(spec_patch);
    return {kube::kDeployments, object};
  }
  Result<bool> apply(const render::Manifest& manifest) {
    auto applied = applier_.apply(pipeline_, manifest);
    return applied;
  }
  Json live() const { return fixture_.kube.at(kube::kDeployments, {"team", "p-ingress"}); }
  static Json image(const char* image) {
    return {{"template",
             {{"spec", {{"containers", Json::array({{{"name", "ingress"}, {"image", image}}})}}}}}};
  }

  ControllerFixture fixture_;
  Json pipeline_;
  MutationCache mutations_{fixture_.clock};
  Applier applier_{fixture_.kube, *fixture_.stores, mutations_, fixture_.events, fixture_.clock};
};

TEST_F(ApplierTest, CreatesOnceAndThenWritesNothing) {
  ASSERT_TRUE(*apply(deployment()));
  fixture_.sync();
  fixture_.kube.forget_writes();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(*apply(deployment()));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
}

TEST_F(ApplierTest, WritesNothingTwiceWhileTheStoreLagsBehind) {
  ASSERT_TRUE(*apply(deployment()));
  EXPECT_FALSE(*apply(deployment()));
  ASSERT_TRUE(*apply(deployment(image("a:2"))));
  EXPECT_FALSE(*apply(deployment(image("a:2"))));
  EXPECT_EQ(fixture_.kube.write_count(), 2u);
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
}

TEST_F(ApplierTest, PutsDriftBackAndNamesWhoDidIt) {
  ASSERT_TRUE(*apply(deployment()));
  fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", image("evil:1")}},
                     "kubectl-edit");
  fixture_.sync();
  EXPECT_TRUE(*apply(deployment()));
  EXPECT_EQ(kube::string_at(live(), "spec/template/spec/containers/0/image"), "a:1");
  EXPECT_THAT(fixture_.event("DriftReverted"), HasSubstr("\"kubectl-edit\""));
  EXPECT_THAT(fixture_.event("DriftReverted"), HasSubstr("containers/0/image"));
}

TEST_F(ApplierTest, LeavesForeignFieldsAlone) {
  ASSERT_TRUE(*apply(deployment()));
  const Json restart = {{"kubectl.kubernetes.io/restartedAt", "2026-01-01T00:00:00Z"}};
  fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"},
                     {{"spec", {{"template", {{"metadata", {{"annotations", restart}}}}}}}},
                     "kubectl-rollout");
  fixture_.sync();
  EXPECT_FALSE(*apply(deployment()));
  ASSERT_TRUE(*apply(deployment(image("a:2"))));
  EXPECT_EQ(live()["spec"]["template"]["metadata"]["annotations"], restart);
}

TEST_F(ApplierTest, TakesOutWhatOthersAddToFieldsThatAreOwnedWhole) {
  ASSERT_TRUE(*apply(deployment()));
  const Json before = live()["spec"];
  const Json additions = {
      {{"template", {{"spec", {{"nodeSelector", {{"disk", "ssd"}}}}}}}},
      {{"template",
        {{"spec",
          {{"containers",
            Json::array({{{"name", "ingress"},
                          {"image", "a:1"},
                          {"env", Json::array({{{"name", "LD_PRELOAD"}, {"value", "x"}}})}}})}}}}}},
      {{"template",
        {{"spec",
          {{"containers", Json::array({{{"name", "ingress"}, {"image", "a:1"}},
                                       {{"name", "miner"}, {"image", "m:1"}}})}}}}}},
      {{"template", {{"spec", {{"hostNetwork", true}}}}}},
      {{"paused", true}}};
  for (const Json& addition : additions) {
    SCOPED_TRACE(kube::to_text(addition));
    fixture_.events_seen.clear();
    fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", addition}},
                       "kubectl-edit");
    fixture_.sync();
    EXPECT_TRUE(*apply(deployment()));
    EXPECT_TRUE(kube::contains(before, live()["spec"])) << live()["spec"];
    EXPECT_THAT(fixture_.event("DriftReverted"), HasSubstr("\"kubectl-edit\""));
    fixture_.sync();
    EXPECT_FALSE(*apply(deployment()));
  }
}

TEST_F(ApplierTest, AKeyAddedToTheSelectorOfAServiceIsTakenOut) {
  render::Manifest service{kube::kServices,
                           {{"apiVersion", "v1"},
                            {"kind", "Service"},
                            {"metadata", deployment().object["metadata"]},
                            {"spec",
                             {{"selector", {{"app", "x"}}},
                              {"ports", Json::array({{{"name", "otlp"}, {"port", 4317}}})}}}}};
  ASSERT_TRUE(*apply(service));
  fixture_.kube.edit(kube::kServices, {"team", "p-ingress"},
                     {{"spec",
                       {{"selector", {{"example.com/evil", "1"}}},
                        {"ports", Json::array({{{"name", "otlp"}, {"port", 4317}},
                                               {{"name", "more"}, {"port", 99}}})}}}},
                     "kubectl-patch");
  fixture_.sync();
  EXPECT_TRUE(*apply(service));
  const Json live = fixture_.kube.at(kube::kServices, {"team", "p-ingress"});
  EXPECT_EQ(live["spec"]["selector"], (Json{{"app", "x"}}));
  EXPECT_EQ(live["spec"]["ports"].size(), 1u);
  EXPECT_THAT(fixture_.event("DriftReverted"), HasSubstr("\"kubectl-patch\""));
  EXPECT_THAT(fixture_.event("DriftReverted"), HasSubstr("spec/selector/example.com/evil"));
}

TEST_F(ApplierTest, AFieldThatAWebhookRewritesHidesNoDriftOfOthers) {
  // An image mirror.
  const auto mirror = [&] {
    fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", image("mirror/a:1")}},
                       "webhook");
    fixture_.sync();
  };
  fixture_.kube.on_store = [](const kube::ResourceType& type, Json& object) {
    if (!(type == kube::kDeployments)) return;
    Json& image = object["spec"]["template"]["spec"]["containers"][0]["image"];
    if (image == "a:1") image = "mirror/a:1";
  };
  ASSERT_TRUE(*apply(deployment()));
  mirror();
  EXPECT_FALSE(*apply(deployment()));
  fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", {{"replicas", 9}}}},
                     "kubectl-edit");
  fixture_.sync();
  EXPECT_TRUE(*apply(deployment()));
  EXPECT_EQ(kube::int_at(live(), "spec/replicas"), 3);
  fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", image("evil:1")}},
                     "kubectl-edit");
  fixture_.sync();
  EXPECT_TRUE(*apply(deployment())) << "another value than the one the webhook has made";
  EXPECT_EQ(kube::string_at(live(), "spec/template/spec/containers/0/image"), "mirror/a:1");
  fixture_.sync();
  EXPECT_FALSE(*apply(deployment()));
}

TEST_F(ApplierTest, WhatAWebhookHasMadeIsPutBackOnceTheWebhookIsGone) {
  const auto image_of = [&] {
    return kube::string_at(live(), "spec/template/spec/containers/0/image");
  };
  fixture_.kube.on_store = [](const kube::ResourceType& type, Json& object) {
    if (!(type == kube::kDeployments)) return;
    Json& image = object["spec"]["template"]["spec"]["containers"][0]["image"];
    if (image == "a:1") image = "mirror/a:1";
  };
  const auto content = [&] {
    return applier_.content_hash(kube::kDeployments, {"team", "p-ingress"});
  };
  ASSERT_TRUE(*apply(deployment()));
  fixture_.sync();
  EXPECT_FALSE(*apply(deployment()));
  EXPECT_TRUE(content().has_value());
  fixture_.clock.advance(kNotKeptFor);
  EXPECT_FALSE(content().has_value()) << "an apply may write something";
  EXPECT_TRUE(*apply(deployment())) << "it is tried again";
  fixture_.sync();
  EXPECT_EQ(image_of(), "mirror/a:1");
  EXPECT_FALSE(*apply(deployment())) << "and not again and again";
  fixture_.kube.on_store = nullptr;
  fixture_.clock.advance(kNotKeptFor);
  EXPECT_TRUE(*apply(deployment()));
  fixture_.sync();
  EXPECT_EQ(image_of(), "a:1");
  fixture_.clock.advance(kNotKeptFor);
  EXPECT_FALSE(*apply(deployment())) << "nothing is remembered";
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
}

TEST_F(ApplierTest, WhatAWebhookHasAddedIsTakenOutOnceTheWebhookIsGone) {
  fixture_.kube.on_store = [](const kube::ResourceType& type, Json& object) {
    if (type == kube::kDeployments)
      object["spec"]["template"]["spec"]["containers"][0]["env"] =
          Json::array({{{"name", "INJECTED"}, {"value", "1"}}});
  };
  for (int i = 0; i < 3; ++i) {
    (void)apply(deployment());
    fixture_.sync();
  }
  ASSERT_FALSE(*apply(deployment()));
  fixture_.kube.on_store = nullptr;
  fixture_.clock.advance(kNotKeptFor);
  EXPECT_TRUE(*apply(deployment()));
  fixture_.sync();
  const Json object = live();
  const Json* left = kube::find(object, "spec/template/spec/containers/0/env");
  EXPECT_TRUE(left == nullptr || left->empty());
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
}

TEST_F(ApplierTest, AWebhookThatWritesSomethingElseEachTimeDoesNotMakeUsWriteForEver) {
  int writes = 0;
  fixture_.kube.on_store = [&](const kube::ResourceType& type, Json& object) {
    if (type == kube::kDeployments)
      object["spec"]["template"]["spec"]["containers"][0]["image"] =
          "w:" + std::to_string(++writes);
  };
  for (int i = 0; i < 50; ++i) {
    (void)apply(deployment());
    fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"},
                       {{"metadata", {{"annotations", {{"touched", std::to_string(i)}}}}}},
                       "other");
    fixture_.sync();
  }
  EXPECT_LT(fixture_.kube.write_count(), 10u);
}

TEST_F(ApplierTest, WhatAWebhookAddsAgainAndAgainIsLeft) {
  fixture_.kube.on_store = [](const kube::ResourceType& type, Json& object) {
    if (type == kube::kDeployments)
      object["spec"]["template"]["spec"]["containers"][0]["env"] =
          Json::array({{{"name", "INJECTED"}, {"value", "1"}}});
  };
  for (int i = 0; i < 10; ++i) {
    (void)apply(deployment());
    fixture_.sync();
  }
  EXPECT_LE(fixture_.kube.write_count(), 2u);
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
}

TEST_F(ApplierTest, NeverTakesOverWhatIsNotOurs) {
  render::Manifest foreign = deployment();
  foreign.object["metadata"].erase("ownerReferences");
  foreign.object["metadata"].erase("labels");
  fixture_.kube.put(kube::kDeployments, foreign.object, "helm");
  fixture_.sync();
  const auto applied = apply(deployment(image("a:2")));
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().refusal, Refusal::kConfiguration);
  EXPECT_THAT(applied.error().message, HasSubstr("does not belong to this Pipeline"));
  EXPECT_EQ(kube::string_at(live(), "spec/template/spec/containers/0/image"), "a:1");
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
}

TEST_F(ApplierTest, WaitsForTheObjectsOfADeletedPipelineOfTheSameName) {
  render::Manifest old = deployment();
  old.object["metadata"]["ownerReferences"][0]["uid"] = "uid-of-before";
  fixture_.kube.put(kube::kDeployments, old.object, "spanway-operator");
  fixture_.sync();
  const auto applied = apply(deployment());
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().refusal, Refusal::kTransient);
}

TEST_F(ApplierTest, HandsReplicasOverToAnAutoscaler) {
  ASSERT_TRUE(*apply(deployment()));
  fixture_.sync();
  ASSERT_TRUE(*apply(deployment({{"replicas", nullptr}})));
  EXPECT_EQ(kube::int_at(live(), "spec/replicas"), 3);
  fixture_.sync();
  // The autoscaler raises; nothing of ours ever lowers again.
  fixture_.kube.edit(kube::kDeployments, {"team", "p-ingress"}, {{"spec", {{"replicas", 7}}}},
                     "hpa");
  fixture_.sync();
  EXPECT_FALSE(*apply(deployment({{"replicas", nullptr}})));
  render::Manifest next = deployment(image("a:2"));
  next.object["spec"].erase("replicas");
  ASSERT_TRUE(*apply(next));
  EXPECT_EQ(kube::int_at(live(), "spec/replicas"), 7);
  EXPECT_FALSE(fixture_.has_event("DriftReverted"));
}

TEST_F(ApplierTest, TheHandOverFailsRatherThanLowerWhatAnAutoscalerHasJustRaised) {
  ASSERT_TRUE(*apply(deployment()));
  fixture_.sync();
  fixture_.kube.fail("apply", "deployments",
                     transient_error(Code::kAborted, "conflict").with_reason("conflict"));
  const auto applied = apply(deployment({{"replicas", nullptr}}));
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(kube::int_at(live(), "spec/replicas"), 3);
}

TEST_F(ApplierTest, TakesAwayFieldsThatAreNoLongerDesired) {
  render::Manifest with = deployment();
  with.object["spec"]["minReadySeconds"] = 5;
  ASSERT_TRUE(*apply(with));
  fixture_.sync();
  ASSERT_TRUE(*apply(deployment()));
  EXPECT_FALSE(live()["spec"].contains("minReadySeconds"));
}

TEST_F(ApplierTest, DeletesOnlyItsOwnAndOnlyThatVeryObject) {
  ASSERT_TRUE(*apply(deployment()));
  Json other = live();
  other["metadata"]["ownerReferences"][0]["uid"] = "stranger";
  EXPECT_TRUE(applier_.remove(pipeline_, kube::kDeployments, other).ok());
  EXPECT_FALSE(live().is_null());
  EXPECT_TRUE(applier_.remove(pipeline_, kube::kDeployments, live()).ok());
  EXPECT_TRUE(live().is_null());
}

TEST_F(ApplierTest, ExplainsARefusedSelector) {
  ASSERT_TRUE(*apply(deployment()));
  fixture_.sync();
  const auto applied = apply(deployment({{"selector", {{"matchLabels", {{"app", "y"}}}}}}));
  ASSERT_FALSE(applied.ok());
  EXPECT_THAT(applied.error().message, HasSubstr("--cascade=orphan"));
}

}  // namespace
}  // namespace spanway::reconcile
