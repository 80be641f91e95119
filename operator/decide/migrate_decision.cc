#include "operator/decide/migrate_decision.h"

#include <algorithm>

#include "operator/decide/job_ending.h"
#include "operator/decide/pod_health.h"

namespace spanway::decide {
namespace {

using State = SchemaView::State;

constexpr std::size_t kMessageBytesMax = 256;
constexpr std::string_view kContainer = "migrate";

// `status.storage` says that the Job's own container has ended well: it is Pending from the moment
// on that the Job is started.
bool was_ready(const Json* status, const std::string& exporter) {
  const Json* list = status == nullptr ? nullptr : kube::find(*status, "storage");
  if (list == nullptr || !list->is_array()) return false;
  return std::any_of(list->begin(), list->end(), [&](const Json& one) {
    return kube::string_at(one, "exporter") == exporter &&
           kube::string_at(one, "schema") == "Ready";
  });
}

// The deadline of the Job has ended only what others had put beside its own container, which had
// ended well.
bool only_others_ran(const Json& failed, const JobEnding& ending, const MigrateJobInput& input) {
  return kube::string_at(failed, "reason") == "DeadlineExceeded" &&
         (ending.known ? ending.is_well() : was_ready(input.status, input.desired.exporter));
}

}  // namespace

MigrateJobDecision decide_migrate_job(const MigrateJobInput& input) {
  MigrateJobDecision decision;
  SchemaView& view = decision.view;
  view.exporter = input.desired.exporter;
  const std::string name = input.desired.job.key().name;
  if (!input.job) {
    decision.create = input.held.empty();
    view.state = input.held.empty() ? State::kPending : State::kHeld;
    view.message = input.held.empty() ? "the migrate Job is being started" : input.held;
    return decision;
  }
  decision.create = input.held.empty() && has_no_owner(*input.job);
  const JobEnding ending = job_ending(input.pods, name, kContainer);
  const Json* failed = job_condition(*input.job, "Failed");
  const bool is_well =
      failed == nullptr ? ending.is_well() : only_others_ran(*failed, ending, input);
  if (job_condition(*input.job, "Complete") != nullptr || is_well) {
    view.state = State::kReady;
    return decision;
  }
  const std::string words = one_line(last_line(ending.message), kMessageBytesMax);
  if (failed == nullptr) {
    const std::string blocked =
        what_blocks_job(name, kContainer, input.pods, input.refused, input.wall_now);
    view.state = blocked.empty() ? State::kPending : State::kBlocked;
    view.message =
        blocked.empty() ? "the migrate Job runs" : "the migrate Job does not start: " + blocked;
    if (blocked.empty() && ending.known && ending.exit_code != 0) view.message += ": " + words;
    return decision;
  }
  view.state = State::kFailed;
  view.message = words;
  if (words.empty())
    view.message = "the migrate Job has failed: " +
                   kube::string_at(*failed, "message", "the logs of its pods name the cause");
  const auto since = condition_time(*failed);
  const Duration wait = job_retry_wait(std::max(1, input.failures));
  // A time in the future (the clock was set back) says nothing.
  const bool is_known = since && *since <= input.wall_now;
  const Duration waited = is_known ? input.wall_now - *since : wait;
  decision.remove = input.held.empty() && waited >= wait;
  if (waited < wait) decision.requeue_after = std::min(wait, wait - waited);
  return decision;
}

}  // namespace spanway::decide
