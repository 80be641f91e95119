#include "operator/decide/compaction.h"

#include <algorithm>

#include "operator/api/pipeline.h"
#include "operator/decide/job_ending.h"
#include "operator/decide/pod_health.h"
#include "operator/json/json_pointer.h"

namespace spanway::decide {
namespace {

using State = CompactionView::State;

constexpr std::size_t kMessageBytesMax = 256;

std::string label(const Json& object, const char* key) {
  return kube::string_at(object, "metadata/labels/" + kube::escape_step(key));
}

// The newest pod of this exporter's runs that has failed; null when none has.
const Json* newest_failure(const std::vector<Json>& pods, const std::string& exporter) {
  const Json* newest = nullptr;
  for (const Json& pod : pods) {
    if (label(pod, api::kComponentLabel) != "compact" ||
        label(pod, api::kExporterLabel) != exporter ||
        kube::string_at(pod, "status/phase") != "Failed")
      continue;
    if (newest == nullptr || kube::string_at(pod, "metadata/creationTimestamp") >=
                                 kube::string_at(*newest, "metadata/creationTimestamp"))
      newest = &pod;
  }
  return newest;
}

std::string words_of(const Json* pod) {
  std::string words;
  if (pod != nullptr)
    words = last_line(kube::string_at(*pod, "status/containerStatuses/0/state/terminated/message"));
  return words.empty() ? "the last run has failed; the logs of its Job name the cause"
                       : one_line(words, kMessageBytesMax);
}

CompactionView view_of(const Json& cron_job, const std::vector<Json>& pods) {
  CompactionView view;
  view.exporter = label(cron_job, api::kExporterLabel);
  const Json* active = kube::find(cron_job, "status/active");
  const bool runs = active != nullptr && active->is_array() && !active->empty();
  const std::string scheduled = kube::string_at(cron_job, "status/lastScheduleTime");
  const std::string succeeded = kube::string_at(cron_job, "status/lastSuccessfulTime");
  const Json* failure = newest_failure(pods, view.exporter);
  // RFC 3339 in UTC: their order as texts is that of the times.
  const bool failed_since =
      failure != nullptr && kube::string_at(*failure, "metadata/creationTimestamp") > succeeded;
  if (failed_since || (!runs && scheduled > succeeded)) {
    view.state = State::kFailed;
    view.message = words_of(failed_since ? failure : nullptr);
  } else if (!succeeded.empty()) {
    view.state = State::kSucceeded;
  }
  return view;
}

}  // namespace

std::vector<CompactionView> observe_compactions(const std::vector<Json>& cron_jobs,
                                                const std::vector<Json>& pods) {
  std::vector<CompactionView> views;
  for (const Json& cron_job : cron_jobs) views.push_back(view_of(cron_job, pods));
  std::sort(views.begin(), views.end(),
            [](const auto& a, const auto& b) { return a.exporter < b.exporter; });
  return views;
}

}  // namespace spanway::decide
