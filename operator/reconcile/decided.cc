#include "operator/reconcile/decided.h"

#include <utility>

#include "operator/decide/compaction.h"
#include "operator/decide/topic_settings.h"
#include "operator/decide/traffic.h"
#include "operator/decide/wall_time.h"

namespace spanway::reconcile {
namespace {

using Phase = decide::RolloutDecision::Phase;

std::string force_check_of(const api::Pipeline& pipeline) {
  const auto found = pipeline.annotations.find(api::kForceCheckAnnotation);
  return found == pipeline.annotations.end() ? "" : found->second;
}

constexpr char kSecretMissing[] = "the migrate Job waits for a Secret";

decide::MigrateJobDecision decide_migration(const Inputs& inputs, const Observed& observed,
                                            const render::MigrateJob& desired,
                                            PipelineState& state) {
  const std::string name = desired.job.key().name;
  ObservedJob job;
  if (const auto found = observed.jobs.find(name); found != observed.jobs.end())
    job = found->second;
  JobFailures& failures = state.migrate_failures[desired.exporter];
  if (failures.job != name) failures = {name, 0};
  const bool lacks_secret =
      render::migrate_job_uses(inputs.pipeline, desired.exporter, inputs.missing_secrets);
  decide::MigrateJobDecision decision =
      decide::decide_migrate_job({.desired = desired,
                                  .job = job.live,
                                  .pods = observed.pods,
                                  .failures = failures.count + 1,
                                  .refused = job.refusal,
                                  .held = lacks_secret ? kSecretMissing : "",
                                  .status = &inputs.status,
                                  .wall_now = inputs.wall_now});
  if (decision.view.state == decide::SchemaView::State::kReady) failures.count = 0;
  return decision;
}

bool upgrade_waits(const Inputs& inputs) {
  return !inputs.upgrade.empty() && inputs.is_spec_recorded;
}

// Exporters of the desired rendering that must wait for their tables. One that was taken back waits
// for nothing.
std::map<render::ComponentId, std::string> migrating(const Inputs& inputs, const Observed& observed,
                                                     const Rendered& rendered,
                                                     PipelineState& state) {
  std::map<render::ComponentId, std::string> out;
  if (upgrade_waits(inputs) || inputs.memory.failed_revision == rendered.desired().revision)
    return out;
  for (const render::MigrateJob& migrate : rendered.desired().migrate_jobs) {
    const decide::SchemaView view = decide_migration(inputs, observed, migrate, state).view;
    if (view.state == decide::SchemaView::State::kReady) continue;
    out[{render::Role::kExporter, migrate.exporter}] =
        view.state == decide::SchemaView::State::kFailed ? view.message : "";
  }
  return out;
}

decide::RolloutDecision decide_rollout(const Inputs& inputs, const Observed& observed,
                                       const Rendered& rendered, PipelineState& state) {
  decide::RolloutMemory memory = inputs.memory;
  const bool is_forced = !inputs.paused && inputs.problems.empty() &&
                         consume_force_check(force_check_of(inputs.pipeline), memory);
  decide::RolloutDecision decision =
      decide::decide({.desired = rendered.desired(),
                      .last_good = rendered.last_good(),
                      .components = observed.components,
                      .memory = std::move(memory),
                      .rules = inputs.pipeline.spec.rollout,
                      .now_ms = decide::unix_ms(inputs.wall_now),
                      .observed_since_ms = decide::unix_ms(inputs.observed_since),
                      .forced = is_forced,
                      .secrets = render::reloaded_secrets(inputs.pipeline, inputs.facts),
                      .refused_for_ms = state.failures.refused_for_ms(rendered.desired().revision,
                                                                      inputs.wall_now),
                      .refusal = state.failures.refusal(),
                      .blocked = inputs.blocked,
                      .migrating = migrating(inputs, observed, rendered, state),
                      .reports = &observed.reports.by_pod});
  if (!inputs.problems.empty()) {
    // A failed revision is not tried again after a spec that was refused.
    decision.memory.failed_revision = inputs.memory.failed_revision;
    decision.memory.failed_reason = inputs.memory.failed_reason;
    decision.memory.failed_secrets = inputs.memory.failed_secrets;
  }
  return decision;
}

// Keeps workloads that only a new version of the operator renders differently, while the upgrade
// waits.
void hold_upgrade(const Inputs& inputs, const Observed& observed, const Rendered& rendered,
                  decide::RolloutDecision& decision) {
  if (!upgrade_waits(inputs)) return;
  bool differs = false;
  for (std::size_t i = 0; i < observed.components.size(); ++i) {
    const decide::WorkloadView& stable = observed.components[i].stable;
    const render::Component& component = rendered.desired().components[i];
    if (!stable.exists || stable.revision == component.revision) continue;
    differs = true;
    decision.actions[i] = {component.id, decide::Target::kKeep, false};
  }
  if (!differs) return;
  decision.phase = Phase::kComplete;
  decision.memory = inputs.memory;
  decision.record_last_good = false;
  decision.just_failed = false;
  decision.remove_others = false;
  decision.reason = "UpgradePending";
  decision.message = inputs.upgrade;
}

void decide_topics(const Inputs& inputs, const Observed& observed, const Rendered& rendered,
                   PipelineState& state, Decided& decided) {
  // A rollback takes the Job of the failed revision back as well.
  const bool is_back =
      decided.rollout.phase == Phase::kRolledBack && rendered.last_good() != nullptr;
  decided.topics_job = (is_back ? *rendered.last_good() : rendered.desired()).topics_job;
  ObservedJob job;
  if (decided.topics_job) {
    const std::string name = decided.topics_job->key().name;
    if (const auto found = observed.jobs.find(name); found != observed.jobs.end())
      job = found->second;
    if (state.topics_job != name) {
      state.topics_job = name;
      state.topics_failures = 0;
    }
  }
  decided.topics = decide::decide_topics_job(
      {.desired = decided.topics_job,
       .job = job.live,
       .pods = observed.pods,
       .status = inputs.status,
       .failures = state.topics_failures + 1,
       .refused = job.refusal,
       .missing = reports_missing_topic(observed.components, observed.reports.by_pod),
       .weaker = weaker_topic(inputs.pipeline.spec.kafka.topics, observed.components,
                              observed.reports.by_pod),
       .wall_now = inputs.wall_now});
  if (decided.topics.is_well) state.topics_failures = 0;
  if (render::topics_job_uses(inputs.pipeline, inputs.missing_secrets))
    decided.topics.create = decided.topics.remove = false;
}

void decide_migrations(const Inputs& inputs, const Observed& observed, const Rendered& rendered,
                       PipelineState& state, Decided& decided) {
  if (upgrade_waits(inputs)) return;
  const bool is_back =
      decided.rollout.phase == Phase::kRolledBack && rendered.last_good() != nullptr;
  const render::Rendering& rendering = is_back ? *rendered.last_good() : rendered.desired();
  for (const render::MigrateJob& migrate : rendering.migrate_jobs)
    decided.migrations.emplace_back(migrate, decide_migration(inputs, observed, migrate, state));
}

}  // namespace

Decided decide(const Inputs& inputs, const Observed& observed, const Rendered& rendered,
               PipelineState& state) {
  Decided decided;
  decided.rollout = decide_rollout(inputs, observed, rendered, state);
  hold_upgrade(inputs, observed, rendered, decided.rollout);
  decided.objects = desired_objects(rendered.desired(), rendered.last_good(), decided.rollout);
  if (!inputs.paused)
    decided.scaling = state.scaler.decide(inputs.pipeline, rendered.desired(), observed.components,
                                          observed.reports, decide::unix_ms(inputs.wall_now));
  decide_topics(inputs, observed, rendered, state, decided);
  decide_migrations(inputs, observed, rendered, state, decided);
  decided.compactions =
      decide::observe_compactions(observed.cron_jobs, observed.pods, state.good_compactions);
  return decided;
}

}  // namespace spanway::reconcile
