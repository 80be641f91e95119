#include "operator/reconcile/observed.h"

#include <algorithm>
#include <set>
#include <utility>

namespace spanway::reconcile {
namespace {

// The earliest of all requeues counts.
void requeue_in(Observed& observed, Duration delay) {
  if (delay == Duration::zero()) return;
  observed.requeue_after =
      observed.requeue_after == Duration::zero() ? delay : std::min(observed.requeue_after, delay);
}

// By our clock: that of a node may be ahead, then a pod is ready since it was first observed to be;
// and ours may have jumped since then.
void correct_ready_times(SystemTime wall_now, Observed& observed, PipelineState& state) {
  std::map<std::string, PipelineState::ReadySince> seen;
  for (decide::ComponentView& component : observed.components) {
    for (decide::PodView& pod : component.pods) {
      if (!pod.ready_since) continue;
      const std::string id = pod.uid + "/" + std::to_string(pod.restarts);
      const auto known = state.ready_seen.find(id);
      PipelineState::ReadySince since{*pod.ready_since, *pod.ready_since};
      if (known != state.ready_seen.end() && known->second.reported == since.reported)
        since.by_our_clock = known->second.by_our_clock;
      since.by_our_clock = std::min(since.by_our_clock, wall_now);
      pod.ready_since = since.by_our_clock;
      seen[id] = since;
    }
  }
  state.ready_seen = std::move(seen);
}

}  // namespace

Observed Observer::observe(const Inputs& inputs, const Rendered& rendered,
                           PipelineState& state) const {
  Observed observed;
  observed.workloads = deps_.applier.live_of(kube::kDeployments, inputs.key);
  for (Json& set : deps_.applier.live_of(kube::kStatefulSets, inputs.key))
    observed.workloads.push_back(std::move(set));
  observed.pods = deps_.stores.of_owner(kube::kPods, inputs.key);
  const kube::ObjectKey ingress{
      inputs.key.name_space,
      render::object_name(inputs.pipeline.name, {render::Role::kIngress, ""})};
  if (const auto service = deps_.applier.live(kube::kServices, ingress); service)
    observed.ingress_endpoints = decide::count_endpoints(*service, observed.pods);
  for (const render::Component& component : rendered.desired().components)
    observed.components.push_back(decide::observe(
        component, inputs.pipeline.name, observed.workloads, observed.pods, inputs.wall_now));
  correct_ready_times(inputs.wall_now, observed, state);
  observed.reports = deps_.monitor.reports(inputs.key);
  observe_refused_pods(inputs, observed, state);
  observe_autoscalers(inputs, observed);
  observe_foreign_autoscalers(inputs, rendered, observed, state);
  observe_jobs(rendered.desired(), observed, state);
  if (rendered.last_good() != nullptr) observe_jobs(*rendered.last_good(), observed, state);
  observed.cron_jobs = deps_.applier.live_of(kube::kCronJobs, inputs.key);
  state.refused.sweep();
  return observed;
}

// Events are not watched, so a workload that lacks a pod requeues its Pipeline.
void Observer::observe_refused_pods(const Inputs& inputs, Observed& observed,
                                    PipelineState& state) const {
  for (const Json& workload : observed.workloads) {
    if (kube::string_at(workload, "kind") != kube::kStatefulSets.kind || !lacks_pods(workload))
      continue;
    const auto [why, valid_for] =
        state.refused.refusal_of(deps_.client, kube::kStatefulSets, workload, deps_.clock.now());
    requeue_in(observed, valid_for);
    for (decide::ComponentView& view : observed.components) {
      if (render::object_name(inputs.pipeline.name, view.id) ==
          kube::string_at(workload, "metadata/name"))
        view.stable.problem = why;
    }
  }
}

void Observer::observe_autoscalers(const Inputs& inputs, Observed& observed) const {
  for (const Json& autoscaler :
       deps_.applier.live_of(kube::kHorizontalPodAutoscalers, inputs.key)) {
    const Json* all = kube::find(autoscaler, "status/conditions");
    if (all == nullptr || !all->is_array()) continue;
    for (const Json& one : *all) {
      if (kube::string_at(one, "type") != "ScalingActive" ||
          kube::string_at(one, "status") != "False")
        continue;
      observed.idle_autoscalers[kube::string_at(autoscaler, "metadata/name")] =
          kube::string_at(one, "reason") + ": " + kube::string_at(one, "message");
    }
  }
}

// Replicas that differ from what the operator has set may be set by another autoscaler.
void Observer::observe_foreign_autoscalers(const Inputs& inputs, const Rendered& rendered,
                                           Observed& observed, PipelineState& state) const {
  std::set<std::string> workloads;
  bool contested = false;
  for (std::size_t i = 0; i < observed.components.size(); ++i) {
    const render::Component& component = rendered.desired().components[i];
    const decide::WorkloadView& stable = observed.components[i].stable;
    if (!stable.exists) continue;
    std::int64_t replicas = component.replicas;
    if (component.replicas_elsewhere) {
      if (component.id.role != render::Role::kConsumer) continue;
      replicas = state.scaler.replicas_of(component.id.exporter).value_or(stable.replicas);
    }
    workloads.insert(std::string(component.workload.type.kind) + "/" +
                     component.workload.key().name);
    contested = contested || stable.replicas != replicas;
  }
  observed.foreign_autoscalers = state.foreign_autoscalers.refresh(
      deps_.client, inputs.key.name_space, workloads, contested, deps_.clock.now());
  if (!observed.foreign_autoscalers.empty()) requeue_in(observed, ForeignAutoscalers::kListCounts);
}

void Observer::observe_jobs(const render::Rendering& rendering, Observed& observed,
                            PipelineState& state) const {
  if (rendering.topics_job) observe_job(*rendering.topics_job, observed, state);
  for (const render::MigrateJob& migrate : rendering.migrate_jobs)
    observe_job(migrate.job, observed, state);
}

void Observer::observe_job(const render::Manifest& job, Observed& observed,
                           PipelineState& state) const {
  if (observed.jobs.contains(job.key().name)) return;
  ObservedJob& out = observed.jobs[job.key().name];
  out.live = deps_.applier.live(kube::kJobs, job.key());
  if (!out.live || !lacks_pods(*out.live)) return;
  const RefusedPods::Answer answer =
      state.refused.refusal_of(deps_.client, kube::kJobs, *out.live, deps_.clock.now());
  out.refusal = answer.refusal;
  requeue_in(observed, answer.valid_for);
}

}  // namespace spanway::reconcile
