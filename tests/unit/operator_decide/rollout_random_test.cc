// Any cluster at all, also such as no cluster ever was: what a decision must never do with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "operator/decide/pod_health.h"
#include "operator/decide/wall_time.h"
#include "services/lib/base/random.h"
#include "tests/unit/operator_decide/rollout_fixture.h"

namespace spanway::decide {
namespace {

using Phase = RolloutDecision::Phase;

constexpr std::array<const char*, 3> kRevisions = {"old", "new", "other"};
constexpr std::array<const char*, 10> kReasons = {
    "NotReady",      "",          "ContainerCreating", "CrashLoopBackOff",           "OOMKilled",
    "Unschedulable", "Restarted", "ImagePullBackOff",  "CreateContainerConfigError", "Evicted"};

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(seed) {
    rules_.progress_deadline = std::chrono::seconds(120);
    rules_.healthy_after = std::chrono::seconds(30);
    if (one_of(4)) rules_.on_failure = api::Rollout::OnFailure::kPause;
    if (one_of(4)) rules_.strategy = api::Rollout::Strategy::kRollingUpdate;
    parts_ = four_parts("old");
    good_ = rendering_of(parts_);
    has_good_ = !one_of(4);
    for (PartSpec& part : parts_) {
      part.revision = any_of(kRevisions);
      part.replicas = static_cast<std::int64_t>(random_.next_below(4));
    }
    desired_ = rendering_of(parts_);
    if (!one_of(3)) memory_.last_good_revision = one_of(4) ? "gone" : good_.revision;
    if (one_of(4)) memory_.failed_revision = desired_.revision;
    if (one_of(2)) memory_.rolling_revision = desired_.revision;
    if (one_of(2)) memory_.rolling_component = one_of(4) ? "p-none" : "p-bridge";
    memory_.rolling_promoted = one_of(2);
    memory_.rolling_since_ms = one_of(3) ? 0 : any_time();
    for (const char* name : {"p-a", "p-a-consumer", "p-bridge", "p-ingress", "p-none"})
      if (one_of(2)) memory_.available_since_ms[name] = any_time();
    if (one_of(4)) observed_since_ms_ = any_time();
    renew();
  }

  void renew() {
    views_.clear();
    reports_.clear();
    for (const PartSpec& part : parts_) views_.push_back(any_view(part));
  }

  RolloutDecision decide_next() {
    RolloutDecision decision = decide({.desired = desired_,
                                       .last_good = has_good_ ? &good_ : nullptr,
                                       .components = views_,
                                       .memory = memory_,
                                       .rules = rules_,
                                       .now_ms = now_ms_,
                                       .observed_since_ms = observed_since_ms_,
                                       .forced = false,
                                       .reports = &reports_});
    check(decision);
    memory_ = decision.memory;
    return decision;
  }
  // It was requested, and does not come.
  bool lacks_its_canary(const RolloutDecision& decision) const {
    for (std::size_t i = 0; i < views_.size(); ++i) {
      if (decision.actions[i].canary && !views_[i].canary.exists) return true;
    }
    return false;
  }
  void pass(Duration time) { now_ms_ += time / std::chrono::milliseconds(1); }

