#include "operator/reconcile/controller.h"

#include <algorithm>
#include <utility>

namespace spanway::reconcile {
namespace {

// How often a Pipeline that waits for its upgrade is reconciled.
constexpr Duration kUpgradeRequeue = std::chrono::seconds(30);
// How long nothing is tried in a namespace that is being deleted. Not for good: an API server that
// is behind may say so of a new namespace of the same name.
constexpr Duration kNamespaceEndPause = std::chrono::seconds(5);

// The earlier of two delays; zero = none.
Duration earlier(Duration a, Duration b) {
  if (a == Duration::zero()) return b;
  return b == Duration::zero() ? a : std::min(a, b);
}

// Moves what was noted by the wall clock when that jumps: nothing may be late or proven
// because of that.
void notice_clock(SteadyTime now, SystemTime wall_now, PipelineState& state) {
  constexpr Duration kJump = std::chrono::seconds(5);
  const Duration offset = wall_now.time_since_epoch() - now.time_since_epoch();
  const Duration moved = state.clock_offset ? offset - *state.clock_offset : Duration::zero();
  state.clock_offset = offset;
  if (moved < kJump && -moved < kJump) return;
  const std::int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(moved).count();
  if (state.observed_since) *state.observed_since += moved;
  state.failures.move(moved);
  for (auto& [pod, since] : state.ready_seen) since.by_our_clock += moved;
  if (!state.rollout) return;
  if (state.rollout->rolling_since_ms != 0) state.rollout->rolling_since_ms += ms;
  for (auto& [name, since] : state.rollout->available_since_ms) since += ms;
}

}  // namespace

Controller::Controller(const ControllerDeps& deps, render::ClusterFacts facts)
    : deps_(deps),
      facts_(std::move(facts)),
      claims_(deps.stores),
      pacer_(deps.upgrades),
      mutations_(deps.clock),
      applier_(deps.client, deps.stores, mutations_, deps.events, deps.clock),
      claim_({deps.release, deps.client, applier_, mutations_, deps.events, deps.clock}),
      input_reader_({applier_, deps.secrets, claims_, pacer_, deps.enqueue}, facts_),
      observer_({applier_, deps.stores, deps.monitor, deps.client, deps.clock}),
      object_writer_({applier_, deps.stores, deps.client, deps.events}),
      status_writer_({applier_, mutations_, deps.client, deps.events, claim_, facts_}) {}

std::shared_ptr<PipelineState> Controller::state_of(const kube::ObjectKey& key) {
  MutexLock lock(mutex_);
  std::shared_ptr<PipelineState>& state = states_[key];
  if (!state) state = std::make_shared<PipelineState>();
  return state;
}

void Controller::forget(const kube::ObjectKey& key) {
  deps_.secrets.forget(key);
  deps_.monitor.forget(key);
  applier_.forget(key);
  pacer_.done(key);
  for (const kube::ObjectKey& other : claims_.forget(key)) deps_.enqueue(other);
  MutexLock lock(mutex_);
  states_.erase(key);
}

std::size_t Controller::pipelines() const {
  MutexLock lock(mutex_);
  return states_.size();
}

Result<Duration> Controller::reconcile(const kube::ObjectKey& key) {
  std::optional<Json> object = applier_.live(kube::kPipelines, key);
  // The garbage collector deletes what a deleted Pipeline owns.
  if (!object || !kube::string_at(*object, "metadata/deletionTimestamp").empty()) {
    forget(key);
    return Duration::zero();
  }
  const std::shared_ptr<PipelineState> state = state_of(key);
  const SteadyTime now = deps_.clock.now();
  if (now < state->namespace_ends_until) return state->namespace_ends_until - now;
  Result<Duration> again = reconcile(key, std::move(*object), *state);
  // Each of its objects that the namespace's controller deletes is an event of the Pipeline.
  if (!again.ok() && is_namespace_end(again.error()))
    state->namespace_ends_until = deps_.clock.now() + kNamespaceEndPause;
  return again;
}

Result<Duration> Controller::reconcile(const kube::ObjectKey& key, Json object,
                                       PipelineState& state) {
  const SystemTime wall_now = deps_.clock.system_now();
  notice_clock(deps_.clock.now(), wall_now, state);
  SPANWAY_ASSIGN(const Duration wait, claim_.wait(key, object, state));
  if (wait > Duration::zero()) return wait;
  SPANWAY_TRY(object_writer_.restore_last_good(object, state));
  SPANWAY_ASSIGN(Inputs inputs, input_reader_.read(key, std::move(object), wall_now, state));
  return inputs.nothing_to_observe() ? report_only(inputs, state) : reconcile_stages(inputs, state);
}

Result<Duration> Controller::report_only(const Inputs& inputs, PipelineState& state) {
  deps_.monitor.set_pace(inputs.key, false, false);
  Json pipeline = inputs.object;
  SPANWAY_TRY(status_writer_.write({inputs}, pipeline, state));
  return mutations_.expires_in(inputs.key);
}

Result<Duration> Controller::reconcile_stages(Inputs& inputs, PipelineState& state) {
  Rendered rendered({applier_, facts_, renderings_}, inputs, state.renderings);
  const Observed observed = observer_.observe(inputs, rendered, state);
  const Decided decided = decide(inputs, observed, rendered, state);
  const StatusWriter::Stages stages{inputs, &rendered, &observed, &decided};
  Json pipeline = inputs.object;

  object_writer_.copy_last_good(inputs, decided, state);
  status_writer_.record_ended_pods(stages, state);
  log_phase(inputs, decided, state);
  deps_.monitor.set_pace(inputs.key, decided.is_moving(), !decided.scaling.empty());
  if (inputs.paused) {
    SPANWAY_TRY(status_writer_.write(stages, pipeline, state));
    return earlier(status_writer_.requeue_after(stages, pipeline, state),
                   mutations_.expires_in(inputs.key));
  }
  // Before the status: one that names a last good revision without its spec could not be repaired.
  SPANWAY_TRY(object_writer_.record_last_good(inputs, decided, rendered, state));
  SPANWAY_TRY(status_writer_.write(stages, pipeline, state));
  state.observed_since = inputs.observed_since;
  status_writer_.record_rollout_events(stages, pipeline);

  const Applied applied =
      object_writer_.apply(pipeline, inputs, observed, decided, rendered, state);
  const std::string failure = state.failures.message();
  const bool repeats = state.failures.repeats();
  state.failures.note(applied.written, rendered.desired().revision, inputs.wall_now);
  if (failure != state.failures.message() || repeats != state.failures.repeats())
    SPANWAY_TRY(status_writer_.write(stages, pipeline, state));
  if (!applied.written.ok()) return applied.written.error();

  Duration requeue = status_writer_.requeue_after(stages, pipeline, state);
  requeue = earlier(requeue, observed.requeue_after);
  requeue = earlier(requeue, decided.rollout.requeue_after);
  requeue = earlier(requeue, applied.requeue_after);
  requeue = earlier(requeue, decided.topics.requeue_after);
  if (!inputs.upgrade.empty()) requeue = earlier(requeue, kUpgradeRequeue);
  requeue = earlier(requeue, applier_.repair_due_in(inputs.key));
  requeue = earlier(requeue, claim_.refused_for(state));
  // An entry that expires changes the known state without a watch event.
  return earlier(requeue, mutations_.expires_in(inputs.key));
}

void Controller::log_phase(const Inputs& inputs, const Decided& decided,
                           PipelineState& state) const {
  const decide::RolloutDecision& rollout = decided.rollout;
  if (state.phase == rollout.phase && state.phase_reason == rollout.reason) return;
  deps_.events.phase_changed(inputs.key, state.phase, rollout);
  state.phase = rollout.phase;
  state.phase_reason = rollout.reason;
}

}  // namespace spanway::reconcile
