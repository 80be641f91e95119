#include "operator/reconcile/refused_pods.h"

#include <algorithm>
#include <utility>

#include "operator/decide/pod_health.h"

namespace spanway::reconcile {
namespace {

constexpr std::size_t kBytesMax = 480;

std::string time_of(const Json& event) {
  for (const char* path : {"series/lastObservedTime", "deprecatedLastTimestamp", "eventTime",
                           "metadata/creationTimestamp"}) {
    if (std::string time = kube::string_at(event, path); !time.empty()) return time;
  }
  return "";
}

// Without what is new at each try: "create Pod p-a-consumer-0 in StatefulSet p-a-consumer failed
// error: pods "p-a-consumer-0" is forbidden: ..."
std::string words_of(const Json& event) {
  std::string note = kube::string_at(event, "note");
  for (const char* mark : {"error: ", "Error creating: "}) {
    const std::size_t at = note.find(mark);
    if (at != std::string::npos) note = note.substr(at + std::string_view(mark).size());
  }
  if (note.starts_with("pods \"")) {
    const std::size_t end = note.find("\" ");
    if (end != std::string::npos) note = "a pod " + note.substr(end + 2);
  }
  return decide::one_line("pods cannot be created: " + note, kBytesMax);
}

}  // namespace

bool lacks_pods(const Json& workload) {
  if (kube::find(workload, "spec/completions") != nullptr ||
      kube::find(workload, "spec/backoffLimit") != nullptr) {
    const Json* conditions = kube::find(workload, "status/conditions");
    const bool has_ended = kube::int_at(workload, "status/succeeded") > 0 ||
                           kube::int_at(workload, "status/failed") > 0 ||
                           (conditions != nullptr && !conditions->empty());
    return !has_ended && kube::int_at(workload, "status/active") == 0;
  }
  return kube::int_at(workload, "status/replicas") < kube::int_at(workload, "spec/replicas", 1);
}

std::string newest_refusal(const std::vector<Json>& events, const std::string& uid) {
  const Json* newest = nullptr;
  for (const Json& event : events) {
    if (kube::string_at(event, "reason") != "FailedCreate") continue;
    if (kube::string_at(event, "regarding/uid") != uid) continue;
    if (newest == nullptr || time_of(event) > time_of(*newest)) newest = &event;
  }
  return newest == nullptr ? "" : words_of(*newest);
}

RefusedPods::Answer RefusedPods::refusal_of(kube::Client& client, const kube::ResourceType& type,
                                            const Json& workload, SteadyTime now) {
  const std::string uid = kube::string_at(workload, "metadata/uid");
  if (!lacks_pods(workload) || uid.empty()) return {};
  const std::int64_t generation = kube::int_at(workload, "metadata/generation");
  const auto known = entries_.find(uid);
  const bool same = known != entries_.end() && known->second.generation == generation;
  if (same) {
    Entry& entry = known->second;
    entry.used = true;
    if (now - entry.at < entry.counts) return {entry.refusal, entry.counts - (now - entry.at)};
  }
  kube::ListOptions options;
  options.name_space = kube::string_at(workload, "metadata/namespace");
  options.field_selector = "reason=FailedCreate,regarding.kind=" + std::string(type.kind) +
                           ",regarding.name=" + kube::string_at(workload, "metadata/name");
  const auto events = client.list(kube::kEvents, options);
  // Without the right to read Events its pods are just missing.
  std::string refusal = events.ok() ? newest_refusal(events->items, uid) : "";
  const Duration counts = same && known->second.refusal == refusal
                              ? std::min(2 * known->second.counts, kAnswerCountsMax)
                              : kAnswerCounts;
  entries_[uid] = {refusal, generation, now, counts, true};
  return {std::move(refusal), counts};
}

void RefusedPods::sweep() {
  std::erase_if(entries_, [](const auto& entry) { return !entry.second.used; });
  for (auto& [uid, entry] : entries_) entry.used = false;
}

}  // namespace spanway::reconcile
