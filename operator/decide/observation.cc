#include "operator/decide/observation.h"

#include <algorithm>

#include "operator/decide/pod_health.h"
#include "operator/decide/wall_time.h"
#include "operator/json/json_pointer.h"

namespace spanway::decide {
namespace {

using kube::bool_at;
using kube::find;
using kube::int_at;
using kube::string_at;

constexpr std::size_t kLogLineBytesMax = 256;
constexpr std::size_t kProblemBytesMax = 480;

// As a JSON path: '/' inside a key is written ~1.
std::string annotation_path(std::string_view at, std::string_view key) {
  return std::string(at) + "/" + kube::escape_step(key);
}

std::optional<SystemTime> time_at(const Json& value, std::string_view path) {
  return parse_wall_time(string_at(value, path));
}

// Elements of the list at the path; nothing when it is no list.
std::vector<const Json*> list_at(const Json& value, std::string_view path) {
  std::vector<const Json*> elements;
  const Json* list = find(value, path);
  if (list == nullptr || !list->is_array()) return elements;
  for (const Json& element : *list) elements.push_back(&element);
  return elements;
}

// The last line with text of a termination message.
std::string last_log_line(std::string_view message) {
  while (!message.empty()) {
    const std::size_t end = message.find_last_of('\n');
    const std::string_view line = end == std::string_view::npos ? message : message.substr(end + 1);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      return one_line(line, kLogLineBytesMax);
    }
    if (end == std::string_view::npos) break;
    message = message.substr(0, end);
  }
  return "";
}

// "OOMKilled, exit code 137"
std::string exit_text(const Json& terminated) {
  const std::string reason = string_at(terminated, "reason", "Error");
  return "exited with " + std::to_string(int_at(terminated, "exitCode")) + " (" + reason + ")";
}

// How a container's life goes, as far as it matters for the pod.
struct ContainerState {
  std::string name;
  std::int64_t restarts = 0;
  std::string waiting_reason;
  std::string waiting_message;
  const Json* exit = nullptr;  // The newest termination with an error, or of a restart.
  bool ready = false;
  std::optional<SystemTime> started;
};

ContainerState container_state(const Json& status) {
  ContainerState container;
  container.name = string_at(status, "name");
  container.restarts = int_at(status, "restartCount");
  container.waiting_reason = string_at(status, "state/waiting/reason");
  container.waiting_message = string_at(status, "state/waiting/message");
  container.ready = bool_at(status, "ready");
  container.started = time_at(status, "state/running/startedAt");
  container.exit = find(status, "state/terminated");
  if (container.exit == nullptr || !container.exit->is_object()) {
    container.exit = find(status, "lastState/terminated");
  }
  if (container.exit != nullptr && !container.exit->is_object()) container.exit = nullptr;
  return container;
}

struct Trouble {
  int weight = 0;  // The worst of several containers is reported.
  std::string reason;
  std::string text;
};

std::string crash_text(const ContainerState& container) {
  std::string text = "container " + container.name + " " + exit_text(*container.exit);
  if (container.restarts > 0) {
    text += ", " + std::to_string(container.restarts) +
            (container.restarts == 1 ? " restart" : " restarts");
  }
  const std::string line = last_log_line(string_at(*container.exit, "message"));
  return line.empty() ? text : text + ": " + line;
}

Trouble container_trouble(const ContainerState& container, bool init) {
  const std::string& waiting = container.waiting_reason;
  const bool starting =
      waiting.empty() || waiting == "ContainerCreating" || waiting == "PodInitializing";
  const bool exited_badly =
      container.exit != nullptr && (!init || int_at(*container.exit, "exitCode") != 0);
  if (waiting == "CrashLoopBackOff" || (starting && exited_badly)) {
    const std::string how = container.exit == nullptr ? "" : string_at(*container.exit, "reason");
    const bool looping = waiting == "CrashLoopBackOff" || container.restarts >= 2;
    std::string reason = how == "OOMKilled" ? how : (looping ? "CrashLoopBackOff" : "Restarted");
    if (container.exit == nullptr) {
      return {3, std::move(reason),
              "container " + container.name + " crashes again and again, " +
                  std::to_string(container.restarts) + " restarts"};
    }
    return {3, std::move(reason), crash_text(container)};
  }
  if (starting) return {};
  // The kubelet alternates between these two.
  const std::string reason = waiting == "ErrImagePull" ? "ImagePullBackOff" : waiting;
  std::string text = "container " + container.name + " waits: " + reason;
  // The text of a failed pull alternates too; the image is enough.
  if (reason != "ImagePullBackOff" && !container.waiting_message.empty()) {
    text += ": " + container.waiting_message;
  }
  return {2, reason, std::move(text)};
}

const Json* condition(const Json& pod, std::string_view type) {
  for (const Json* one : list_at(pod, "status/conditions")) {
    if (string_at(*one, "type") == type) return one;
  }
  return nullptr;
}

// The image of a container, for the message of a failed pull.
std::string image_of(const Json& pod, std::string_view container) {
  for (const Json* one : list_at(pod, "spec/containers")) {
    if (string_at(*one, "name") == container) return string_at(*one, "image");
  }
  return "";
}

bool all_containers_ready(const Json& pod) {
  const auto statuses = list_at(pod, "status/containerStatuses");
  return !statuses.empty() && std::all_of(statuses.begin(), statuses.end(), [](const Json* one) {
    return kube::bool_at(*one, "ready");
  });
}

// When a node stops reporting, the control plane reports its pods as not ready; the container
// statuses that the node has written stay as they were.
bool node_is_silent(const Json& pod) {
  const Json* ready = condition(pod, "Ready");
  return ready != nullptr && string_at(*ready, "status") == "False" &&
         string_at(*ready, "reason") != "ReadinessGatesNotReady" && all_containers_ready(pod);
}

Trouble node_trouble(const Json& pod) {
  const std::string node = string_at(pod, "spec/nodeName");
  std::string text = "its node " + node + (node.empty() ? "" : " ") + "does not answer";
  // Kubernetes never runs two pods of one name.
  if (string_at(pod, annotation_path("metadata/labels", api::kComponentLabel)) == "consumer")
    text += "; there is no other pod until the node is back, deleted or tainted out-of-service";
  return {4, "NodeLost", std::move(text)};
}

Trouble pod_trouble(const Json& pod) {
  if (node_is_silent(pod)) return node_trouble(pod);
  const std::string phase = string_at(pod, "status/phase");
  if (phase == "Failed" && !string_at(pod, "status/reason").empty()) {
    return {
        4, string_at(pod, "status/reason"),
        "has failed: " + string_at(pod, "status/reason") + ": " + string_at(pod, "status/message")};
  }
  Trouble worst;
  for (const bool init : {true, false}) {
    const char* path = init ? "status/initContainerStatuses" : "status/containerStatuses";
    for (const Json* status : list_at(pod, path)) {
      const ContainerState container = container_state(*status);
      if (container.ready) continue;
      Trouble trouble = container_trouble(container, init);
      if (trouble.reason == "ImagePullBackOff") {
        const std::string image = image_of(pod, container.name);
        if (!image.empty()) trouble.text += ": cannot pull " + image;
      }
      if (trouble.weight > worst.weight) worst = std::move(trouble);
    }
  }
  if (worst.weight > 0) return worst;
  const Json* scheduled = condition(pod, "PodScheduled");
  if (scheduled != nullptr && string_at(*scheduled, "status") == "False") {
    return {1, "Unschedulable", "cannot be scheduled: " + string_at(*scheduled, "message")};
  }
  for (const Json* status : list_at(pod, "status/containerStatuses")) {
    if (!string_at(*status, "state/waiting/reason").empty()) {
      return {1, "ContainerCreating", "is starting"};
    }
  }
  return {1, "NotReady", "is not ready: its readiness probe does not pass"};
}

void read_containers(const Json& pod, PodView& view) {
  for (const char* path : {"status/initContainerStatuses", "status/containerStatuses"}) {
    for (const Json* status : list_at(pod, path)) {
      const ContainerState container = container_state(*status);
      view.restarts += container.restarts;
      view.crash_looping |= container.waiting_reason == "CrashLoopBackOff";
      if (view.ready_since && container.started && container.started > view.ready_since) {
        view.ready_since = container.started;
      }
      if (container.exit == nullptr || container.restarts == 0) continue;
      const auto finished = time_at(*container.exit, "finishedAt");
      if (view.last_restart && (!finished || *finished < *view.last_restart)) continue;
      view.last_restart = finished;
      view.last_restart_reason = one_line(
          "container " + container.name + ": " + string_at(*container.exit, "reason", "Error") +
              ", exit code " + std::to_string(int_at(*container.exit, "exitCode")),
          kLogLineBytesMax);
    }
  }
}

// The text names a pod that is never created, with a new name at each try.
std::string refused_pods(const Json& object) {
  const Json* failure = condition(object, "ReplicaFailure");
  if (failure == nullptr || string_at(*failure, "status") != "True") return "";
  std::string words = string_at(*failure, "message");
  if (words.starts_with("pods \"")) {
    const std::size_t end = words.find("\" ");
    if (end != std::string::npos) words = "a pod " + words.substr(end + 2);
  }
  return one_line("pods cannot be created: " + words, kProblemBytesMax);
}

WorkloadView view_workload(const Json& object) {
  WorkloadView view;
  view.exists = true;
  view.revision = string_at(
      object, annotation_path("spec/template/metadata/annotations", api::kRevisionAnnotation));
  view.replicas = int_at(object, "spec/replicas", 1);
  view.ready = int_at(object, "status/readyReplicas");
  view.updated = int_at(object, "status/updatedReplicas");
  view.outdated = std::max<std::int64_t>(0, int_at(object, "status/replicas") - view.updated);
  const bool current =
      int_at(object, "status/observedGeneration") >= int_at(object, "metadata/generation");
  view.problem = refused_pods(object);
  view.paused = bool_at(object, "spec/paused");
  view.settled = current && !string_at(object, "metadata/deletionTimestamp").size() &&
                 int_at(object, "status/replicas") == view.replicas &&
                 view.updated == view.replicas && view.ready == view.replicas;
  return view;
}

// The workload that the manifest describes, or one that does not exist.
WorkloadView find_workload(const std::vector<Json>& workloads, const render::Manifest& manifest) {
  const std::string name = string_at(manifest.object, "metadata/name");
  for (const Json& object : workloads) {
    if (string_at(object, "metadata/name") != name) continue;
    if (string_at(object, "kind", manifest.type.kind) != manifest.type.kind) continue;
    return view_workload(object);
  }
  return {};
}

bool belongs(const Json& pod, const render::ComponentId& id, const std::string& pipeline) {
  const auto label = [&pod](std::string_view key) {
    return string_at(pod, annotation_path("metadata/labels", key));
  };
  return label(api::kPipelineLabel) == pipeline &&
         label(api::kComponentLabel) == render::to_string(id.role) &&
         label(api::kExporterLabel) == id.exporter;
}

}  // namespace

