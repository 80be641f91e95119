// A Pipeline "p" of exporter a, its consumer, bridge and ingress that runs revision "old" well.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "operator/decide/rollout.h"
#include "tests/unit/operator_decide/renderings.h"

namespace spanway::decide {

inline constexpr std::int64_t kNow = 1'800'000'000'000;
inline constexpr std::size_t kExporter = 0;
inline constexpr std::size_t kConsumer = 1;
inline constexpr std::size_t kBridge = 2;
inline constexpr std::size_t kIngress = 3;

class RolloutTest : public ::testing::Test {
 protected:
  using Phase = RolloutDecision::Phase;

  RolloutTest() {
    rules_.progress_deadline = std::chrono::seconds(300);
    rules_.healthy_after = std::chrono::seconds(30);
    desired_parts_ = good_parts_ = four_parts("old");
    memory_.last_good_revision = rendering_of(good_parts_).revision;
    for (const PartSpec& part : good_parts_) {
      views_.push_back(healthy_view(part, kNow - 3'600'000));
    }
  }

  RolloutDecision decide_next() {
    desired_ = rendering_of(desired_parts_);
    good_ = rendering_of(good_parts_);
    RolloutDecision decision = decide({.desired = desired_,
                                       .last_good = has_good_ ? &good_ : nullptr,
                                       .components = views_,
                                       .memory = memory_,
                                       .rules = rules_,
                                       .now_ms = now_,
                                       .observed_since_ms = observed_since_,
                                       .forced = forced_,
                                       .blocked = blocked_,
                                       .reports = asks_ ? &reports_ : nullptr});
    memory_ = decision.memory;
    return decision;
  }

  void add_canary(std::size_t part, std::int64_t created_ms) {
    views_[part].canary = {.exists = true,
                           .revision = desired_parts_[part].revision,
                           .replicas = 1,
                           .ready = 0,
                           .updated = 1,
                           .settled = false};
    views_[part].pods.push_back(pod_of("canary", desired_parts_[part].revision, true, created_ms));
  }
  PodView& canary(std::size_t part) { return views_[part].pods.back(); }
  void make_ready(PodView& pod, std::int64_t since_ms) {
    pod.ready = true;
    pod.ready_since = at_ms(since_ms);
    pod.problem.clear();
    pod.reason.clear();
  }
  // Until the canary of the ingress has been there for `age_ms`.
  void roll_the_ingress(std::int64_t age_ms = 0) {
    desired_parts_[kIngress].revision = "new";
    EXPECT_TRUE(decide_next().actions[kIngress].canary);
    add_canary(kIngress, now_);
    now_ += age_ms;
  }
  void promote_the_ingress() {
    roll_the_ingress();
    make_ready(canary(kIngress), now_);
    now_ += 30'000;
    ASSERT_EQ(decide_next().actions[kIngress].stable, Target::kDesired);
    views_[kIngress].stable.revision = "new";
    views_[kIngress].stable.settled = false;
  }

  api::Rollout rules_;
  std::vector<PartSpec> desired_parts_;
  std::vector<PartSpec> good_parts_;
  render::Rendering desired_;
  render::Rendering good_;
  std::vector<ComponentView> views_;
  RolloutMemory memory_;
  std::int64_t now_ = kNow;
  std::int64_t observed_since_ = 0;
  bool has_good_ = true;
  bool forced_ = false;
  bool asks_ = false;
  std::set<render::ComponentId> blocked_;
  std::map<std::string, StatuszReport> reports_;
};

}  // namespace spanway::decide
