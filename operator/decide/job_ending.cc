#include "operator/decide/job_ending.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "operator/decide/observation.h"
#include "operator/decide/pod_health.h"
#include "operator/decide/wall_time.h"

namespace spanway::decide {
namespace {

constexpr Duration kFirstWait = std::chrono::seconds(30);
constexpr std::size_t kLineBytesMax = 256;

bool is_of_job(const Json& pod, const std::string& job) {
  return kube::string_at(pod, "metadata/labels/batch.kubernetes.io~1job-name") == job ||
         kube::string_at(pod, "metadata/labels/job-name") == job;
}

// The status of the Job's own container: the API server sorts them by name. Null before it starts.
const Json* own_container(const Json& pod, std::string_view container) {
  const Json* all = kube::find(pod, "status/containerStatuses");
  if (all == nullptr || !all->is_array()) return nullptr;
  for (const Json& one : *all)
    if (kube::string_at(one, "name") == container) return &one;
  return nullptr;
}

}  // namespace

const Json* job_condition(const Json& job, std::string_view type) {
  const Json* all = kube::find(job, "status/conditions");
  if (all == nullptr || !all->is_array()) return nullptr;
  for (const Json& one : *all) {
    if (kube::string_at(one, "type") == type && kube::string_at(one, "status") == "True")
      return &one;
  }
  return nullptr;
}

std::optional<SystemTime> condition_time(const Json& condition) {
  return parse_wall_time(kube::string_at(condition, "lastTransitionTime"));
}

bool has_no_owner(const Json& job) {
  const Json* owners = kube::find(job, "metadata/ownerReferences");
  return owners == nullptr || !owners->is_array() || owners->empty();
}

JobEnding job_ending(const std::vector<Json>& pods, const std::string& job,
                     std::string_view container) {
  JobEnding ending;
  std::string newest;
  for (const Json& pod : pods) {
    if (!is_of_job(pod, job)) continue;
    const std::string created = kube::string_at(pod, "metadata/creationTimestamp");
    if (created < newest) continue;
    JobEnding own = pod_ending(pod, container);
    if (!own.known) continue;
    newest = created;
    ending = std::move(own);
  }
  return ending;
}

JobEnding pod_ending(const Json& pod, std::string_view container) {
  const Json* own = own_container(pod, container);
  if (own == nullptr) return {};
  const Json* ended = kube::find(*own, "state/terminated");
  if (ended == nullptr) ended = kube::find(*own, "lastState/terminated");
  if (ended == nullptr) return {};
  return {true, kube::int_at(*ended, "exitCode"), kube::string_at(*ended, "message"),
          kube::string_at(*ended, "finishedAt")};
}

std::string last_line(const std::string& message) {
  const std::size_t end = message.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const std::size_t newline = message.rfind('\n', end);
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  return message.substr(begin, std::min<std::size_t>(end + 1 - begin, kLineBytesMax));
}

std::string what_blocks_job(const std::string& job, std::string_view container,
                            const std::vector<Json>& pods, const std::string& refused,
                            SystemTime wall_now) {
  if (!refused.empty()) return refused;
  for (const Json& pod : pods) {
    if (!is_of_job(pod, job) || has_ended(pod)) continue;
    // The pod ends a moment after its container, or, with containers of others, never.
    const Json* own = own_container(pod, container);
    if (own != nullptr && kube::find(*own, "state/terminated") != nullptr) continue;
    const PodView view = view_pod(pod, wall_now);
    // One that runs is never ready: it has no probe.
    if (view.reason.empty() || view.reason == "NotReady") continue;
    if (is_in_trouble(view, unix_ms(wall_now))) return view.problem;
  }
  return "";
}

Duration job_retry_wait(int failures) {
  Duration wait = kFirstWait;
  for (int i = 1; i < failures && wait < kJobRetryWaitMax; ++i) wait *= 2;
  return std::min(wait, kJobRetryWaitMax);
}

}  // namespace spanway::decide
