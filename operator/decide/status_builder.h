// Builds one status (status.h). Private to its own sources.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/decide/conditions.h"
#include "operator/decide/exporter_status.h"
#include "operator/decide/query_status.h"
#include "operator/decide/status.h"
#include "operator/decide/traffic.h"
#include "operator/decide/wall_time.h"

namespace spanway::decide {

inline Condition yes(std::string reason, std::string message) {
  return {ConditionStatus::kTrue, std::move(reason), std::move(message)};
}
inline Condition no(std::string reason, std::string message) {
  return {ConditionStatus::kFalse, std::move(reason), std::move(message)};
}
inline Condition unknown(std::string reason, std::string message) {
  return {ConditionStatus::kUnknown, std::move(reason), std::move(message)};
}

class StatusBuilder {
 public:
  using Phase = RolloutDecision::Phase;
  using Role = render::Role;

  StatusBuilder(const StatusInput& input, const Json& before)
      : input_(input),
        before_(before.is_object() ? before : empty_),
        conditions_(before_, input.pipeline.generation, input.wall_now) {
    const auto now = parse_wall_time(input.wall_now);
    now_ms_ = now ? unix_ms(*now) : 0;
  }

  // Nothing can be observed: the Pipeline is paused or wrong, and was never installed.
  Json kept();
  Json full();

 private:
  std::string name_of(const ComponentView& view) const {
    return render::object_name(input_.pipeline.name, view.id);
  }
  std::int64_t desired_replicas(std::size_t index) const;

  // The stored condition, which must exist.
  Condition stored_condition(std::string_view type) const {
    const Json& stored = *conditions_.stored(type);
    return {conditions_.stored_status(type), kube::string_at(stored, "reason"),
            kube::string_at(stored, "message")};
  }
  // Words of the same failure differ from try to try: those of the stored condition stay while it
  // is about the same place.
  std::string steady_message(std::string_view condition, const Obstacle& obstacle) const;
  std::optional<Obstacle> denied_group() const;
  Condition config_valid() const;
  Condition paused() const;
  Condition kafka_reachable() const;
  Condition topics_ready() const;
  Condition exporters_healthy() const;
  std::optional<Condition> schema_ready() const;
  // The schema that this exporter waits for; null when there is none.
  const SchemaView* schema_of(const render::ComponentId& id) const;
  std::string failed_compactions() const;
  Condition ready(const Condition& kafka, const Condition& topics) const;
  std::string with_words_of(const PodView& pod, const std::string& problem) const;
  Condition progressing() const;
  Condition reconciling() const;
  Condition stalled() const;
  // The first workload whose replicas differ from the spec or are not settled; null when there is
  // none, or once this generation has been reached.
  const ComponentView* first_scaling() const;
  // The first workload with pods of an older template; null when there is none.
  const ComponentView* first_replaced() const;
  std::int64_t ready_generation() const;
  std::string running_version() const;
  bool invalid() const { return !input_.problems.empty(); }
  bool lacks_secret() const {
    return input_.secret_problems != nullptr && !input_.secret_problems->empty();
  }
  Condition rolled_back() const;
  bool ingress_is_desired() const {
    for (std::size_t i = 0; i < input_.components.size(); ++i)
      if (input_.components[i].id.role == render::Role::kIngress) return desired_replicas(i) > 0;
    return false;
  }
  // The first time of all, and something is wrong with it.
  bool install_fails() const {
    return input_.rollout->phase == Phase::kInstalling && input_.rollout->reason != "Installing";
  }
  Condition degraded(const Condition& kafka, const Condition& topics, const Condition& exporters,
                     const Condition& retention) const;
  Condition scaling_limited() const;
  Condition retention_at_risk() const;

  void add_components(Json& status) const;
  void add_config(Json& status) const;
  void add_storage(Json& status) const;
  void add_summary(Json& status) const;
  void add_scale(Json& status) const;
  std::string config_word() const;

  const Json empty_ = Json::object();
  const StatusInput& input_;
  const Json& before_;
  Conditions conditions_;
  std::vector<ExporterStatus> exporters_;
  std::optional<QueryStatus> query_;
  std::optional<Obstacle> next_hop_;
  std::optional<Obstacle> topics_;
  std::int64_t now_ms_ = 0;
};

}  // namespace spanway::decide
