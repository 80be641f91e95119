// The second stage of a reconciliation: the state of the cluster, and what the pods report.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/decide/observation.h"
#include "operator/decide/topics_decision.h"
#include "operator/reconcile/applier.h"
#include "operator/reconcile/pipeline_inputs.h"
#include "operator/reconcile/pipeline_state.h"
#include "operator/reconcile/rendered.h"
#include "operator/reconcile/statusz_monitor.h"

namespace spanway::reconcile {

struct ObservedJob {
  std::optional<Json> live;
  std::string refusal;  // Why it has no pod; "" = it is not known to be refused.
};

struct Observed {
  std::vector<Json> workloads;
  std::vector<Json> pods;
  std::vector<decide::ComponentView> components;  // In the order of the desired rendering.
  StatuszMonitor::Reports reports;
  std::optional<std::int64_t> ingress_endpoints;
  std::map<std::string, std::string> idle_autoscalers;     // By name: why they do not scale.
  std::map<std::string, std::string> foreign_autoscalers;  // By workload.
  std::map<std::string, ObservedJob> jobs;                 // By name: those of both renderings.
  std::vector<Json> cron_jobs;
  // When an answer that is polled and not watched is requested again; 0 = nothing is polled.
  Duration requeue_after{};
};

// Thread-safe for different Pipelines. All that is given outlives it.
class Observer {
 public:
  struct Deps {
    const Applier& applier;
    const Stores& stores;
    StatuszMonitor& monitor;
    kube::Client& client;
    const Clock& clock;
  };
  explicit Observer(const Deps& deps) : deps_(deps) {}

  Observed observe(const Inputs& inputs, const Rendered& rendered, PipelineState& state) const;

 private:
  void observe_refused_pods(const Inputs& inputs, Observed& observed, PipelineState& state) const;
  void observe_autoscalers(const Inputs& inputs, Observed& observed) const;
  void observe_foreign_autoscalers(const Inputs& inputs, const Rendered& rendered,
                                   Observed& observed, PipelineState& state) const;
  void observe_jobs(const render::Rendering& rendering, Observed& observed,
                    PipelineState& state) const;
  void observe_job(const render::Manifest& job, Observed& observed, PipelineState& state) const;

  const Deps deps_;
};

}  // namespace spanway::reconcile
