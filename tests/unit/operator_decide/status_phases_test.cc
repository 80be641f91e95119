// The status of every phase, recorded for tests/e2e/test_gitops.py, which has GitOps tools assess
// them. After a change that is meant:
//   SPANWAY_UPDATE_GOLDEN=1 build/dev/bin/operator_decide_test
// and read the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "tests/unit/operator_decide/status_scene.h"

namespace spanway::decide {
namespace {

using Phase = RolloutDecision::Phase;

struct Recorded {
  const char* name;
  const char* kstatus;
  const char* argo;
  std::function<void(StatusScene&)> change;
};

std::function<void(StatusScene&)> rollout(Phase phase, const char* reason) {
  return [=](StatusScene& scene) { scene.set_rollout(phase, reason, "what it does"); };
}

std::vector<Recorded> all() {
  return {
      {"complete", "Current", "Healthy", [](StatusScene&) {}},
      {"installing", "InProgress", "Progressing", rollout(Phase::kInstalling, "Installing")},
      {"install fails", "Failed", "Degraded", rollout(Phase::kInstalling, "CrashLoopBackOff")},
      {"canary", "InProgress", "Progressing", rollout(Phase::kRolling, "CanaryProving")},
      {"promoting", "InProgress", "Progressing", rollout(Phase::kRolling, "Promoting")},
      {"proving", "InProgress", "Progressing", rollout(Phase::kProving, "Proving")},
      {"waits for a Secret", "InProgress", "Progressing",
       [](StatusScene& scene) {
         scene.set_rollout(Phase::kProving, "SecretMissing", "p-ingress: waits for a Secret");
         scene.secret_problems.add("spec.ingress.tls.secretName", "there is no Secret");
       }},
      {"rolling back", "InProgress", "Progressing",
       [](StatusScene& scene) {
         scene.set_rollout(Phase::kRolledBack, "OOMKilled", "p-ingress: killed");
         scene.views[kSceneIngress].stable.settled = false;
       }},
      {"rolled back", "Failed", "Degraded", rollout(Phase::kRolledBack, "OOMKilled")},
      {"paused failure", "Failed", "Degraded", rollout(Phase::kPausedFailure, "OOMKilled")},
      {"scaling", "InProgress", "Progressing",
       [](StatusScene& scene) {
         scene.pipeline.generation = 4;
         scene.desired.components[kSceneIngress].replicas = 2;
       }},
      {"spec refused", "Failed", "Degraded",
       [](StatusScene& scene) {
         scene.problems.add("spec.ingress.config", "has no such key");
         scene.keeps_desired = true;
       }},
      {"spec refused, never installed", "Failed", "Degraded",
       [](StatusScene& scene) {
         scene.status = Json::object();
         scene.problems.add("spec.ingress.config", "has no such key");
         scene.has_rollout = false;
       }},
      {"paused", "Current", "Suspended", [](StatusScene& scene) { scene.paused = true; }},
      {"Kafka is gone", "InProgress", "Degraded",
       [](StatusScene& scene) { scene.report(kSceneBridge).kafka_reachable = false; }},
      {"a topic is gone", "InProgress", "Degraded",
       [](StatusScene& scene) {
         scene.report(kSceneBridge).topics = {{.name = "otel.logs", .error = "Unknown topic"}};
       }},
      {"a destination is dead", "Current", "Degraded",
       [](StatusScene& scene) { scene.report(kSceneExporter).destination_reachable = false; }},
  };
}

std::string line_of(const Recorded& recorded) {
  StatusScene scene;
  scene.update();
  recorded.change(scene);
  const Json object = {
      {"apiVersion", kube::kPipelines.api_version()},
      {"kind", kube::kPipelines.kind},
      {"metadata",
       {{"name", "p"}, {"namespace", "team"}, {"generation", scene.pipeline.generation}}},
      {"status", scene.update()}};
  return kube::to_text({{"name", recorded.name},
                        {"kstatus", recorded.kstatus},
                        {"argo", recorded.argo},
                        {"object", object}}) +
         "\n";
}

TEST(StatusPhases, AreAsRecorded) {
  constexpr char kPath[] = "tests/golden/operator/statuses.jsonl";
  std::string text;
  for (const Recorded& recorded : all()) text += line_of(recorded);
  if (std::getenv("SPANWAY_UPDATE_GOLDEN") != nullptr) std::ofstream(kPath) << text;
  std::ostringstream file;
  file << std::ifstream(kPath).rdbuf();
  EXPECT_EQ(file.str(), text);
}

}  // namespace
}  // namespace spanway::decide
