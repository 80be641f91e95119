// The observed state of a Pipeline's components, read from the stores; no decisions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/json/json.h"
#include "operator/render/render.h"
#include "services/lib/base/clock.h"

namespace spanway::decide {

using kube::Json;

struct PodView {
  std::string name;
  std::string uid;
  std::string ip;
  std::string revision;  // api::kRevisionAnnotation of the pod.
  bool canary = false;
  bool ready = false;
  bool deleting = false;
  std::int64_t restarts = 0;
  bool crash_looping = false;  // A container waits in CrashLoopBackOff.
  std::optional<SystemTime> last_restart;
  std::string
      last_restart_reason;  // "container ingress: OOMKilled, exit code 137"; kept when ready.
  // Why it is not ready, in one sentence that names pod, container, exit code and the last log line
  // (the termination message, cut to 256 bytes): "pod quickstart-ingress-5d-x: container ingress
  // exited with 1 (Error), 3 restarts: cannot listen on port 4317". Empty when ready.
  std::string problem;
  // "CrashLoopBackOff", "ImagePullBackOff", "OOMKilled", "Unschedulable", "NodeLost", "NotReady",
  // ...
  std::string reason;
  SystemTime created{};
  std::optional<SystemTime> ready_since;
};

// The stable or the canary workload.
struct WorkloadView {
  bool exists = false;
  std::string revision;  // api::kRevisionAnnotation of its pod template.
  std::int64_t replicas = 0;
  std::int64_t ready = 0;
  std::int64_t updated = 0;
  std::int64_t outdated = 0;  // Pods of an older template; of a StatefulSet those that end as well.
  // Exists, observedGeneration is current and all replicas are updated and ready.
  bool settled = false;
  bool paused = false;  // spec.paused of a Deployment: `kubectl rollout pause`.
  // Why the API server refuses its pods (a quota, an admission webhook); empty = it does not.
  std::string problem = {};
};

struct ComponentView {
  render::ComponentId id;
  WorkloadView stable;
  WorkloadView canary;
  std::vector<PodView> pods;
};

// `workloads`: Deployments and StatefulSets of the Pipeline; `pods`: its pods, of which those that
// have ended are left out. All times are those of the wall clock.
ComponentView observe(const render::Component& component, const std::string& pipeline,
                      const std::vector<Json>& workloads, const std::vector<Json>& pods,
                      SystemTime wall_now);
// The pod is in a terminal phase (evicted, preempted, its node shut down): it serves nothing any
// more, and another one takes its place.
bool has_ended(const Json& pod);
// Why it ended, in one sentence: "pod p-ingress-x: Evicted: The node was low on resource: memory".
std::string ending_of_pod(const Json& pod);
// One pod as above, for messages about jobs too.
PodView view_pod(const Json& pod, SystemTime wall_now);

// Ready pods that the live Service selects: what the EndpointSlice controller puts into slices. The
// slices themselves are not read: they follow from the same two objects, which are watched anyway
// and arrive first; a watch of slices would cost a permission and an event for each change of a
// pod's readiness, and would add one case only, a controller manager that is down, in which no
// workload changes either.
std::int64_t count_endpoints(const Json& service, const std::vector<Json>& pods);

}  // namespace spanway::decide