bool has_ended(const Json& pod) {
  const std::string phase = string_at(pod, "status/phase");
  return phase == "Failed" || phase == "Succeeded";
}

std::string ending_of_pod(const Json& pod) {
  std::string reason = string_at(pod, "status/reason");
  std::string message = string_at(pod, "status/message");
  if (reason.empty()) {
    if (const Json* target = condition(pod, "DisruptionTarget")) {
      reason = string_at(*target, "reason");
      message = string_at(*target, "message");
    }
  }
  if (reason.empty()) reason = string_at(pod, "status/phase");
  return one_line("pod " + string_at(pod, "metadata/name") + ": " + reason +
                      (message.empty() ? "" : ": " + message),
                  kProblemBytesMax);
}

PodView view_pod(const Json& pod, SystemTime wall_now) {
  PodView view;
  view.name = string_at(pod, "metadata/name");
  view.uid = string_at(pod, "metadata/uid");
  view.ip = string_at(pod, "status/podIP");
  view.revision = string_at(pod, annotation_path("metadata/annotations", api::kRevisionAnnotation));
  view.canary = string_at(pod, annotation_path("metadata/labels", api::kTrackLabel)) == "canary";
  view.deleting = !string_at(pod, "metadata/deletionTimestamp").empty();
  view.created = time_at(pod, "metadata/creationTimestamp").value_or(wall_now);
  if (const Json* ready = condition(pod, "Ready");
      ready != nullptr && string_at(*ready, "status") == "True") {
    view.ready = true;
    view.ready_since = time_at(*ready, "lastTransitionTime").value_or(wall_now);
  }
  read_containers(pod, view);
  if (view.ready) return view;
  Trouble trouble = pod_trouble(pod);
  view.reason = std::move(trouble.reason);
  view.problem = one_line("pod " + view.name + ": " + trouble.text, kProblemBytesMax);
  return view;
}

