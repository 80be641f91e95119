#include "operator/decide/compaction.h"

#include <algorithm>
#include <string_view>

#include "operator/api/pipeline.h"
#include "operator/decide/job_ending.h"
#include "operator/decide/pod_health.h"
#include "operator/json/json_pointer.h"

namespace spanway::decide {
namespace {

using State = CompactionView::State;

constexpr std::size_t kMessageBytesMax = 256;
constexpr std::string_view kContainer = "compact";

std::string label(const Json& object, const char* key) {
  return kube::string_at(object, "metadata/labels/" + kube::escape_step(key));
}

std::string created(const Json& pod) { return kube::string_at(pod, "metadata/creationTimestamp"); }

bool is_run_of(const Json& pod, const std::string& exporter) {
  return label(pod, api::kComponentLabel) == kContainer &&
         label(pod, api::kExporterLabel) == exporter;
}

// Ended by our container, or, like an evicted pod, without a word of it.
bool has_failed(const Json& pod) {
  const JobEnding ending = pod_ending(pod, kContainer);
  return ending.known ? !ending.is_well() : kube::string_at(pod, "status/phase") == "Failed";
}

// RFC 3339 in UTC: their order as texts is that of the times.
struct Runs {
  const Json* newest_failure = nullptr;
  std::string newest_good;
};
Runs runs_of(const std::string& exporter, const std::vector<Json>& pods) {
  Runs runs;
  for (const Json& pod : pods) {
    if (!is_run_of(pod, exporter)) continue;
    if (pod_ending(pod, kContainer).is_well())
      runs.newest_good = std::max(runs.newest_good, created(pod));
    else if (has_failed(pod) &&
             (runs.newest_failure == nullptr || created(pod) >= created(*runs.newest_failure)))
      runs.newest_failure = &pod;
  }
  return runs;
}

std::string words_of(const Json* pod) {
  std::string words;
  if (pod != nullptr) words = last_line(pod_ending(*pod, kContainer).message);
  return words.empty() ? "the last run has failed; the logs of its Job name the cause"
                       : one_line(words, kMessageBytesMax);
}

CompactionView view_of(const Json& cron_job, const std::vector<Json>& pods, GoodRuns& good_runs) {
  CompactionView view;
  view.exporter = label(cron_job, api::kExporterLabel);
  const Json* active = kube::find(cron_job, "status/active");
  const bool is_active = active != nullptr && active->is_array() && !active->empty();
  const std::string scheduled = kube::string_at(cron_job, "status/lastScheduleTime");
  const Runs runs = runs_of(view.exporter, pods);
  std::string& good = good_runs[view.exporter];
  good = std::max(good, runs.newest_good);
  const std::string succeeded =
      std::max(good, kube::string_at(cron_job, "status/lastSuccessfulTime"));
  const bool failed_since =
      runs.newest_failure != nullptr && created(*runs.newest_failure) > succeeded;
  if (failed_since || (!is_active && scheduled > succeeded)) {
    view.state = State::kFailed;
    view.message = words_of(failed_since ? runs.newest_failure : nullptr);
  } else if (!succeeded.empty()) {
    view.state = State::kSucceeded;
  }
  return view;
}

}  // namespace

std::vector<CompactionView> observe_compactions(const std::vector<Json>& cron_jobs,
                                                const std::vector<Json>& pods,
                                                GoodRuns& good_runs) {
  std::vector<CompactionView> views;
  views.reserve(cron_jobs.size());
  for (const Json& cron_job : cron_jobs) views.push_back(view_of(cron_job, pods, good_runs));
  std::sort(views.begin(), views.end(),
            [](const auto& a, const auto& b) { return a.exporter < b.exporter; });
  return views;
}

}  // namespace spanway::decide
