// Workloads and pods that live by the second, for long histories of rollouts: stable workloads
// replace one pod after the other and only while the new ones are ready, as a Deployment does.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "operator/decide/rollout.h"
#include "services/lib/base/random.h"

namespace spanway::decide {

// The behaviour of pods of one revision of one component.
struct Behaviour {
  enum class Kind {
    kGood,
    kCrash,       // Dies again and again.
    kNeverReady,  // Runs, and its probe never passes.
    kNoImage,
    kBadConfig,   // CreateContainerConfigError
    kNoRoom,      // Unschedulable
    kFlapping,    // Ready for a few seconds only, again and again.
    kCrashLate,   // Ready first, dies after a minute, again and again.
    kCrashFirst,  // Dies three times, and is good from then on.
  } kind = Kind::kGood;
  std::int64_t ready_after_ms = 3000;
};

class FakeCluster {
 public:
  struct Pod {
    std::string name;
    std::string revision;
    bool canary = false;
    std::int64_t created_ms = 0;
    bool ready = false;
    std::int64_t ready_since_ms = 0;
    std::int64_t restarts = 0;
    std::int64_t last_restart_ms = 0;
    std::int64_t started_ms = 0;
    bool looping = false;
    Behaviour behaviour;
    bool proven = false;
  };
  struct Workload {
    bool exists = false;
    std::string revision;
    std::int64_t replicas = 0;
  };
  struct Part {
    Workload stable;
    Workload canary;
    std::vector<Pod> pods;
    // Revisions of which a canary was ready for long enough, ever.
    std::map<std::string, bool> proven;
    std::int64_t healthy_since_ms = 0;  // Available; 0 = is not.
  };

  FakeCluster(std::int64_t now_ms, Duration healthy_after)
      : now_ms_(now_ms),
        proof_ms_(std::chrono::duration_cast<std::chrono::milliseconds>(healthy_after).count()) {}

  // By object name. Unknown revisions are good.
  void set_behaviour(const std::string& revision, Behaviour behaviour) {
    behaviours_[revision] = behaviour;
  }
  // Does what was decided. `replicas` are those of the desired rendering.
  void apply(const render::Rendering& desired, const render::Rendering* last_good,
             const RolloutDecision& decision);
  void delete_canaries();
  void delete_a_pod(Random& random);
  void tick(std::int64_t ms);

  std::int64_t now_ms() const noexcept { return now_ms_; }
  // Moves whenever a watch would deliver an event.
  std::uint64_t version() const noexcept { return version_; }
  ComponentView view(const render::Component& component) const;
  std::vector<ComponentView> views(const render::Rendering& rendering) const;
  std::map<std::string, Part>& parts() noexcept { return parts_; }
  // For all components but those named in `without`.
  bool healthy_since(const render::Rendering& rendering, std::int64_t ms,
                     const std::set<std::string>& without) const;

 private:
  void live(Pod& pod);
  void reconcile(const std::string& name, Part& part);
  bool is_settled(const Part& part) const;
  bool is_healthy(const Part& part) const;  // Also while there are more pods than desired.
  // All pods but one are ready, or what is missing has no room.
  bool is_available(const Part& part) const;
  Pod new_pod(const std::string& name, const std::string& revision, bool canary);

  std::int64_t now_ms_;
  const std::int64_t proof_ms_;
  std::int64_t pods_made_ = 0;
  std::uint64_t version_ = 0;
  std::map<std::string, Behaviour> behaviours_;
  std::map<std::string, Part> parts_;
};

}  // namespace spanway::decide
