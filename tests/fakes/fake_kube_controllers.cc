// The controllers and the kubelet of FakeKube.
#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <utility>

#include "tests/fakes/fake_kube.h"
#include "tests/fakes/fake_kube_objects.h"

namespace spanway::fakes {

std::vector<Json> FakeKube::pods_of(const Json& owner) {
  std::vector<Json> out;
  const ObjectKey key = key_of(owner);
  Kind& pods = kind_of(kube::kPods);
  for (auto at = pods.lower_bound({key.name_space, ""});
       at != pods.end() && at->first.name_space == key.name_space; ++at) {
    if (kube::string_at(at->second.object, "metadata/ownerReferences/0/uid") ==
        kube::string_at(owner, "metadata/uid"))
      out.push_back(at->second.object);
  }
  return out;
}

bool FakeKube::make_pod(const Json& owner, const ResourceType& owner_type,
                        const std::string& name) {
  if (const std::string refusal = refuse_pods(owner); !refusal.empty()) {
    if (owner_type == kube::kDeployments) return false;
    const std::string uid = kube::string_at(owner, "metadata/uid");
    const ObjectKey event{kube::string_at(owner, "metadata/namespace"), "refused." + uid};
    update(kube::kEvents, event,
           {{"metadata", {{"name", event.name}, {"namespace", event.name_space}}},
            {"type", "Warning"},
            {"reason", "FailedCreate"},
            {"regarding",
             {{"kind", owner_type.kind}, {"name", owner["metadata"]["name"]}, {"uid", uid}}},
            {"note", "Error creating: pods \"" + name + "\" is forbidden: " + refusal}},
           "kube-controller-manager", false);
    return false;
  }
  const ObjectKey key{kube::string_at(owner, "metadata/namespace"), name};
  Json pod = owner["spec"]["template"];
  pod["metadata"]["name"] = key.name;
  pod["metadata"]["namespace"] = key.name_space;
  pod["metadata"]["labels"][kHashLabel] = template_hash(owner);
  if (owner_type == kube::kJobs)
    pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] =
        kube::string_at(owner, "metadata/name");
  pod["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", owner_type.api_version()},
                                                     {"kind", owner_type.kind},
                                                     {"name", owner["metadata"]["name"]},
                                                     {"uid", owner["metadata"]["uid"]},
                                                     {"controller", true}}});
  pod["status"] = {{"phase", "Pending"}};
  update(kube::kPods, key, std::move(pod), "kube-controller-manager", false);
  return true;
}

void FakeKube::run_pod(const ObjectKey& key, const PodFate& is) {
  Json pod = kind_of(kube::kPods).at(key).object;
  Json& status = pod["status"];
  const bool was_ready = is_ready(pod);
  const std::string container = kube::string_at(pod, "spec/containers/0/name", "main");
  const std::int64_t restarts = kube::int_at(status, "containerStatuses/0/restartCount");
  const auto ready_condition = [&](bool ready) {
    const std::string since =
        was_ready == ready ? kube::string_at(status, "conditions/0/lastTransitionTime", now_text())
                           : now_text();
    return Json::array(
        {{{"type", "Ready"}, {"status", ready ? "True" : "False"}, {"lastTransitionTime", since}}});
  };
  if (is.kind == PodFate::Kind::kUnschedulable) {
    status = {{"phase", "Pending"},
              {"conditions", Json::array({{{"type", "PodScheduled"},
                                           {"status", "False"},
                                           {"reason", "Unschedulable"},
                                           {"message", is.message}}})}};
    update(kube::kPods, key, std::move(pod), "kube-scheduler", true);
    return;
  }
  const bool ready = is.kind == PodFate::Kind::kReady;
  const bool crashes = is.kind == PodFate::Kind::kCrashes;
  Json container_status = {{"name", container}, {"ready", ready}, {"restartCount", restarts}};
  if (crashes) {
    container_status["restartCount"] = restarts + 1;
    container_status["state"] = {
        {"waiting", {{"reason", "CrashLoopBackOff"}, {"message", "back-off restarting"}}}};
    container_status["lastState"] = {{"terminated",
                                      {{"exitCode", is.exit_code},
                                       {"reason", "Error"},
                                       {"message", is.message},
                                       {"finishedAt", now_text()}}}};
  } else {
    container_status["state"] = {{"running", {{"startedAt", now_text()}}}};
    const Json* state = kube::find(status, "containerStatuses/0/state/running");
    if (state != nullptr) container_status["state"]["running"] = *state;
    const Json* last = kube::find(status, "containerStatuses/0/lastState");
    if (last != nullptr) container_status["lastState"] = *last;
  }
  const std::string ip = "10.0." + std::to_string(std::hash<std::string>()(key.name) % 250) + ".7";
  status = {{"phase", "Running"},
            {"podIP", ip},
            {"conditions", ready_condition(ready)},
            {"containerStatuses", Json::array({std::move(container_status)})}};
  update(kube::kPods, key, std::move(pod), "kubelet", true);
}

