#include "tests/unit/operator_decide/fake_cluster.h"

#include <algorithm>
#include <tuple>

#include "tests/unit/operator_decide/renderings.h"

namespace spanway::decide {
namespace {

std::string name_of(const render::Component& component) {
  return render::object_name("p", component.id);
}

const render::Component* find_component(const render::Rendering* rendering,
                                        const render::ComponentId& id) {
  if (rendering == nullptr) return nullptr;
  for (const render::Component& component : rendering->components) {
    if (component.id == id) return &component;
  }
  return nullptr;
}

}  // namespace

void FakeCluster::apply(const render::Rendering& desired, const render::Rendering* last_good,
                        const RolloutDecision& decision) {
  const auto fields = [](const Part& part) {
    return std::tuple(part.stable.exists, part.stable.revision, part.stable.replicas,
                      part.canary.exists, part.canary.revision);
  };
  std::map<std::string, decltype(fields(Part()))> before;
  for (const auto& [name, part] : parts_) before.emplace(name, fields(part));
  std::map<std::string, bool> known;
  for (std::size_t i = 0; i < desired.components.size(); ++i) {
    const render::Component& component = desired.components[i];
    const ComponentAction& action = decision.actions.at(i);
    Part& part = parts_[name_of(component)];
    known[name_of(component)] = true;
    part.canary.exists = action.canary;
    if (action.canary) part.canary.revision = component.revision;
    const render::Component* good = find_component(last_good, component.id);
    if (action.stable == Target::kKeep) continue;
    const render::Component* chosen = action.stable == Target::kDesired ? &component : good;
    part.stable.exists = chosen != nullptr;
    if (chosen == nullptr) continue;
    part.stable.revision = chosen->revision;
    part.stable.replicas = component.replicas;
  }
  if (last_good != nullptr && !decision.remove_others) {
    for (const render::Component& component : last_good->components) {
      if (known[name_of(component)]) continue;
      known[name_of(component)] = true;
      parts_[name_of(component)].stable = {true, component.revision, component.replicas};
    }
  }
  for (auto& [name, part] : parts_) {
    if (known[name]) continue;
    part.stable.exists = false;
    part.canary.exists = false;
  }
  for (const auto& [name, part] : parts_) {
    const auto then = before.find(name);
    if (then == before.end() || then->second != fields(part)) ++version_;
  }
}

void FakeCluster::delete_canaries() {
  ++version_;
  for (auto& [name, part] : parts_) {
    part.canary.exists = false;
    std::erase_if(part.pods, [](const Pod& pod) { return pod.canary; });
  }
}

void FakeCluster::delete_a_pod(Random& random) {
  for (auto& [name, part] : parts_) {
    if (part.pods.empty() || random.next_below(3) != 0) continue;
    part.pods.erase(part.pods.begin() +
                    static_cast<std::ptrdiff_t>(random.next_below(part.pods.size())));
    ++version_;
    return;
  }
}

FakeCluster::Pod FakeCluster::new_pod(const std::string& name, const std::string& revision,
                                      bool canary) {
  ++version_;
  Pod pod;
  pod.name = name + (canary ? "-canary-" : "-") + std::to_string(++pods_made_);
  pod.revision = revision;
  pod.canary = canary;
  pod.created_ms = pod.started_ms = now_ms_;
  if (const auto known = behaviours_.find(revision); known != behaviours_.end()) {
    pod.behaviour = known->second;
  }
  return pod;
}

// One pod's next moment.
void FakeCluster::live(Pod& pod) {
  const Behaviour& behaviour = pod.behaviour;
  const std::int64_t age = now_ms_ - pod.started_ms;
  bool ready = false;
  const auto die = [&](std::int64_t after) {
    if (age < after) return;
    ++pod.restarts;
    ++version_;
    pod.last_restart_ms = pod.started_ms = now_ms_;
    pod.looping = pod.restarts >= 2;
  };
  switch (behaviour.kind) {
    case Behaviour::Kind::kGood:
      ready = age >= behaviour.ready_after_ms;
      break;
    case Behaviour::Kind::kCrash:
      die(4000);
      break;
    case Behaviour::Kind::kCrashFirst:
      ready = pod.restarts >= 3 && age >= behaviour.ready_after_ms;
      if (pod.restarts < 3) die(4000);
      break;
    case Behaviour::Kind::kCrashLate:
      ready = age >= behaviour.ready_after_ms && age < 60'000;
      die(60'000);
      break;
    case Behaviour::Kind::kFlapping:
      ready = age / 5000 % 2 == 1;
      break;
    case Behaviour::Kind::kNeverReady:
    case Behaviour::Kind::kNoImage:
    case Behaviour::Kind::kBadConfig:
    case Behaviour::Kind::kNoRoom:
      break;
  }
  if (ready && !pod.ready) pod.ready_since_ms = now_ms_;
  if (ready) pod.looping = false;
  if (ready != pod.ready) ++version_;
  pod.ready = ready;
}

void FakeCluster::reconcile(const std::string& name, Part& part) {
  version_ += std::erase_if(part.pods, [&](const Pod& pod) {
    return pod.canary ? !part.canary.exists || pod.revision != part.canary.revision
                      : !part.stable.exists;
  });
  std::int64_t canaries = 0;
  std::int64_t old = 0;
  std::int64_t current = 0;
  std::int64_t ready = 0;  // Ready ones of the current revision.
  for (const Pod& pod : part.pods) {
    const bool is_current = !pod.canary && pod.revision == part.stable.revision;
    canaries += pod.canary ? 1 : 0;
    old += !pod.canary && !is_current ? 1 : 0;
    current += is_current ? 1 : 0;
    ready += is_current && pod.ready ? 1 : 0;
  }
  if (part.canary.exists && canaries == 0) {
    part.pods.push_back(new_pod(name, part.canary.revision, true));
  }
  if (!part.stable.exists) return;
  // Too many: old ones first. Then one new one beside the old ones, and an old one goes for each
  // new one that is ready.
  const auto remove_one = [&](bool an_old_one) {
    const auto found = std::find_if(part.pods.begin(), part.pods.end(), [&](const Pod& pod) {
      return !pod.canary && (pod.revision != part.stable.revision) == an_old_one;
    });
    if (found == part.pods.end()) return;
    part.pods.erase(found);
    ++version_;
  };
  if (current > part.stable.replicas) remove_one(false);
  if (current < part.stable.replicas && (ready == current || old == 0)) {
    part.pods.push_back(new_pod(name, part.stable.revision, false));
  }
  if (old > 0 && ready + old > part.stable.replicas) remove_one(true);
  // Old pods that do not serve are removed.
  if (old > 0 && part.stable.replicas == 0) remove_one(true);
}

bool FakeCluster::is_healthy(const Part& part) const {
  if (!part.stable.exists) return false;
  std::int64_t current = 0;
  for (const Pod& pod : part.pods) {
    if (pod.canary) continue;
    if (pod.revision != part.stable.revision || !pod.ready) return false;
    ++current;
  }
  return current >= part.stable.replicas;
}

bool FakeCluster::is_available(const Part& part) const {
  if (!part.stable.exists) return false;
  std::int64_t ready = 0;
  std::int64_t without_room = 0;
  for (const Pod& pod : part.pods) {
    if (pod.canary) continue;
    if (pod.revision != part.stable.revision) return false;
    ready += pod.ready ? 1 : 0;
    without_room += pod.behaviour.kind == Behaviour::Kind::kNoRoom ? 1 : 0;
  }
  return part.stable.replicas == 0 ||
         ready + without_room >= std::max<std::int64_t>(1, part.stable.replicas - 1);
}

bool FakeCluster::is_settled(const Part& part) const {
  const auto stable =
      std::count_if(part.pods.begin(), part.pods.end(), [](const Pod& pod) { return !pod.canary; });
  return is_healthy(part) && stable == part.stable.replicas;
}

void FakeCluster::tick(std::int64_t ms) {
  now_ms_ += ms;
  for (auto& [name, part] : parts_) {
    for (Pod& pod : part.pods) live(pod);
    for (Pod& pod : part.pods) {
      if (!pod.canary || pod.proven || !pod.ready) continue;
      if (now_ms_ - pod.ready_since_ms < proof_ms_) continue;
      pod.proven = true;
      part.proven[pod.revision] = true;
    }
    reconcile(name, part);
    if (!is_available(part)) {
      part.healthy_since_ms = 0;
    } else if (part.healthy_since_ms == 0) {
      part.healthy_since_ms = now_ms_;
    }
  }
}

ComponentView FakeCluster::view(const render::Component& component) const {
  ComponentView view;
  view.id = component.id;
  const auto found = parts_.find(name_of(component));
  if (found == parts_.end()) return view;
  const Part& part = found->second;
  view.pods.reserve(part.pods.size());
  for (const Pod& pod : part.pods) {
    PodView seen;
    seen.name = pod.name;
    seen.revision = pod.revision;
    seen.canary = pod.canary;
    seen.created = at_ms(pod.created_ms);
    seen.ready = pod.ready;
    seen.restarts = pod.restarts;
    seen.crash_looping = pod.looping;
    if (pod.restarts > 0) seen.last_restart = at_ms(pod.last_restart_ms);
    if (pod.ready) {
      seen.ready_since = at_ms(pod.ready_since_ms);
    } else {
      const Behaviour::Kind kind = pod.behaviour.kind;
      seen.reason = "NotReady";
      if (pod.looping) seen.reason = "CrashLoopBackOff";
      if (kind == Behaviour::Kind::kNoImage) seen.reason = "ImagePullBackOff";
      if (kind == Behaviour::Kind::kBadConfig) seen.reason = "CreateContainerConfigError";
      if (kind == Behaviour::Kind::kNoRoom) seen.reason = "Unschedulable";
      seen.problem = "pod " + pod.name + ": " + seen.reason;
    }
    if (!pod.canary) {
      view.stable.ready += pod.ready ? 1 : 0;
      view.stable.updated += pod.revision == part.stable.revision ? 1 : 0;
    }
    view.pods.push_back(std::move(seen));
  }
  view.stable.exists = part.stable.exists;
  view.canary.exists = part.canary.exists;
  view.canary.revision = part.canary.exists ? part.canary.revision : "";
  if (part.stable.exists) {
    view.stable.revision = part.stable.revision;
    view.stable.replicas = part.stable.replicas;
    view.stable.settled = is_settled(part);
  }
  return view;
}

std::vector<ComponentView> FakeCluster::views(const render::Rendering& rendering) const {
  std::vector<ComponentView> views;
  for (const render::Component& component : rendering.components) views.push_back(view(component));
  return views;
}

bool FakeCluster::healthy_since(const render::Rendering& rendering, std::int64_t ms,
                                const std::set<std::string>& without) const {
  for (const render::Component& component : rendering.components) {
    if (without.contains(name_of(component))) continue;
    const auto found = parts_.find(name_of(component));
    if (found == parts_.end() || found->second.stable.revision != component.revision) return false;
    if (found->second.healthy_since_ms == 0 || found->second.healthy_since_ms > ms) return false;
  }
  return true;
}

}  // namespace spanway::decide