ComponentView observe(const render::Component& component, const std::string& pipeline,
                      const std::vector<Json>& workloads, const std::vector<Json>& pods,
                      SystemTime wall_now) {
  ComponentView view;
  view.id = component.id;
  view.stable = find_workload(workloads, component.workload);
  view.canary = find_workload(workloads, component.canary);
  for (const Json& pod : pods) {
    if (belongs(pod, component.id, pipeline) && !has_ended(pod))
      view.pods.push_back(view_pod(pod, wall_now));
  }
  // The status must not depend on the order of a cache.
  std::sort(view.pods.begin(), view.pods.end(),
            [](const PodView& a, const PodView& b) { return a.name < b.name; });
  return view;
}

std::int64_t count_endpoints(const Json& service, const std::vector<Json>& pods) {
  const Json* selector = kube::find(service, "spec/selector");
  // Without a selector a Service selects nothing.
  if (selector == nullptr || !selector->is_object() || selector->empty()) return 0;
  return std::count_if(pods.begin(), pods.end(), [&](const Json& pod) {
    const Json* labels = kube::find(pod, "metadata/labels");
    const Json* ready = condition(pod, "Ready");
    return labels != nullptr && ready != nullptr && string_at(*ready, "status") == "True" &&
           string_at(pod, "metadata/deletionTimestamp").empty() &&
           std::all_of(selector->items().begin(), selector->items().end(), [&](const auto& entry) {
             const auto found = labels->find(entry.key());
             return found != labels->end() && *found == entry.value();
           });
  });
}

}  // namespace spanway::decide
