// StatusTest: one status after the other of a scene.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/schema.h"
#include "operator/decide/status.h"
#include "operator/decide/wall_time.h"
#include "tests/unit/operator_decide/status_scene.h"

namespace spanway::decide {

// The rules of sigs.k8s.io/cli-utils/pkg/kstatus for a custom resource, restated.
inline std::string kstatus(const Json& status, std::int64_t generation) {
  if (kube::int_at(status, "observedGeneration") != generation) return "InProgress";
  std::string ready = "Current";
  for (const Json& one : status["conditions"]) {
    const std::string type = kube::string_at(one, "type");
    const bool is_true = kube::string_at(one, "status") == "True";
    if (type == "Reconciling" && is_true) return "InProgress";
    if (type == "Stalled" && is_true) return "Failed";
    if (type == "Ready") ready = is_true ? "Current" : "InProgress";
  }
  return ready;
}

class StatusTest : public ::testing::Test {
 protected:
  std::string condition_after_update(const std::string& type) {
    scene_.update();
    return scene_.condition(type);
  }
  // A container that has crashed, as the kubelet reports it.
  static Json crashed_pod(const std::string& name, const std::string& container) {
    const Json ended = {{"exitCode", 78},
                        {"reason", "Error"},
                        {"finishedAt", "2027-01-15T07:59:00Z"},
                        {"message", "starting\nlisten on 0.0.0.0:4317: address in use\n"}};
    const Json state = {{"name", container},
                        {"ready", false},
                        {"restartCount", 4},
                        {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}},
                        {"lastState", {{"terminated", ended}}}};
    return {{"metadata",
             {{"name", name},
              {"creationTimestamp", "2027-01-15T07:50:00Z"},
              {"annotations", {{api::kRevisionAnnotation, "r1"}}}}},
            {"status", {{"phase", "Running"}, {"containerStatuses", Json::array({state})}}}};
  }
  void all_silent() {
    for (auto& [name, report] : scene_.reports) report = StatuszReport{.error = "timed out"};
  }
  void lose_reports() { scene_.reports.clear(); }
  StatusScene scene_;
};

}  // namespace spanway::decide
