#include "operator/reconcile/consumer_scaler.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "operator/reconcile/field_owner.h"

namespace spanway::reconcile {
namespace {

// By which the client patches.
constexpr char kScaleManager[] = "spanway-operator";

const api::Exporter* find_exporter(const api::Pipeline& pipeline, const std::string& name) {
  for (const api::Exporter& exporter : pipeline.spec.exporters)
    if (exporter.name == name) return &exporter;
  return nullptr;
}

// Partitions of all topics that its pods read. Each pod reports all topics; the most is the status.
std::int64_t partitions_in(const std::vector<const decide::StatuszReport*>& reports) {
  std::map<std::string, std::int64_t> topics;
  for (const decide::StatuszReport* report : reports) {
    for (const decide::TopicReport& topic : report->topics)
      topics[topic.name] = std::max(topics[topic.name], topic.partitions);
  }
  std::int64_t sum = 0;
  for (const auto& [name, partitions] : topics) sum += partitions;
  return sum;
}

decide::LagScalerInput input_of(const api::Exporter& exporter, const decide::ComponentView& view,
                                const StatuszMonitor::Reports& reports, std::int64_t replicas,
                                std::int64_t now_ms) {
  decide::LagScalerInput input;
  input.rules = *exporter.consumer.autoscaling;
  input.session_timeout = render::session_timeout(exporter);
  input.replicas = replicas;
  input.now_ms = now_ms;
  input.complete = reports.round != 0;
  std::vector<const decide::StatuszReport*> of_pods;
  for (const decide::PodView& pod : view.pods) {
    if (pod.deleting) continue;
    // Without an address it does not run: no partition is its.
    if (pod.ip.empty()) {
      ++input.pending;
      continue;
    }
    const auto report = reports.by_pod.find(pod.name);
    if (report == reports.by_pod.end() || !report->second.answered) {
      input.complete = false;
      continue;
    }
    of_pods.push_back(&report->second);
    input.lag.insert(input.lag.end(), report->second.partitions.begin(),
                     report->second.partitions.end());
  }
  input.complete = input.complete && !of_pods.empty();
  input.partitions = partitions_in(of_pods);
  return input;
}

}  // namespace

std::map<std::string, decide::LagScalerDecision> ConsumerScaler::decide(
    const api::Pipeline& pipeline, const render::Rendering& desired,
    const std::vector<decide::ComponentView>& components, const StatuszMonitor::Reports& reports,
    std::int64_t now_ms) {
  std::map<std::string, decide::LagScalerDecision> out;
  std::set<std::string> scaled;
  for (std::size_t i = 0; i < desired.components.size() && i < components.size(); ++i) {
    const render::Component& component = desired.components[i];
    if (component.id.role != render::Role::kConsumer || !component.replicas_elsewhere) continue;
    const api::Exporter* exporter = find_exporter(pipeline, component.id.exporter);
    if (exporter == nullptr || !exporter->consumer.autoscaling) continue;
    const decide::ComponentView& view = components[i];
    if (!view.stable.exists) continue;
    scaled.insert(exporter->name);
    Exporter& state = exporters_[exporter->name];
    const api::LagAutoscaling& rules = *exporter->consumer.autoscaling;
    if (!state.decided || state.round != reports.round) {
      // The decided number, not one that another client has set: write() reverts that.
      const std::int64_t replicas = state.decided ? state.decision.replicas : view.stable.replicas;
      const decide::LagScalerInput input = input_of(*exporter, view, reports, replicas, now_ms);
      state.partitions = std::max(state.partitions, input.partitions);
      state.decision = scale_by_lag(input, state.memory);
      state.memory = state.decision.memory;
      state.round = reports.round;
      state.decided = true;
    }
    // Bounds hold at once, also without reports; a consumer without a partition would be idle.
    const std::int64_t least = state.partitions > 0
                                   ? std::min<std::int64_t>(rules.min_replicas, state.partitions)
                                   : rules.min_replicas;
    state.decision.replicas = std::clamp<std::int64_t>(
        state.decision.replicas, least, std::max<std::int64_t>(least, rules.max_replicas));
    out[exporter->name] = state.decision;
  }
  std::erase_if(exporters_, [&](const auto& entry) { return !scaled.contains(entry.first); });
  return out;
}

std::optional<std::int64_t> ConsumerScaler::replicas_of(const std::string& exporter) const {
  const auto found = exporters_.find(exporter);
  if (found == exporters_.end() || !found->second.decided) return std::nullopt;
  return found->second.decision.replicas;
}

Status ConsumerScaler::write(const Json& pipeline, const render::Rendering& desired,
                             const std::vector<Json>& workloads, kube::Client& client,
                             const Events& events) {
  for (const render::Component& component : desired.components) {
    const auto found = exporters_.find(component.id.exporter);
    if (component.id.role != render::Role::kConsumer || found == exporters_.end()) continue;
    Exporter& state = found->second;
    const kube::ObjectKey key = component.workload.key();
    const auto live = std::find_if(workloads.begin(), workloads.end(), [&](const Json& one) {
      return kube::string_at(one, "kind") == component.workload.type.kind &&
             kube::string_at(one, "metadata/name") == key.name;
    });
    if (live == workloads.end() || !state.decided) continue;
    const std::string version = kube::string_at(*live, "metadata/resourceVersion");
    const std::int64_t replicas =
        state.written_at == version ? state.written : kube::int_at(*live, "spec/replicas", 1);
    if (replicas == state.decision.replicas) {
      state.applied = replicas;
      continue;
    }
    if (state.applied == state.decision.replicas) {
      const auto raw = client.get(component.workload.type, key);
      if (!raw.ok()) return raw.error();
      events.drift(pipeline, component.workload.type, key, "spec/replicas",
                   other_manager(*raw, *raw, "spec/replicas", kScaleManager));
    }
    const auto answer = client.merge_patch(
        component.workload.type, key, {{"spec", {{"replicas", state.decision.replicas}}}}, "scale");
    if (!answer.ok()) return answer.error();
    events.wrote("scale", component.workload.type, key);
    if (state.applied != state.decision.replicas)
      events.scaled(pipeline, key.name, replicas, state.decision.replicas, state.decision.message);
    state.written_at = version;
    state.written = state.decision.replicas;
  }
  return {};
}

}  // namespace spanway::reconcile
