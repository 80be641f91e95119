#include <algorithm>
#include <map>

#include "operator/decide/rollout_state_machine.h"
#include "operator/decide/wall_time.h"

namespace spanway::decide {

bool RolloutStateMachine::settled(const Part& part) const {
  const WorkloadView& stable = part.view->stable;
  return stable.exists && stable.revision == part.desired->revision && stable.settled;
}

std::int64_t RolloutStateMachine::enough_pods(const Part& part) {
  return std::max<std::int64_t>(1, part.view->stable.replicas - 1);
}

bool RolloutStateMachine::available(const Part& part) const {
  const WorkloadView& stable = part.view->stable;
  if (!stable.exists || stable.revision != part.desired->revision) return false;
  if (settled(part) || lacks_room_only(part)) return true;
  std::int64_t ready = 0;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting) continue;
    if (pod.revision != part.desired->revision) return false;
    ready += pod.ready ? 1 : 0;
  }
  return stable.replicas == 0 || ready >= enough_pods(part);
}

bool RolloutStateMachine::lacks_room_only(const Part& part) const {
  const WorkloadView& stable = part.view->stable;
  if (!stable.exists || stable.revision != part.desired->revision) return false;
  bool serves = false;
  bool lacks = false;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting) continue;
    if (pod.revision != part.desired->revision) return false;
    serves = serves || pod.ready;
    if (pod.ready) continue;
    if (pod.reason != "Unschedulable" && pod.reason != "NodeLost") return false;
    lacks = true;
  }
  return serves && lacks;
}

std::int64_t RolloutStateMachine::enough_pods_since_ms(const Part& part) const {
  std::vector<std::int64_t> ready;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting || !pod.ready || pod.revision != part.desired->revision)
      continue;
    ready.push_back(pod.ready_since ? unix_ms(*pod.ready_since) : input_.now_ms);
  }
  if (ready.empty()) return 0;
  std::sort(ready.begin(), ready.end());
  const std::size_t enough = std::min(ready.size(), static_cast<std::size_t>(enough_pods(part)));
  return ready[enough - 1];
}

bool RolloutStateMachine::has_restarted(const Part& part, std::int64_t since_ms) const {
  std::int64_t steady = 0;
  std::int64_t restarted = 0;
  for (const PodView& pod : part.view->pods) {
    if (pod.canary || pod.deleting || !pod.ready || pod.revision != part.desired->revision)
      continue;
    // A pod that came later may have taken the place of one that served until then.
    const bool came_later = unix_ms(pod.created) > since_ms;
    const bool was_ready = !pod.ready_since || unix_ms(*pod.ready_since) <= since_ms;
    steady += came_later || was_ready ? 1 : 0;
    restarted += came_later || was_ready ? 0 : 1;
  }
  return restarted > 0 && steady < enough_pods(part);
}

void RolloutStateMachine::count_availability() {
  std::map<std::string, std::int64_t> since;
  for (const Part& part : parts_) {
    if (part.blocked || (is_unchanged(part) && !unproven(part))) continue;
    if (!available(part) || broken(part, false)) continue;
    const auto known = memory_.available_since_ms.find(part.name);
    std::int64_t at = known == memory_.available_since_ms.end() ? input_.now_ms : known->second;
    if (at < input_.observed_since_ms)
      at = std::max(at, std::min(enough_pods_since_ms(part), input_.observed_since_ms));
    if (has_restarted(part, at)) at = std::max(at, enough_pods_since_ms(part));
    since[part.name] = at;
  }
  memory_.available_since_ms = std::move(since);
}

std::int64_t RolloutStateMachine::proven_at_ms(const Part& part) const {
  const auto since = memory_.available_since_ms.find(part.name);
  return (since == memory_.available_since_ms.end() ? input_.now_ms : since->second) +
         to_ms(input_.rules.healthy_after);
}

bool RolloutStateMachine::proven(const Part& part) const {
  return memory_.available_since_ms.contains(part.name) && input_.now_ms >= proven_at_ms(part);
}

bool RolloutStateMachine::counts(const Part& part) const {
  return !part.blocked && !is_unchanged(part) && !unproven(part);
}

const RolloutStateMachine::Part* RolloutStateMachine::first_unavailable() const {
  for (const Part& part : parts_)
    if (counts(part) && !available(part)) return &part;
  return nullptr;
}

}  // namespace spanway::decide