 private:
  bool one_of(std::uint64_t count) { return random_.next_below(count) == 0; }
  template <typename List>
  std::string any_of(const List& list) {
    return list[random_.next_below(list.size())];
  }
  // Also in the future, as with clocks that differ.
  std::int64_t any_time() {
    return now_ms_ + 20'000 - static_cast<std::int64_t>(random_.next_below(400'000));
  }

  ComponentView any_view(const PartSpec& part) {
    ComponentView view;
    view.id = part.id;
    view.stable = any_workload(part.replicas);
    view.canary = any_workload(1);
    for (std::uint64_t i = random_.next_below(5); i > 0; --i) {
      view.pods.push_back(any_pod(render::object_name("p", part.id) + "-" + std::to_string(i)));
    }
    return view;
  }
  WorkloadView any_workload(std::int64_t replicas) {
    if (one_of(4)) return {};
    return {.exists = true,
            .revision = any_of(kRevisions),
            .replicas = replicas,
            .ready = static_cast<std::int64_t>(random_.next_below(3)),
            .updated = static_cast<std::int64_t>(random_.next_below(3)),
            .settled = one_of(2)};
  }
  PodView any_pod(const std::string& name) {
    PodView pod = pod_of(name, any_of(kRevisions), one_of(3), any_time());
    pod.ready = one_of(2);
    pod.deleting = one_of(6);
    if (pod.ready) {
      if (!one_of(8)) pod.ready_since = at_ms(any_time());
      pod.reason.clear();
      pod.problem.clear();
    } else {
      pod.reason = any_of(kReasons);
    }
    if (one_of(4)) {
      pod.restarts = static_cast<std::int64_t>(random_.next_below(5));
      if (!one_of(4)) pod.last_restart = at_ms(any_time());
      pod.crash_looping = !pod.ready && one_of(3);
    }
    if (one_of(2)) {
      reports_[name] = {.answered = !one_of(4), .kafka_reachable = one_of(2), .last_error = "no"};
    }
    return pod;
  }

  bool is_unchanged(std::size_t i) const {
    return has_good_ && good_.components[i].revision == desired_.components[i].revision;
  }

  void check(const RolloutDecision& decision) {
    ASSERT_EQ(decision.actions.size(), desired_.components.size());
    EXPECT_LE(decision.message.size(), 512u);
    EXPECT_LE(decision.memory.failed_reason.size(), 512u);
    EXPECT_GE(decision.requeue_after, Duration::zero());
    EXPECT_TRUE(!decision.record_last_good ||
                decision.memory.last_good_revision == desired_.revision);
    EXPECT_EQ(decision.just_failed, decision.just_failed && !is_known_failure());
    const auto canaries = std::count_if(decision.actions.begin(), decision.actions.end(),
                                        [](const ComponentAction& a) { return a.canary; });
    EXPECT_TRUE(canaries <= 1 || decision.phase == Phase::kPausedFailure);
    for (std::size_t i = 0; i < views_.size(); ++i) check_promotion(decision, i);
    // One that is made again is what it was.
    if (decision.record_last_good &&
        decision.memory.last_good_revision != memory_.last_good_revision)
      check_record(decision.memory.unproven);
  }
  bool is_known_failure() const {
    return memory_.failed_revision == desired_.revision && !memory_.failed_revision.empty();
  }

  // By what is remembered, which need not be true here.
  bool has_had_its_canary(std::size_t i) const {
    if (memory_.rolling_revision != desired_.revision) return false;
    for (std::size_t step = 0; step < parts_.size(); ++step) {
      if (memory_.rolling_component != render::object_name("p", parts_[step].id)) continue;
      return i < step || (i == step && memory_.rolling_promoted);
    }
    return memory_.rolling_component.empty();
  }

  // A running workload gets something unproven only behind a canary that does not crash.
  void check_promotion(const RolloutDecision& decision, std::size_t i) {
    const ComponentView& view = views_[i];
    const std::string& revision = desired_.components[i].revision;
    const bool replaces = decision.actions[i].stable == Target::kDesired && view.stable.exists &&
                          view.stable.revision != revision;
    const bool has_history = !decision.memory.last_good_revision.empty();
    if (!replaces || !has_history || is_unchanged(i) || has_had_its_canary(i)) return;
    if (desired_.revision == decision.memory.last_good_revision) return;
    if (rules_.strategy == api::Rollout::Strategy::kRollingUpdate) return;
    if (parts_[i].replicas == 0) return;
    bool proven = false;
    for (const PodView& pod : view.pods) {
      if (pod.deleting || pod.revision != revision || !pod.canary) continue;
      EXPECT_FALSE(is_crashing(pod, now_ms_, rules_.progress_deadline)) << pod.name;
      proven =
          proven || (pod.ready && pod.ready_since && unix_ms(*pod.ready_since) <= now_ms_ - 30'000);
    }
    EXPECT_TRUE(proven) << decision.reason << ": " << decision.message;
  }

  void check_record(const std::set<std::string>& unproven) {
    for (std::size_t i = 0; i < views_.size(); ++i) {
      if (is_unchanged(i) || unproven.contains(render::object_name("p", parts_[i].id))) continue;
      EXPECT_EQ(views_[i].stable.revision, desired_.components[i].revision);
      for (const PodView& pod : views_[i].pods) {
        if (pod.deleting || pod.revision != desired_.components[i].revision) continue;
        EXPECT_FALSE(is_crashing(pod, now_ms_, rules_.progress_deadline)) << pod.name;
      }
    }
  }

  Random random_;
  api::Rollout rules_;
  std::vector<PartSpec> parts_;
  render::Rendering desired_;
  render::Rendering good_;
  bool has_good_ = true;
  std::vector<ComponentView> views_;
  std::map<std::string, StatuszReport> reports_;
  RolloutMemory memory_;
  std::int64_t now_ms_ = kNow;
  std::int64_t observed_since_ms_ = 0;
};

TEST(RolloutRandom, NoStateMakesItPromoteWhatCrashes) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Chaos chaos(seed);
    for (int round = 0; round < 10; ++round) {
      chaos.decide_next();
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << ", round " << round;
      chaos.pass(std::chrono::seconds(7));
      chaos.renew();
    }
  }
}

// Nothing moves but time: it must come to an end, or wait for an event.
TEST(RolloutRandom, WhenNothingMovesItComesToRest) {
  int waited = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Chaos chaos(seed);
    RolloutDecision last = chaos.decide_next();
    int rounds = 0;
    for (; rounds < 30 && last.requeue_after != Duration::zero(); ++rounds) {
      const bool waits = last.reason == "KafkaUnreachable" || last.phase == Phase::kProving ||
                         chaos.lacks_its_canary(last);
      chaos.pass(last.requeue_after);
      const RolloutDecision next = chaos.decide_next();
      // It may last as long as Kafka is away, no node has room or no canary can be made.
      if (waits && next.reason == last.reason && next.phase == last.phase && rounds > 20) break;
      last = next;
    }
    ASSERT_LT(rounds, 30) << "seed " << seed << ": " << last.reason << ": " << last.message;
    waited += rounds;
    // Another reconciliation at the same moment, or a day later, has nothing to write.
    const RolloutMemory memory = last.memory;
    if (last.requeue_after != Duration::zero()) continue;
    ASSERT_EQ(chaos.decide_next().memory, memory) << "seed " << seed;
    chaos.pass(std::chrono::hours(24));
    const RolloutDecision again = chaos.decide_next();
    ASSERT_EQ(again.memory, memory) << "seed " << seed << ": " << again.reason;
    ASSERT_EQ(again.phase, last.phase) << "seed " << seed;
    ASSERT_EQ(again.message, last.message) << "seed " << seed;
    ASSERT_EQ(again.requeue_after, Duration::zero()) << "seed " << seed;
  }
  EXPECT_GT(waited, 1000);
}

}  // namespace
}  // namespace spanway::decide
