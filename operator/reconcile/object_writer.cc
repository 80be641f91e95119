#include "operator/reconcile/object_writer.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "operator/decide/traffic.h"
#include "operator/reconcile/write_failures.h"

namespace spanway::reconcile {
namespace {

// Enough for the longest wait.
constexpr int kJobFailuresMax = 16;

std::string place_of(const kube::ResourceType& type, const kube::ObjectKey& key) {
  return std::string(type.plural) + "/" + key.name;
}

// Objects that are not pruned.
std::set<std::string> kept_objects(const kube::ObjectKey& pipeline, const Decided& decided,
                                   const render::Rendering* last_good) {
  std::set<std::string> keep;
  for (const auto* manifests :
       {&decided.objects.support, &decided.objects.canaries, &decided.objects.workloads})
    for (const render::Manifest& manifest : *manifests)
      keep.insert(place_of(manifest.type, manifest.key()));
  for (const auto& [type, key] : decided.objects.untouched) keep.insert(place_of(type, key));
  if (decided.topics_job) keep.insert(place_of(kube::kJobs, decided.topics_job->key()));
  for (const auto& [migrate, decision] : decided.migrations)
    keep.insert(place_of(kube::kJobs, migrate.job.key()));
  keep.insert(place_of(kube::kConfigMaps, last_good_key(pipeline)));
  if (last_good == nullptr) return keep;
  // A rollback must not wait for the ConfigMaps of the last good spec to be created again.
  for (const render::Component& component : last_good->components)
    for (const render::Manifest& manifest : component.support)
      if (manifest.type == kube::kConfigMaps) keep.insert(place_of(manifest.type, manifest.key()));
  return keep;
}

// The earliest of all requeues counts.
void requeue_in(Applied& out, Duration delay) {
  if (delay == Duration::zero()) return;
  out.requeue_after =
      out.requeue_after == Duration::zero() ? delay : std::min(out.requeue_after, delay);
}

}  // namespace

struct ObjectWriter::Pass {
  const Json& pipeline;
  const Inputs& inputs;
  const Observed& observed;
  const Decided& decided;
  Rendered& rendered;
  PipelineState& state;
  std::vector<RenderingCache::AppliedState> applied = {};
};

Status ObjectWriter::record_last_good(const Inputs& inputs, const Decided& decided,
                                      Rendered& rendered, const PipelineState& state) const {
  if (!decided.rollout.record_last_good) return adopt_last_good(inputs, state);
  // In full now: later the record is no longer the one that was decided with.
  SPANWAY_TRY(rendered.render_in_full());
  const auto stored = deps_.applier.live(kube::kConfigMaps, last_good_key(inputs.key));
  auto recorded = apply_manifest(
      inputs.object,
      last_good_manifest(inputs.effective, inputs.facts, decided.rollout.keep_recorded, stored));
  return recorded.ok() ? Status() : Status(std::move(recorded).error());
}

Status ObjectWriter::adopt_last_good(const Inputs& inputs, const PipelineState& state) const {
  const bool is_current = state.recorded_at == inputs.last_good_version;
  if (!is_current || !state.recorded || !state.recorded->is_orphan) return {};
  const auto stored = deps_.applier.live(kube::kConfigMaps, last_good_key(inputs.key));
  if (!stored) return {};
  auto adopted = apply_manifest(inputs.object, adopted_last_good(inputs.object, *stored));
  return adopted.ok() ? Status() : Status(std::move(adopted).error());
}

Status ObjectWriter::restore_last_good(const Json& pipeline, PipelineState& state) const {
  if (!state.last_good_copy || is_paused(pipeline)) return {};
  const kube::ObjectKey key = last_good_key({kube::string_at(pipeline, "metadata/namespace"),
                                             kube::string_at(pipeline, "metadata/name")});
  if (!deps_.applier.version(kube::kConfigMaps, key).empty()) return {};
  const Json& copy = *state.last_good_copy;
  // That of a deleted Pipeline of the same name.
  if (kube::string_at(copy, "metadata/ownerReferences/0/uid") !=
      kube::string_at(pipeline, "metadata/uid")) {
    state.last_good_copy.reset();
    return {};
  }
  Json object = {{"apiVersion", "v1"}, {"kind", kube::kConfigMaps.kind}, {"data", copy["data"]}};
  for (const char* member : {"name", "namespace", "labels", "ownerReferences"})
    object["metadata"][member] = copy["metadata"][member];
  auto written = apply_manifest(pipeline, {kube::kConfigMaps, std::move(object)});
  if (!written.ok()) return std::move(written).error();
  if (*written)
    deps_.events.announce(
        pipeline, true, "DriftReverted", "Repair",
        "ConfigMap " + key.name + " was deleted: the spec to go back to is stored again");
  return {};
}

void ObjectWriter::copy_last_good(const Inputs& inputs, const Decided& decided,
                                  PipelineState& state) const {
  const bool is_complete =
      decided.rollout.phase == decide::RolloutDecision::Phase::kComplete && inputs.problems.empty();
  if (is_complete) return state.last_good_copy.reset();
  auto stored = deps_.applier.live(kube::kConfigMaps, last_good_key(inputs.key));
  if (stored) state.last_good_copy = std::move(stored);
}

Applied ObjectWriter::apply(const Json& pipeline, const Inputs& inputs, const Observed& observed,
                            const Decided& decided, Rendered& rendered,
                            PipelineState& state) const {
  Pass pass{.pipeline = pipeline,
            .inputs = inputs,
            .observed = observed,
            .decided = decided,
            .rendered = rendered,
            .state = state};
  Applied out;
  out.written = apply_all(pass, out);
  state.renderings.set_applied(std::move(pass.applied));
  return out;
}

Status ObjectWriter::apply_all(Pass& pass, Applied& out) const {
  SPANWAY_TRY(apply_support(pass));
  SPANWAY_TRY(apply_topics_job(pass, out));
  SPANWAY_TRY(apply_migrate_jobs(pass, out));
  SPANWAY_TRY(apply_workloads(pass));
  SPANWAY_TRY(prune(pass));
  return pass.state.scaler.write(pass.pipeline, pass.rendered.desired(), pass.observed.workloads,
                                 deps_.client, deps_.events);
}

// All of them, so that one refused object does not delay the others; workloads wait for all.
Status ObjectWriter::apply_support(Pass& pass) const {
  Status first;
  for (const render::Manifest& manifest : pass.decided.objects.support) {
    Status applied = apply_object(pass, manifest);
    // A server that does not answer would block this worker for each of them; one that deletes the
    // namespace refuses each of them.
    if (!applied.ok() && (is_silent(applied.error()) || is_namespace_end(applied.error())))
      return applied;
    if (!applied.ok() && first.ok()) first = std::move(applied);
  }
  return first;
}

Status ObjectWriter::apply_workloads(Pass& pass) const {
  const decide::DesiredObjects& objects = pass.decided.objects;
  for (const auto* manifests : {&objects.canaries, &objects.workloads})
    for (const render::Manifest& manifest : *manifests) SPANWAY_TRY(apply_object(pass, manifest));
  return {};
}

Status ObjectWriter::apply_object(Pass& pass, const render::Manifest& digest) const {
  const std::optional<std::uint64_t> content =
      deps_.applier.content_hash(digest.type, digest.key());
  const RenderingCache::AppliedState applied{kube::fingerprint_number(digest.object),
                                             content.value_or(0)};
  if (!content || !pass.state.renderings.is_applied(applied)) {
    SPANWAY_ASSIGN(const render::Manifest* manifest,
                   pass.rendered.manifest(digest, pass.decided.rollout));
    SPANWAY_ASSIGN(const bool written, apply_manifest(pass.pipeline, *manifest));
    if (!content || written) return {};
  }
  pass.applied.push_back(applied);
  return {};
}

// True when it was written.
Result<bool> ObjectWriter::apply_manifest(const Json& pipeline,
                                          const render::Manifest& manifest) const {
  auto applied = deps_.applier.apply(pipeline, manifest);
  if (applied.ok()) return *applied;
  return std::move(applied).error().with_context(std::string(manifest.type.kind) + " " +
                                                 manifest.key().name);
}

Status ObjectWriter::apply_topics_job(Pass& pass, Applied& out) const {
  const decide::TopicsJobDecision& topics = pass.decided.topics;
  if (topics.create) return apply_object(pass, *pass.decided.topics_job);
  if (!topics.remove) return {};
  const auto live = deps_.applier.live(kube::kJobs, pass.decided.topics_job->key());
  if (!live) return {};
  pass.state.topics_failures = std::min(pass.state.topics_failures + 1, kJobFailuresMax);
  if (topics.view.state == decide::TopicsView::State::kFailed) {
    deps_.events.announce(pass.pipeline, true, "TopicsFailed", "Retry", topics.view.message);
  } else if (reports_missing_topic(pass.observed.components, pass.observed.reports.by_pod)) {
    deps_.events.announce(pass.pipeline, true, "TopicMissing", "Retry",
                          "pods report a topic that does not exist: the topics Job runs again");
  }
  SPANWAY_TRY(deps_.applier.remove(pass.pipeline, kube::kJobs, *live));
  requeue_in(out, std::chrono::seconds(1));
  return {};
}

Status ObjectWriter::apply_migrate_jobs(Pass& pass, Applied& out) const {
  for (const auto& [migrate, decision] : pass.decided.migrations) {
    if (decision.create) SPANWAY_TRY(apply_object(pass, migrate.job));
    if (!decision.remove) {
      requeue_in(out, decision.requeue_after);
      continue;
    }
    const auto live = deps_.applier.live(kube::kJobs, migrate.job.key());
    if (!live) continue;
    int& failures = pass.state.migrate_failures[migrate.exporter].count;
    failures = std::min(failures + 1, kJobFailuresMax);
    deps_.events.announce(pass.pipeline, true, "MigrateFailed", "Retry",
                          "exporter " + migrate.exporter + ": " + decision.view.message);
    SPANWAY_TRY(deps_.applier.remove(pass.pipeline, kube::kJobs, *live));
    requeue_in(out, std::chrono::seconds(1));
  }
  return {};
}

Status ObjectWriter::prune(const Pass& pass) const {
  const kube::ObjectKey& pipeline = pass.inputs.key;
  const std::set<std::string> keep =
      kept_objects(pipeline, pass.decided, pass.rendered.last_good());
  std::vector<std::pair<kube::ResourceType, kube::ObjectKey>> others;
  for (const kube::ResourceType& type : deps_.stores.kinds()) {
    for (const kube::ObjectKey& key : deps_.stores.keys_of_owner(type, pipeline))
      if (!keep.contains(place_of(type, key))) others.emplace_back(type, key);
  }
  if (others.empty()) return {};
  std::vector<Json> workloads = deps_.applier.live_of(kube::kDeployments, pipeline);
  for (Json& set : deps_.applier.live_of(kube::kStatefulSets, pipeline))
    workloads.push_back(std::move(set));
  const std::set<std::string> mounted = decide::mounted_config_maps(workloads, pass.observed.pods);
  for (const auto& [type, key] : others) {
    if (type == kube::kConfigMaps && mounted.contains(key.name)) continue;
    const std::optional<Json> live = deps_.applier.live(type, key);
    if (!live || !kube::string_at(*live, "metadata/deletionTimestamp").empty()) continue;
    SPANWAY_TRY(deps_.applier.remove(pass.pipeline, type, *live));
  }
  return {};
}

}  // namespace spanway::reconcile
