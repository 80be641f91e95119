#include "operator/reconcile/owned_fields.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "operator/json/json_pointer.h"

namespace spanway::reconcile {
namespace {

// null, false, 0, "", [] and {} mean the same as an absent field.
bool is_empty(const Json& value) {
  return value.is_null() || value == false || value == 0 || value == "" ||
         (value.is_structured() && value.empty());
}

class Finder {
 public:
  Finder(const Json& live, const Json& desired) : live_(live), desired_(desired) {}

  // Only the keys that are desired.
  void map(const std::string& path) {
    const Json* live = kube::find(live_, path);
    if (live == nullptr || !live->is_object()) return;
    const Json* desired = kube::find(desired_, path);
    for (const auto& [key, value] : live->items()) {
      const bool is_desired = desired != nullptr && desired->is_object() && desired->contains(key);
      if (!is_desired && !is_empty(value)) add(path + "/" + kube::escape_step(key));
    }
  }
  // Only the items that are desired, by these members; `keys` that one of the two lacks are
  // defaulted there.
  void list(const std::string& path, const std::vector<std::string>& keys) {
    list_at(path, kube::find(desired_, path), keys);
  }
  void list_at(const std::string& path, const Json* desired, const std::vector<std::string>& keys) {
    const Json* live = kube::find(live_, path);
    if (live == nullptr || !live->is_array()) return;
    for (std::size_t i = 0; i < live->size(); ++i)
      if (item_like((*live)[i], desired, keys) == nullptr) add(path + "/" + std::to_string(i));
  }
  // Nothing unless something is desired (what kube::contains compares, then).
  void unless_desired(const std::string& path) {
    unless_desired_at(path, kube::find(desired_, path));
  }
  void unless_desired_at(const std::string& path, const Json* desired) {
    const Json* live = kube::find(live_, path);
    if (live != nullptr && desired == nullptr && !is_empty(*live)) add(path);
  }

  // The same, of a field that the server defaults to `value`.
  void unless_default(const std::string& path, const char* value) {
    const Json* live = kube::find(live_, path);
    if (live != nullptr && *live != value) unless_desired(path);
  }

  static const Json* item_like(const Json& item, const Json* list,
                               const std::vector<std::string>& keys) {
    if (list == nullptr || !list->is_array()) return nullptr;
    const auto found = std::find_if(list->begin(), list->end(), [&](const Json& other) {
      return std::all_of(keys.begin(), keys.end(), [&](const std::string& key) {
        return !item.contains(key) || !other.contains(key) || item[key] == other[key];
      });
    });
    return found == list->end() ? nullptr : &*found;
  }

  const Json& live() const { return live_; }
  const Json& desired() const { return desired_; }
  std::vector<std::string> take() { return std::move(found_); }

 private:
  void add(std::string path) { found_.push_back(std::move(path)); }

