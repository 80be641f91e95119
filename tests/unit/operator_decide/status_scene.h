// A Pipeline "p" that runs well, and its status update after update: as the API server would store
// it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "operator/decide/status.h"
#include "tests/unit/operator_decide/renderings.h"
#include "tests/unit/operator_decide/status_schema_check.h"

namespace spanway::decide {

inline constexpr std::int64_t kSceneStartMs = 1'800'000'000'000;
// Places of components in a scene.
inline constexpr std::size_t kSceneExporter = 0;
inline constexpr std::size_t kSceneConsumer = 1;
inline constexpr std::size_t kSceneBridge = 2;
inline constexpr std::size_t kSceneIngress = 3;
inline constexpr std::size_t kSceneQuery = 4;  // After add_query().

class StatusScene {
 public:
  StatusScene();

  // Updates once, keeps what is written as the stored status, and returns it.
  const Json& update();
  // "True: Running"
  std::string condition(const std::string& type) const;
  std::string message(const std::string& type) const;
  std::string since(const std::string& type) const;
  std::string at(const std::string& path) const { return kube::string_at(status, path); }
  void pass(std::int64_t seconds) { now_ms += seconds * 1000; }
  Duration requeue_after();

  // Puts a pod as the API server shows it in the place of the component's first one; the others go.
  void set_pod(std::size_t component, const Json& pod);
  StatuszReport& report(std::size_t component) { return reports.at(name_of(component)); }
  // Lag of the component's only partition.
  void set_lag(double seconds) { report(kSceneConsumer).partitions.at(0).lag_seconds = seconds; }
  // Adds the query component, with one ready pod, as the last one.
  void add_query();
  void set_rollout(RolloutDecision::Phase phase, const std::string& reason,
                   const std::string& message);
  std::string name_of(std::size_t component) const { return views[component].pods.at(0).name; }

  api::Pipeline pipeline;
  config::Problems problems;
  config::Problems secret_problems;
  bool keeps_desired = false;  // The last good spec is there although there are problems.
  std::string last_good_version;
  render::Rendering desired;
  std::vector<ComponentView> views;
  RolloutDecision rollout;
  bool has_rollout = true;
  std::map<std::string, StatuszReport> reports;
  std::map<std::string, LagScalerDecision> scaling;
  TopicsView topics;
  std::vector<SchemaView> schemas;
  std::vector<CompactionView> compactions;
  std::map<std::string, std::string> idle_autoscalers;
  std::map<std::string, std::string> foreign_autoscalers;
  bool paused = false;
  std::int64_t now_ms = kSceneStartMs;
  Json status = Json::object();
  SchemaFindings findings;  // Findings of all updates.
  bool checks_schema = true;

 private:
  StatusInput input() const;
};

}  // namespace spanway::decide
