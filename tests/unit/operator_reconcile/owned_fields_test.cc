#include "operator/reconcile/owned_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::reconcile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Json with_pod(const Json& pod) { return {{"spec", {{"template", {{"spec", pod}}}}}}; }

TEST(OwnedFields, WhatTheServerDefaultsIsNotForeign) {
  const Json desired = with_pod(
      {{"containers",
        Json::array({{{"name", "a"}, {"ports", Json::array({{{"containerPort", 1}}})}}})}});
  Json live = desired;
  Json& pod = live["spec"]["template"]["spec"];
  pod["hostNetwork"] = false;
  pod["schedulerName"] = "default-scheduler";
  pod["dnsPolicy"] = "ClusterFirst";
  pod["containers"][0]["ports"][0]["protocol"] = "TCP";
  pod["containers"][0]["terminationMessagePath"] = "/dev/termination-log";
  live["spec"]["paused"] = false;
  EXPECT_THAT(foreign_fields(kube::kDeployments, live, desired), IsEmpty());
}

TEST(OwnedFields, NamesWhatIsAddedAndTakesItOut) {
  const Json desired = with_pod(
      {{"nodeSelector", {{"a", "1"}}},
       {"containers", Json::array({{{"name", "a"}, {"env", Json::array({{{"name", "X"}}})}}})}});
  Json live = with_pod(
      {{"nodeSelector", {{"a", "1"}, {"k/b", "2"}}},
       {"containers",
        Json::array(
            {{{"name", "first"}},
             {{"name", "a"},
              {"command", Json::array({"sh"})},
              {"env", Json::array({{{"name", "Y"}}, {{"name", "X"}}, {{"name", "Z"}}})}}})}});
  const auto foreign = foreign_fields(kube::kStatefulSets, live, desired);
  std::vector<std::string> readable;
  for (const std::string& path : foreign) readable.push_back(readable_path(live, path));
  EXPECT_THAT(readable, testing::UnorderedElementsAre("spec/template/spec/nodeSelector/k/b",
                                                      "spec/template/spec/containers/first",
                                                      "spec/template/spec/containers/a/command",
                                                      "spec/template/spec/containers/a/env/Y",
                                                      "spec/template/spec/containers/a/env/Z"));
  EXPECT_EQ(remove_fields(live, foreign), desired);
}

TEST(OwnedFields, OfAServiceTheSelectorThePortsAndWhoElseIsReached) {
  const Json desired = {
      {"spec",
       {{"selector", {{"a", "1"}}}, {"ports", Json::array({{{"port", 1}, {"protocol", "TCP"}}})}}}};
  Json live = desired;
  live["spec"]["ports"][0]["nodePort"] = 30001;
  live["spec"]["clusterIP"] = "10.0.0.1";
  EXPECT_THAT(foreign_fields(kube::kServices, live, desired), IsEmpty());
  live["spec"]["selector"]["b"] = "2";
  live["spec"]["ports"].push_back({{"port", 2}, {"protocol", "TCP"}});
  live["spec"]["publishNotReadyAddresses"] = true;
  EXPECT_THAT(foreign_fields(kube::kServices, live, desired),
              ElementsAre("spec/selector/b", "spec/ports/1", "spec/publishNotReadyAddresses"));
}

// Each of these keeps pods from running, or from resolving names.
TEST(OwnedFields, OfPodsWhatDecidesWhetherTheyRunAndResolveNames) {
  const Json desired = with_pod({{"containers", Json::array({{{"name", "a"}}})}});
  const auto foreign_with = [&](const char* field, const Json& value) {
    Json live = desired;
    live["spec"]["template"]["spec"][field] = value;
    const auto foreign = foreign_fields(kube::kDeployments, live, desired);
    EXPECT_EQ(remove_fields(live, foreign), desired);
    return foreign;
  };
  EXPECT_THAT(foreign_with("dnsPolicy", "Default"), ElementsAre("spec/template/spec/dnsPolicy"));
  EXPECT_THAT(foreign_with("dnsConfig", {{"nameservers", Json::array({"9.9.9.9"})}}),
              ElementsAre("spec/template/spec/dnsConfig"));
  EXPECT_THAT(foreign_with("schedulerName", "none"),
              ElementsAre("spec/template/spec/schedulerName"));
  EXPECT_THAT(foreign_with("readinessGates", Json::array({{{"conditionType", "x/y"}}})),
              ElementsAre("spec/template/spec/readinessGates"));
  EXPECT_THAT(foreign_with("activeDeadlineSeconds", 60),
              ElementsAre("spec/template/spec/activeDeadlineSeconds"));
  EXPECT_THAT(foreign_with("shareProcessNamespace", true),
              ElementsAre("spec/template/spec/shareProcessNamespace"));
  for (const char* field : {"hostname", "subdomain"})
    EXPECT_THAT(foreign_with(field, "x"), ElementsAre(std::string("spec/template/spec/") + field));
}

TEST(OwnedFields, OfAWorkloadHowLongAPodMustBeReadyToCount) {
  const Json desired = with_pod({{"containers", Json::array({{{"name", "a"}}})}});
  Json live = desired;
  live["spec"]["minReadySeconds"] = 0;
  EXPECT_THAT(foreign_fields(kube::kStatefulSets, live, desired), IsEmpty());
  live["spec"]["minReadySeconds"] = 600;
  EXPECT_THAT(foreign_fields(kube::kStatefulSets, live, desired),
              ElementsAre("spec/minReadySeconds"));
}

// internalTrafficPolicy Local cuts off the clients of nodes without a pod.
TEST(OwnedFields, OfAServiceWhichPodTheTrafficGoesTo) {
  const Json desired = {{"spec", {{"selector", {{"a", "1"}}}}}};
  Json live = desired;
  live["spec"]["internalTrafficPolicy"] = "Cluster";
  live["spec"]["sessionAffinity"] = "None";
  EXPECT_THAT(foreign_fields(kube::kServices, live, desired), IsEmpty());
  live["spec"]["internalTrafficPolicy"] = "Local";
  live["spec"]["sessionAffinity"] = "ClientIP";
  live["spec"]["sessionAffinityConfig"] = {{"clientIP", {{"timeoutSeconds", 10800}}}};
  live["spec"]["trafficDistribution"] = "PreferClose";
  const auto foreign = foreign_fields(kube::kServices, live, desired);
  EXPECT_THAT(foreign, ElementsAre("spec/internalTrafficPolicy", "spec/sessionAffinity",
                                   "spec/sessionAffinityConfig", "spec/trafficDistribution"));
  EXPECT_EQ(remove_fields(live, foreign), desired);
}

}  // namespace
}  // namespace spanway::reconcile