  const Json& live_;
  const Json& desired_;
  std::vector<std::string> found_;
};

void check_container(Finder& finder, const std::string& path, const Json& desired) {
  for (const char* member : {"command", "args", "envFrom", "workingDir", "lifecycle"})
    finder.unless_desired_at(path + "/" + member, kube::find(desired, member));
  finder.list_at(path + "/env", kube::find(desired, "env"), {"name"});
  finder.list_at(path + "/ports", kube::find(desired, "ports"), {"containerPort", "protocol"});
  finder.list_at(path + "/volumeMounts", kube::find(desired, "volumeMounts"), {"mountPath"});
}

void check_pods(Finder& finder) {
  const std::string pod = "spec/template/spec/";
  for (const char* member :
       {"tolerations", "nodeName", "hostNetwork", "hostPID", "hostIPC", "hostAliases",
        "priorityClassName", "runtimeClassName", "initContainers", "activeDeadlineSeconds",
        "dnsConfig", "hostname", "readinessGates", "shareProcessNamespace", "subdomain"})
    finder.unless_desired(pod + member);
  finder.unless_default(pod + "dnsPolicy", "ClusterFirst");
  finder.unless_default(pod + "schedulerName", "default-scheduler");
  finder.map(pod + "nodeSelector");
  finder.map(pod + "affinity");
  finder.list(pod + "topologySpreadConstraints", {"topologyKey", "whenUnsatisfiable"});
  finder.list(pod + "volumes", {"name"});
  finder.list(pod + "containers", {"name"});
  const Json* containers = kube::find(finder.live(), pod + "containers");
  const Json* desired = kube::find(finder.desired(), pod + "containers");
  if (containers == nullptr || !containers->is_array()) return;
  for (std::size_t i = 0; i < containers->size(); ++i) {
    const Json* own = Finder::item_like((*containers)[i], desired, {"name"});
    if (own != nullptr) check_container(finder, pod + "containers/" + std::to_string(i), *own);
  }
}

void check_service(Finder& finder) {
  finder.map("spec/selector");
  finder.list("spec/ports", {"port", "protocol"});
  for (const char* member :
       {"spec/externalIPs", "spec/externalName", "spec/publishNotReadyAddresses"})
    finder.unless_desired(member);
  finder.unless_default("spec/internalTrafficPolicy", "Cluster");
  finder.unless_default("spec/sessionAffinity", "None");
  for (const char* member : {"spec/sessionAffinityConfig", "spec/trafficDistribution"})
    finder.unless_desired(member);
}

void check_selector(Finder& finder, const std::string& path) {
  finder.map(path + "/matchLabels");
  finder.unless_desired(path + "/matchExpressions");
}

std::vector<std::string_view> steps_of(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    out.push_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return out;
}

Json* member_of(Json& value, std::string_view step) {
  if (value.is_object()) {
    const auto found = value.find(kube::unescape_step(step));
    return found == value.end() ? nullptr : &*found;
  }
  if (!value.is_array()) return nullptr;
  const std::size_t index = std::strtoul(std::string(step).c_str(), nullptr, 10);
  return index < value.size() ? &value[index] : nullptr;
}

}  // namespace

std::vector<std::string> foreign_fields(const kube::ResourceType& type, const Json& live,
                                        const Json& desired) {
  Finder finder(live, desired);
  if (type == kube::kServices) check_service(finder);
  if (type == kube::kDeployments || type == kube::kStatefulSets) {
    finder.unless_desired("spec/paused");
    finder.unless_desired("spec/minReadySeconds");
    check_pods(finder);
  }
  // The pods of a Job cannot be changed; that it waits can.
  if (type == kube::kJobs || type == kube::kCronJobs) finder.unless_desired("spec/suspend");
  if (type == kube::kNetworkPolicies) check_selector(finder, "spec/podSelector");
  if (type == kube::kPodDisruptionBudgets) check_selector(finder, "spec/selector");
  return finder.take();
}

Json remove_fields(Json object, const std::vector<std::string>& paths) {
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    const std::vector<std::string_view> steps = steps_of(*path);
    Json* at = &object;
    for (std::size_t i = 0; i + 1 < steps.size() && at != nullptr; ++i)
      at = member_of(*at, steps[i]);
    if (at == nullptr || steps.empty()) continue;
    if (at->is_object()) {
      at->erase(kube::unescape_step(steps.back()));
    } else if (at->is_array()) {
      const std::size_t index = std::strtoul(std::string(steps.back()).c_str(), nullptr, 10);
      if (index < at->size()) at->erase(index);
    }
  }
  return object;
}

std::string readable_path(const Json& object, std::string_view path) {
  constexpr std::array kNames = {"name", "mountPath", "containerPort", "port", "topologyKey"};
  std::string out;
  const Json* at = &object;
  for (const std::string_view step : steps_of(path)) {
    const bool is_item = at != nullptr && at->is_array();
    at = at == nullptr ? nullptr : kube::find(*at, step);
    std::string text = kube::unescape_step(step);
    for (const char* name : kNames) {
      if (!is_item || at == nullptr || !at->is_object() || !at->contains(name)) continue;
      const Json& value = (*at)[name];
      text = value.is_string() ? value.get<std::string>() : kube::to_text(value);
      break;
    }
    out += (out.empty() ? "" : "/") + text;
  }
  return out;
}

}  // namespace spanway::reconcile
