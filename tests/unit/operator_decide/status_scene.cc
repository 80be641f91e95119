#include "tests/unit/operator_decide/status_scene.h"

#include "operator/api/schema.h"
#include "operator/decide/wall_time.h"

namespace spanway::decide {
namespace {

const Json* find_condition(const Json& status, const std::string& type) {
  const Json* all = kube::find(status, "conditions");
  if (all == nullptr) return nullptr;
  for (const Json& one : *all) {
    if (kube::string_at(one, "type") == type) return &one;
  }
  return nullptr;
}

std::string of_condition(const Json& status, const std::string& type, const char* field) {
  const Json* one = find_condition(status, type);
  EXPECT_NE(one, nullptr) << type;
  return one == nullptr ? "" : kube::string_at(*one, field);
}

}  // namespace

void StatusScene::add_query() {
  std::vector<PartSpec> parts = four_parts("r1", 1);
  parts.push_back({.id = {render::Role::kQuery, ""}, .revision = "r1", .replicas = 1});
  desired = rendering_of(parts);
  views.push_back(healthy_view(parts.back(), kSceneStartMs - 3'600'000));
  StatuszReport& reported = reports[views.back().pods[0].name];
  reported.ready = reported.answered = true;
  rollout.memory.last_good_revision = desired.revision;
}

StatusScene::StatusScene() {
  pipeline.name = "p";
  pipeline.generation = 3;
  pipeline.spec.exporters.emplace_back();
  pipeline.spec.exporters[0].name = "a";
  const std::vector<PartSpec> parts = four_parts("r1", 1);
  desired = rendering_of(parts);
  desired.components[kSceneIngress].workload.object["spec"]["selector"]["matchLabels"] = {
      {"spanway.dev/component", "ingress"}, {"spanway.dev/pipeline", "p"}};
  for (const PartSpec& part : parts) {
    views.push_back(healthy_view(part, kSceneStartMs - 3'600'000));
    StatuszReport& reported = reports[views.back().pods[0].name];
    reported.ready = reported.answered = reported.kafka_reachable = true;
  }
  for (const std::size_t place : {kSceneExporter, kSceneConsumer}) {
    report(place).has_destination = report(place).destination_reachable = true;
  }
  report(kSceneConsumer).partitions = {{.topic = "otel.traces", .lag_seconds = 1}};
  topics.state = TopicsView::State::kReady;
  topics.topics = Json::array({Json{{"name", "otel.traces"},
                                    {"partitions", 12},
                                    {"replicationFactor", 3},
                                    {"minInsyncReplicas", 2},
                                    {"state", "Ready"}}});
  set_rollout(RolloutDecision::Phase::kComplete, "Complete", "it runs");
  rollout.memory.last_good_revision = desired.revision;
}

void StatusScene::set_rollout(RolloutDecision::Phase phase, const std::string& reason,
                              const std::string& message) {
  rollout.phase = phase;
  rollout.reason = reason;
  rollout.message = message;
}

void StatusScene::set_pod(std::size_t component, const Json& pod) {
  ComponentView& view = views[component];
  const StatuszReport reported = reports[view.pods[0].name];
  for (const PodView& old : view.pods) reports.erase(old.name);
  view.pods = {view_pod(pod, at_ms(now_ms))};
  if (view.pods[0].ready) reports[view.pods[0].name] = reported;
  view.stable.ready = view.pods[0].ready ? 1 : 0;
  view.stable.settled = view.pods[0].ready;
}

StatusInput StatusScene::input() const {
  return {.pipeline = pipeline,
          .problems = problems,
          .secret_problems = &secret_problems,
          .desired = problems.empty() || keeps_desired ? &desired : nullptr,
          .components = views,
          .rollout = has_rollout ? &rollout : nullptr,
          .reports = reports,
          .scaling = scaling,
          .topics = topics,
          .schemas = schemas,
          .compactions = compactions,
          .idle_autoscalers = idle_autoscalers,
          .foreign_autoscalers = foreign_autoscalers,
          .paused = paused,
          .operator_version = "1.2.3",
          .last_good_version = last_good_version,
          .wall_now = wall_time_text(now_ms)};
}

const Json& StatusScene::update() {
  status = make_status(input(), status);
  if (!checks_schema) return status;
  check_schema(status, api::status_schema(), "", findings);
  EXPECT_TRUE(findings.problems.empty()) << findings.problems.front();
  return status;
}

Duration StatusScene::requeue_after() { return status_requeue_after(input(), status); }

std::string StatusScene::condition(const std::string& type) const {
  return of_condition(status, type, "status") + ": " + of_condition(status, type, "reason");
}
std::string StatusScene::message(const std::string& type) const {
  return of_condition(status, type, "message");
}
std::string StatusScene::since(const std::string& type) const {
  return of_condition(status, type, "lastTransitionTime");
}

}  // namespace spanway::decide