void FakeKube::workload_status(const ResourceType& type, const Json& workload) {
  std::int64_t ready = 0;
  std::int64_t updated = 0;
  const auto pods = pods_of(workload);
  for (const Json& pod : pods) {
    ready += is_ready(pod) ? 1 : 0;
    updated += kube::string_at(pod, "metadata/labels/fake~1template") == template_hash(workload);
  }
  Json next = kind_of(type).at(key_of(workload)).object;
  next["status"] = {{"observedGeneration", workload["metadata"]["generation"]},
                    {"replicas", pods.size()},
                    {"readyReplicas", ready},
                    {"availableReplicas", ready},
                    {"updatedReplicas", updated},
                    {"unavailableReplicas",
                     std::max<std::int64_t>(0, kube::int_at(workload, "spec/replicas") - ready)}};
  const bool lacks_pods =
      static_cast<std::int64_t>(pods.size()) < kube::int_at(workload, "spec/replicas", 1);
  const std::string refusal = lacks_pods ? refuse_pods(workload) : "";
  if (type == kube::kDeployments && !refusal.empty())
    next["status"]["conditions"] =
        Json::array({{{"type", "ReplicaFailure"},
                      {"status", "True"},
                      {"reason", "FailedCreate"},
                      {"message", "pods \"x\" is forbidden: " + refusal}}});
  if (type == kube::kStatefulSets) {
    next["status"]["updateRevision"] = template_hash(workload);
    next["status"]["currentRevision"] =
        updated == static_cast<std::int64_t>(pods.size()) ? template_hash(workload) : "old";
  }
  update(type, key_of(workload), std::move(next), "kube-controller-manager", true);
}

void FakeKube::run_deployments() {
  std::vector<Json> deployments;
  for (const auto& [key, stored] : kind_of(kube::kDeployments))
    deployments.push_back(stored.object);
  for (const Json& deployment : deployments) {
    const auto desired = kube::int_at(deployment, "spec/replicas", 1);
    std::vector<ObjectKey> old;
    std::int64_t current = 0;
    std::int64_t current_ready = 0;
    std::int64_t old_ready = 0;
    for (const Json& pod : pods_of(deployment)) {
      if (kube::string_at(pod, "metadata/labels/fake~1template") == template_hash(deployment)) {
        ++current;
        current_ready += is_ready(pod) ? 1 : 0;
      } else {
        old.push_back(key_of(pod));
        old_ready += is_ready(pod) ? 1 : 0;
      }
    }
    const auto count_old = static_cast<std::int64_t>(old.size());
    // maxSurge 1, maxUnavailable 0.
    while (current < desired && current + count_old < desired + (count_old > 0 ? 1 : 0)) {
      ++current;
      if (!make_pod(deployment, kube::kDeployments,
                    kube::string_at(deployment, "metadata/name") + "-" + template_hash(deployment) +
                        "-" + std::to_string(++uids_)))
        break;
    }
    for (const ObjectKey& key : old) {
      const bool ready = is_ready(kind_of(kube::kPods).at(key).object);
      if (ready && current_ready + old_ready <= desired) continue;
      old_ready -= ready ? 1 : 0;
      erase_locked(kube::kPods, key);
    }
    for (const Json& pod : pods_of(deployment)) {
      if (current <= desired) break;
      erase_locked(kube::kPods, key_of(pod));
      --current;
    }
  }
}

void FakeKube::run_stateful_sets() {
  std::vector<Json> sets;
  for (const auto& [key, stored] : kind_of(kube::kStatefulSets)) sets.push_back(stored.object);
  for (const Json& set : sets) {
    const auto desired = kube::int_at(set, "spec/replicas", 1);
    const auto partition = kube::int_at(set, "spec/updateStrategy/rollingUpdate/partition", 0);
    const std::string base = kube::string_at(set, "metadata/name") + "-";
    const std::string name_space = kube::string_at(set, "metadata/namespace");
    bool all_current_ready = true;
    for (std::int64_t i = 0; i < desired; ++i) {
      const ObjectKey key{name_space, base + std::to_string(i)};
      const auto found = kind_of(kube::kPods).find(key);
      if (found == kind_of(kube::kPods).end()) {
        make_pod(set, kube::kStatefulSets, key.name);
        all_current_ready = false;
      } else if (kube::string_at(found->second.object, "metadata/labels/fake~1template") ==
                     template_hash(set) &&
                 !is_ready(found->second.object)) {
        all_current_ready = false;
      }
    }
    for (const Json& pod : pods_of(set)) {
      const std::string name = kube::string_at(pod, "metadata/name");
      if (std::strtoll(name.substr(base.size()).c_str(), nullptr, 10) >= desired)
        erase_locked(kube::kPods, {name_space, name});
    }
    // The highest ordinal that is old goes, once all new ones are ready.
    for (std::int64_t i = desired - 1; all_current_ready && i >= partition; --i) {
      const ObjectKey key{name_space, base + std::to_string(i)};
      const Json pod = kind_of(kube::kPods).at(key).object;
      if (kube::string_at(pod, "metadata/labels/fake~1template") == template_hash(set)) continue;
      erase_locked(kube::kPods, key);
      break;
    }
  }
}

