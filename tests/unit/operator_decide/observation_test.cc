// Pods and workloads as the API server shows them. The texts are those of kubelets and schedulers.
#include "operator/decide/observation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/decide/pod_health.h"
#include "operator/decide/wall_time.h"
#include "tests/unit/operator_decide/renderings.h"

namespace spanway::decide {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kNowMs = 1'800'000'000'000;  // 2027-01-15T08:00:00Z

Json running(const std::string& name, bool ready = true, std::int64_t restarts = 0) {
  return {{"name", name},
          {"ready", ready},
          {"restartCount", restarts},
          {"state", {{"running", {{"startedAt", "2027-01-15T07:30:00Z"}}}}}};
}
Json waiting(const std::string& name, const std::string& reason, const std::string& message = "") {
  return {{"name", name},
          {"ready", false},
          {"restartCount", 0},
          {"state", {{"waiting", {{"reason", reason}, {"message", message}}}}}};
}
Json ended(int code, const std::string& reason, const std::string& message,
           const std::string& at = "2027-01-15T07:59:00Z") {
  return {{"exitCode", code}, {"reason", reason}, {"message", message}, {"finishedAt", at}};
}

class PodTest : public ::testing::Test {
 protected:
  PodTest() {
    pod_ = {
        {"metadata",
         {{"name", "p-ingress-5d-x"},
          {"uid", "u1"},
          {"creationTimestamp", "2027-01-15T07:00:00Z"},
          {"labels",
           {{api::kPipelineLabel, "p"},
            {api::kComponentLabel, "ingress"},
            {api::kTrackLabel, "stable"}}},
          {"annotations", {{api::kRevisionAnnotation, "r1"}}}}},
        {"spec", {{"containers", Json::array({Json{{"name", "ingress"}, {"image", "repo/x:1"}}})}}},
        {"status",
         {{"phase", "Running"},
          {"podIP", "10.0.0.7"},
          {"containerStatuses", Json::array({running("ingress")})},
          {"conditions", Json::array({Json{{"type", "Ready"},
                                           {"status", "True"},
                                           {"lastTransitionTime", "2027-01-15T07:31:00Z"}}})}}}};
  }
  Json& container() { return pod_["status"]["containerStatuses"][0]; }
  void unready() { pod_["status"]["conditions"][0]["status"] = "False"; }
  PodView view() const { return view_pod(pod_, at_ms(kNowMs)); }
  Json pod_;
};

TEST_F(PodTest, AReadyPod) {
  const PodView pod = view();
  EXPECT_EQ(pod.name, "p-ingress-5d-x");
  EXPECT_EQ(pod.uid, "u1");
  EXPECT_EQ(pod.ip, "10.0.0.7");
  EXPECT_EQ(pod.revision, "r1");
  EXPECT_FALSE(pod.canary);
  EXPECT_TRUE(pod.ready);
  EXPECT_FALSE(pod.deleting);
  EXPECT_EQ(pod.problem, "");
  EXPECT_EQ(pod.reason, "");
  EXPECT_EQ(unix_ms(*pod.ready_since), kNowMs - 29 * 60'000);
  EXPECT_EQ(unix_ms(pod.created), kNowMs - 3'600'000);
  EXPECT_FALSE(pod.last_restart.has_value());
}

TEST_F(PodTest, TrackAndDeletionAreObserved) {
  pod_["metadata"]["labels"][api::kTrackLabel] = "canary";
  pod_["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:30Z";
  EXPECT_TRUE(view().canary);
  EXPECT_TRUE(view().deleting);
}

TEST_F(PodTest, ACrashLoopNamesContainerExitCodeRestartsAndTheLastLine) {
  unready();
  container() =
      waiting("ingress", "CrashLoopBackOff", "back-off 2m40s restarting failed container");
  container()["restartCount"] = 5;
  container()["lastState"]["terminated"] =
      ended(78, "Error", "level=info starting\nlevel=error cannot listen on 4317\n\n \n");
  const PodView pod = view();
  EXPECT_EQ(pod.reason, "CrashLoopBackOff");
  EXPECT_TRUE(pod.crash_looping);
  EXPECT_EQ(pod.restarts, 5);
  EXPECT_EQ(pod.problem,
            "pod p-ingress-5d-x: container ingress exited with 78 (Error), 5 restarts: "
            "level=error cannot listen on 4317");
  EXPECT_EQ(pod.last_restart_reason, "container ingress: Error, exit code 78");
  EXPECT_EQ(unix_ms(*pod.last_restart), kNowMs - 60'000);
}

TEST_F(PodTest, TheBackOffThatGrowsIsNoNews) {
  unready();
  container() = waiting("ingress", "CrashLoopBackOff", "back-off 40s");
  container()["restartCount"] = 2;
  container()["lastState"]["terminated"] = ended(1, "Error", "no");
  const std::string before = view().problem;
  container()["state"]["waiting"]["message"] = "back-off 1m20s";
  EXPECT_EQ(view().problem, before);
}

TEST_F(PodTest, OutOfMemoryIsCalledSo) {
  unready();
  container() = waiting("ingress", "CrashLoopBackOff");
  container()["restartCount"] = 3;
  container()["lastState"]["terminated"] = ended(137, "OOMKilled", "");
  const PodView pod = view();
  EXPECT_EQ(pod.reason, "OOMKilled");
  EXPECT_TRUE(pod.crash_looping);
  EXPECT_TRUE(is_crashing(pod, kNowMs, std::chrono::minutes(5)));
  EXPECT_EQ(crash_reason(pod), "OOMKilled");
  EXPECT_EQ(pod.problem,
            "pod p-ingress-5d-x: container ingress exited with 137 (OOMKilled), 3 restarts");
}

TEST_F(PodTest, BetweenTwoCrashesItIsTheSameStory) {
  unready();
  container() = running("ingress", false, 2);
  container()["lastState"]["terminated"] = ended(1, "Error", "no");
  EXPECT_EQ(view().reason, "CrashLoopBackOff");
  EXPECT_THAT(view().problem, HasSubstr("exited with 1 (Error), 2 restarts: no"));
  container()["restartCount"] = 1;
  EXPECT_EQ(view().reason, "Restarted");
  EXPECT_THAT(view().problem, HasSubstr("1 restart: no"));
  // Ended, and not started again yet.
  container() = running("ingress", false, 0);
  container()["state"] = {{"terminated", ended(1, "Error", "first")}};
  EXPECT_THAT(view().problem, HasSubstr("exited with 1 (Error): first"));
}

TEST_F(PodTest, ARestartIsStillKnownOfWhenItIsReadyAgain) {
  container() = running("ingress", true, 1);
  container()["lastState"]["terminated"] = ended(137, "OOMKilled", "", "2027-01-15T07:29:00Z");
  const PodView pod = view();
  EXPECT_EQ(pod.problem, "");
  EXPECT_EQ(pod.last_restart_reason, "container ingress: OOMKilled, exit code 137");
}

TEST_F(PodTest, ReadySinceIsNeverBeforeTheContainerStarted) {
  container()["state"]["running"]["startedAt"] = "2027-01-15T07:50:00Z";
  EXPECT_EQ(unix_ms(*view().ready_since), kNowMs - 600'000);
}

TEST_F(PodTest, AnImageThatCannotBePulledIsNamedAndTheTextDoNotAlternate) {
  unready();
  container() = waiting("ingress", "ErrImagePull", "rpc error: code = NotFound");
  const PodView first = view();
  EXPECT_EQ(first.reason, "ImagePullBackOff");
  EXPECT_THAT(first.problem, HasSubstr("cannot pull repo/x:1"));
  container() = waiting("ingress", "ImagePullBackOff", "Back-off pulling image");
  EXPECT_EQ(view().problem, first.problem);
}

TEST_F(PodTest, WhatTheKubeletRefusesIsReported) {
  unready();
  container() = waiting("ingress", "CreateContainerConfigError", "secret \"kafka\" not found");
  EXPECT_EQ(view().reason, "CreateContainerConfigError");
  EXPECT_TRUE(is_unmakable(view().reason));
  EXPECT_THAT(view().problem, HasSubstr("container ingress waits: CreateContainerConfigError: "
                                        "secret \"kafka\" not found"));
}

TEST_F(PodTest, APodWithoutANodeReportsTheSchedulersText) {
  pod_["status"] = {
      {"phase", "Pending"},
      {"conditions",
       Json::array({Json{{"type", "PodScheduled"},
                         {"status", "False"},
                         {"reason", "Unschedulable"},
                         {"message", "0/2 nodes are available: 2 Insufficient cpu"}}})}};
  EXPECT_EQ(view().reason, "Unschedulable");
  EXPECT_EQ(view().problem,
            "pod p-ingress-5d-x: cannot be scheduled: 0/2 nodes are available: 2 Insufficient cpu");
}

// The last status of the node's kubelet stays; the control plane has only taken Ready back.
TEST_F(PodTest, ThePodsOfASilentNodeSaySo) {
  pod_["spec"]["nodeName"] = "node2";
  pod_["status"]["conditions"] = Json::array({Json{{"type", "Ready"}, {"status", "False"}}});
  EXPECT_EQ(view().reason, "NodeLost");
  EXPECT_EQ(view().problem, "pod p-ingress-5d-x: its node node2 does not answer");
  pod_["metadata"]["labels"][api::kComponentLabel] = "consumer";
  EXPECT_THAT(view().problem, HasSubstr("no other pod until the node is back"));
  pod_["status"]["conditions"][0]["reason"] = "ReadinessGatesNotReady";
  EXPECT_EQ(view().reason, "NotReady");
}

TEST_F(PodTest, AnEvictedPodReportsWhy) {
  pod_["status"] = {{"phase", "Failed"},
                    {"reason", "Evicted"},
                    {"message", "The node was low on resource: memory."}};
  EXPECT_EQ(view().reason, "Evicted");
  EXPECT_THAT(view().problem, HasSubstr("has failed: Evicted: The node was low on resource"));
}

TEST_F(PodTest, StartingAndNotReadyAreDistinguished) {
  unready();
  container() = waiting("ingress", "ContainerCreating");
  EXPECT_EQ(view().reason, "ContainerCreating");
  EXPECT_FALSE(is_in_trouble(view(), unix_ms(view().created) + 119'999));
  EXPECT_TRUE(is_in_trouble(view(), unix_ms(view().created) + 120'000));
  container() = running("ingress", false);
  EXPECT_EQ(view().reason, "NotReady");
  EXPECT_EQ(view().problem, "pod p-ingress-5d-x: is not ready: its readiness probe does not pass");
}

TEST_F(PodTest, TheWorstContainerIsReported) {
  unready();
  container() = running("ingress");
  Json sidecar = waiting("mesh", "CrashLoopBackOff");
  sidecar["restartCount"] = 4;
  pod_["status"]["containerStatuses"].push_back(waiting("slow", "ImagePullBackOff"));
  pod_["status"]["containerStatuses"].push_back(sidecar);
  EXPECT_THAT(view().problem, HasSubstr("container mesh crashes again and again, 4 restarts"));
  EXPECT_EQ(view().restarts, 4);
}

TEST_F(PodTest, AnInitContainerThatFailsIsReported) {
  unready();
  container() = waiting("ingress", "PodInitializing");
  Json init = waiting("prepare", "CrashLoopBackOff");
  init["restartCount"] = 2;
  init["lastState"]["terminated"] = ended(2, "Error", "no such file");
  pod_["status"]["initContainerStatuses"] = Json::array({init});
  EXPECT_THAT(view().problem, HasSubstr("container prepare exited with 2 (Error), 2 restarts"));
  // One that has done its work is no failure.
  init = {{"name", "prepare"},
          {"ready", false},
          {"restartCount", 0},
          {"state", {{"terminated", ended(0, "Completed", "")}}}};
  pod_["status"]["initContainerStatuses"] = Json::array({init});
  EXPECT_EQ(view().reason, "ContainerCreating");
}

TEST_F(PodTest, LongAndBrokenTextIsCutToALineOfText) {
  unready();
  container() = waiting("ingress", "CrashLoopBackOff");
  container()["restartCount"] = 2;
  std::string line = "first\nlast \x01\x1b[31m ";
  for (int i = 0; i < 3000; ++i) line += "\xc3\xa4";
  line += "\xff";
  container()["lastState"]["terminated"] = ended(1, "Error", line);
  const std::string problem = view().problem;
  EXPECT_LE(problem.size(), 480u);
  EXPECT_THAT(problem, HasSubstr("last "));
  EXPECT_THAT(problem, Not(HasSubstr("first")));
  EXPECT_THAT(problem, Not(HasSubstr("\n")));
  EXPECT_THAT(problem, Not(HasSubstr("\x1b")));
  EXPECT_TRUE(problem.ends_with("..."));
  // It goes into JSON: no half characters.
  EXPECT_EQ(kube::parse_json(kube::to_text(problem))->get<std::string>(), problem);
}

TEST_F(PodTest, APodThatIsNoneIsSurvived) {
  for (const char* text :
       {"null", "{}", "[]", R"({"metadata":3,"status":[]})",
        R"({"status":{"containerStatuses":{"a":1},"conditions":[1,null,{"type":4}]}})",
        R"({"status":{"containerStatuses":[null,{"state":{"terminated":7}},{"lastState":3}]}})"}) {
    const PodView pod = view_pod(*kube::parse_json(text), at_ms(kNowMs));
    EXPECT_FALSE(pod.ready) << text;
    EXPECT_FALSE(pod.problem.empty()) << text;
  }
}

class ObserveTest : public PodTest {
 protected:
  ObserveTest() {
    component_ = rendering_of({{{render::Role::kIngress, ""}, "r1", 2}}).components[0];
    deployment_ = {
        {"kind", "Deployment"},
        {"metadata", {{"name", "p-ingress"}, {"generation", 4}}},
        {"spec",
         {{"replicas", 2},
          {"template", {{"metadata", {{"annotations", {{api::kRevisionAnnotation, "r1"}}}}}}}}},
        {"status",
         {{"observedGeneration", 4},
          {"replicas", 2},
          {"updatedReplicas", 2},
          {"readyReplicas", 2}}}};
  }
  ComponentView observed(const std::vector<Json>& pods = {}) const {
    return observe(component_, "p", {deployment_}, pods, at_ms(kNowMs));
  }
  Json pod_named(const std::string& name) const {
    Json pod = pod_;
    pod["metadata"]["name"] = name;
    return pod;
  }
  render::Component component_;
  Json deployment_;
};

TEST_F(ObserveTest, ASettledWorkload) {
  const ComponentView view = observed();
  EXPECT_TRUE(view.stable.exists);
  EXPECT_EQ(view.stable.revision, "r1");
  EXPECT_EQ(view.stable.replicas, 2);
  EXPECT_EQ(view.stable.ready, 2);
  EXPECT_EQ(view.stable.updated, 2);
  EXPECT_TRUE(view.stable.settled);
  EXPECT_FALSE(view.canary.exists);
}

TEST_F(ObserveTest, WhatIsNotSettled) {
  for (const auto& [path, value] :
       std::map<std::string, Json>{{"/status/observedGeneration", 3},
                                   {"/status/replicas", 3},  // An old pod is still there.
                                   {"/status/updatedReplicas", 1},
                                   {"/status/readyReplicas", 1},
                                   {"/metadata/deletionTimestamp", "2027-01-15T08:00:00Z"}}) {
    const Json complete = deployment_;
    deployment_[Json::json_pointer(path)] = value;
    EXPECT_FALSE(observed().stable.settled) << path;
    deployment_ = complete;
  }
  deployment_.erase("status");
  EXPECT_FALSE(observed().stable.settled) << "the controller has not observed it yet";
}

TEST_F(ObserveTest, PodsThatAQuotaRefusesAreReportedWithoutTheNamesThatChange) {
  const auto refuse = [this](const std::string& pod) {
    deployment_["status"]["conditions"] = Json::array(
        {Json{{"type", "ReplicaFailure"},
              {"status", "True"},
              {"reason", "FailedCreate"},
              {"message", "pods \"" + pod + "\" is forbidden: exceeded quota: pods=10"}}});
    return observed().stable.problem;
  };
  const std::string problem = refuse("p-ingress-5d-abc");
  EXPECT_EQ(problem, "pods cannot be created: a pod is forbidden: exceeded quota: pods=10");
  EXPECT_EQ(refuse("p-ingress-5d-xyz"), problem);
  deployment_["status"]["conditions"][0]["status"] = "False";
  EXPECT_EQ(observed().stable.problem, "");
}

// Its counts are missing when they are 0.
TEST_F(ObserveTest, ScaledToNothingIsSettledWhenItsPodsAreGone) {
  deployment_["spec"]["replicas"] = 0;
  EXPECT_FALSE(observed().stable.settled) << "two pods are still to go";
  deployment_["status"] = {{"observedGeneration", 4}};
  EXPECT_TRUE(observed().stable.settled);
  EXPECT_EQ(observed().stable.replicas, 0);
}

TEST_F(ObserveTest, StableAndCanaryAreDistinguishedByNameAndKind) {
  Json canary = deployment_;
  canary["metadata"]["name"] = "p-ingress-canary";
  canary["spec"]["replicas"] = 1;
  Json other = deployment_;
  other["kind"] = "StatefulSet";
  other["spec"]["replicas"] = 9;
  const ComponentView view =
      observe(component_, "p", {other, canary, deployment_}, {}, at_ms(kNowMs));
  EXPECT_EQ(view.stable.replicas, 2);
  EXPECT_TRUE(view.canary.exists);
  EXPECT_EQ(view.canary.replicas, 1);
  EXPECT_FALSE(observe(component_, "p", {}, {}, at_ms(kNowMs)).stable.exists);
}

TEST_F(ObserveTest, PodsThatHaveEndedAreLeftOut) {
  Json evicted = pod_named("a");
  evicted["status"] = {{"phase", "Failed"},
                       {"reason", "Evicted"},
                       {"message", "The node was low on resource: memory."}};
  Json preempted = pod_named("b");
  preempted["status"] = {{"phase", "Failed"},
                         {"conditions", Json::array({{{"type", "DisruptionTarget"},
                                                      {"status", "True"},
                                                      {"reason", "PreemptionByScheduler"},
                                                      {"message", "preempting"}}})}};
  const ComponentView view = observed({evicted, preempted, pod_named("c")});
  ASSERT_EQ(view.pods.size(), 1u);
  EXPECT_EQ(view.pods[0].name, "c");
  EXPECT_TRUE(has_ended(evicted));
  EXPECT_EQ(ending_of_pod(evicted), "pod a: Evicted: The node was low on resource: memory.");
  EXPECT_EQ(ending_of_pod(preempted), "pod b: PreemptionByScheduler: preempting");
}

TEST_F(ObserveTest, OnlyItsOwnPodsInTheOrderOfTheirNames) {
  Json of_another = pod_named("a1");
  of_another["metadata"]["labels"][api::kPipelineLabel] = "q";
  Json of_the_bridge = pod_named("a2");
  of_the_bridge["metadata"]["labels"][api::kComponentLabel] = "bridge";
  Json of_an_exporter = pod_named("a3");
  of_an_exporter["metadata"]["labels"][api::kExporterLabel] = "a";
  const ComponentView view =
      observed({pod_named("c"), of_another, pod_named("b"), of_the_bridge, of_an_exporter});
  std::vector<std::string> names;
  for (const PodView& pod : view.pods) names.push_back(pod.name);
  EXPECT_THAT(names, ElementsAre("b", "c"));
}

}  // namespace
}  // namespace spanway::decide