void FakeKube::run_jobs() {
  std::vector<Json> jobs;
  for (const auto& [key, stored] : kind_of(kube::kJobs)) jobs.push_back(stored.object);
  for (Json& job : jobs) {
    if (kube::int_at(job, "status/succeeded") > 0 || kube::int_at(job, "status/failed") > 0)
      continue;
    if (pods_of(job).empty() &&
        !make_pod(job, kube::kJobs, kube::string_at(job, "metadata/name") + "-pod"))
      continue;
    Json pod = pods_of(job).front();
    const PodFate result = fate(pod);
    if (result.kind == PodFate::Kind::kNotReady || result.kind == PodFate::Kind::kUnschedulable)
      continue;
    const bool ok = result.kind == PodFate::Kind::kReady;
    pod["status"] = {
        {"phase", ok ? "Succeeded" : "Failed"},
        {"containerStatuses",
         Json::array({{{"name", kube::string_at(pod, "spec/containers/0/name", "topics")},
                       {"restartCount", 0},
                       {"ready", false},
                       {"state",
                        {{"terminated",
                          {{"exitCode", ok ? 0 : result.exit_code},
                           {"reason", ok ? "Completed" : "Error"},
                           {"message", result.message},
                           {"finishedAt", now_text()}}}}}}})}};
    update(kube::kPods, key_of(pod), pod, "kubelet", true);
    job["status"] = {{ok ? "succeeded" : "failed", 1},
                     {"conditions", Json::array({{{"type", ok ? "Complete" : "Failed"},
                                                  {"status", "True"},
                                                  {"lastTransitionTime", now_text()}}})}};
    update(kube::kJobs, key_of(job), job, "kube-controller-manager", true);
  }
}

void FakeKube::run_garbage_collector() {
  std::set<std::string> uids;
  for (const auto& [plural, kind] : kinds_)
    for (const auto& [key, stored] : kind)
      uids.insert(key.name_space + "/" + kube::string_at(stored.object, "metadata/uid"));
  std::vector<std::pair<ResourceType, ObjectKey>> orphans;
  for (const ResourceType& type : owned_types()) {
    for (const auto& [key, stored] : kind_of(type)) {
      const Json* owners = kube::find(stored.object, "metadata/ownerReferences");
      if (owners == nullptr || owners->empty()) continue;
      // An owner of another namespace does not exist for it.
      const bool owned = std::any_of(owners->begin(), owners->end(), [&](const Json& owner) {
        return uids.contains(key.name_space + "/" + kube::string_at(owner, "uid"));
      });
      if (!owned) orphans.emplace_back(type, key);
    }
  }
  for (const auto& [type, key] : orphans) erase_locked(type, key);
}

FakeKube::Fates FakeKube::read_fates() {
  Fates fates;
  for (const auto& [key, stored] : kind_of(kube::kPods)) {
    if (kube::string_at(stored.object, "metadata/ownerReferences/0/kind") != "Job")
      fates.emplace(key, fate(stored.object));
  }
  return fates;
}

bool FakeKube::has_running_jobs() {
  const Kind& jobs = kind_of(kube::kJobs);
  return std::any_of(jobs.begin(), jobs.end(), [](const auto& entry) {
    const Json& job = entry.second.object;
    return kube::int_at(job, "status/succeeded") == 0 && kube::int_at(job, "status/failed") == 0;
  });
}

void FakeKube::step() {
  MutexLock lock(mutex_);
  Fates fates = read_fates();
  const std::uint64_t before = moved_at_;
  if (idle_at_ == before && idle_with_ == fates && !has_running_jobs()) return;
  run_garbage_collector();
  run_deployments();
  run_stateful_sets();
  run_jobs();
  std::vector<Json> pods;
  for (const auto& [key, stored] : kind_of(kube::kPods)) pods.push_back(stored.object);
  for (const Json& pod : pods) {
    if (kube::string_at(pod, "metadata/ownerReferences/0/kind") == "Job") continue;
    if (kube::string_at(pod, "status/phase") == "Failed") continue;  // For good.
    const auto known = fates.find(key_of(pod));
    run_pod(key_of(pod), known == fates.end() ? fate(pod) : known->second);
  }
  for (const auto& type : {kube::kDeployments, kube::kStatefulSets}) {
    std::vector<Json> workloads;
    for (const auto& [key, stored] : kind_of(type)) workloads.push_back(stored.object);
    for (const Json& workload : workloads) workload_status(type, workload);
  }
  if (moved_at_ != before) return;
  idle_at_ = before;
  idle_with_ = std::move(fates);
}

const std::string& FakeKube::template_hash(const Json& workload) {
  std::string& hash =
      template_hashes_[kube::string_at(workload, "metadata/uid") + "/" +
                       std::to_string(kube::int_at(workload, "metadata/generation"))];
  if (hash.empty()) hash = kube::fingerprint(workload["spec"]["template"]).substr(0, 8);
  return hash;
}

}  // namespace spanway::fakes
