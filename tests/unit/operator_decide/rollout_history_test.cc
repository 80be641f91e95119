// A thousand random histories of a Pipeline: what must hold in all of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "operator/decide/rollout.h"
#include "operator/decide/status.h"
#include "operator/decide/wall_time.h"
#include "services/lib/base/random.h"
#include "tests/unit/operator_decide/fake_cluster.h"
#include "tests/unit/operator_decide/renderings.h"

namespace spanway::decide {
namespace {

using Phase = RolloutDecision::Phase;
using render::Role;

constexpr std::int64_t kStartMs = 1'800'000'000'000;
constexpr std::int64_t kEventfulSeconds = 700;
constexpr std::int64_t kQuietSeconds = 2500;
constexpr int kHistories = 1000;

class History {
 public:
  explicit History(std::uint64_t seed)
      : seed_(seed),
        random_(seed),
        cluster_(kStartMs, std::chrono::seconds(30)),
        keeps_status_(seed % 16 == 0) {
    rules_.healthy_after = std::chrono::seconds(30);
    rules_.progress_deadline = std::chrono::seconds(120);
    if (random_.next_below(5) == 0) rules_.on_failure = api::Rollout::OnFailure::kPause;
    if (random_.next_below(8) == 0) rules_.strategy = api::Rollout::Strategy::kRollingUpdate;
    parts_ = four_parts("", 1 + static_cast<std::int64_t>(random_.next_below(3)));
    for (PartSpec& part : parts_) renew(part, 80);
    render_again();
  }

  void run() {
    for (std::int64_t second = 0; second < kEventfulSeconds + kQuietSeconds; ++second) {
      const bool eventful = second < kEventfulSeconds;
      if (eventful && random_.next_below(60) == 0) happen();
      cluster_.tick(1000);
      if (cluster_.now_ms() < down_until_ms_) {
        has_missed_something_ = true;
        continue;
      }
      reconcile_if_due(eventful);
      if (::testing::Test::HasFailure()) return;
      over_ = !eventful && is_over();
      if (over_) break;
    }
    check_end();
  }

  std::map<Phase, int> ends;
  int rested = 0;

 private:
  // Nothing will move any more.
  bool is_over() {
    const bool ended = requeue_at_ms_ == 0 && phase_ != Phase::kRolling &&
                       cluster_.version() == seen_ && cluster_.now_ms() >= down_until_ms_;
    quiet_seconds_ = ended ? quiet_seconds_ + 1 : 0;
    return quiet_seconds_ > 120;
  }

  std::string where() const {
    return "seed " + std::to_string(seed_) + ", second " +
           std::to_string((cluster_.now_ms() - kStartMs) / 1000);
  }

  // A new revision that is good in `percent` of cases.
  void renew(PartSpec& part, std::uint64_t percent) {
    using Kind = Behaviour::Kind;
    part.revision = render::object_name("p", part.id) + "-r" + std::to_string(++revisions_);
    Behaviour behaviour;
    behaviour.ready_after_ms = 1000 * static_cast<std::int64_t>(1 + random_.next_below(40));
    if (random_.next_below(100) >= percent) {
      constexpr std::array kBad = {Kind::kCrash,     Kind::kNeverReady, Kind::kNoImage,
                                   Kind::kBadConfig, Kind::kNoRoom,     Kind::kFlapping,
                                   Kind::kCrashLate, Kind::kCrashFirst};
      behaviour.kind = kBad[random_.next_below(kBad.size())];
    }
    behaviours_[part.revision] = behaviour.kind;
    cluster_.set_behaviour(part.revision, behaviour);
  }

  void render_again() {
    rendering_ = rendering_of(parts_);
    changed_ = true;
  }

  void happen() {
    switch (random_.next_below(10)) {
      case 0:
      case 1:
      case 2:
        for (PartSpec& part : parts_) {
          if (random_.next_below(3) == 0) renew(part, 60);
        }
        break;
      case 3:
        if (last_good_) parts_ = last_good_parts_;
        break;
      case 4:
        if (!earlier_.empty()) parts_ = earlier_[random_.next_below(earlier_.size())];
        break;
      case 5:
        scale();
        return;
      case 6:
        cluster_.delete_canaries();
        return;
      case 7:
        cluster_.delete_a_pod(random_);
        return;
      case 8:
        down_until_ms_ =
            cluster_.now_ms() + 1000 * static_cast<std::int64_t>(random_.next_below(200));
        return;
      default:
        if (random_.next_below(2) == 0) {
          forced_ = true;
          changed_ = true;
          return;
        }
        toggle_exporter_b();
        break;
    }
    earlier_.push_back(parts_);
    render_again();
  }

  void scale() {
    const bool complete = phase_ == Phase::kComplete;
    for (PartSpec& part : parts_) {
      if (random_.next_below(2) == 0) {
        part.replicas = static_cast<std::int64_t>(random_.next_below(4));
      }
    }
    render_again();
    if (!complete || down_until_ms_ > cluster_.now_ms()) return;
    reconcile_once(false);
    EXPECT_EQ(phase_, Phase::kComplete) << "scaling starts no rollout, " << where();
  }

  void toggle_exporter_b() {
    const auto is_b = [](const PartSpec& part) { return part.id.exporter == "b"; };
    if (std::erase_if(parts_, is_b) > 0) return;
    PartSpec exporter{{Role::kExporter, "b"}, "", 1};
    PartSpec consumer{{Role::kConsumer, "b"}, "", 1};
    renew(exporter, 70);
    renew(consumer, 70);
    parts_.insert(parts_.begin() + 1, exporter);
    parts_.insert(parts_.begin() + 3, consumer);
  }

  // As the controller does: after a change, or when the requeue delay is over.
  void reconcile_if_due(bool eventful) {
    const bool due = requeue_at_ms_ != 0 && cluster_.now_ms() >= requeue_at_ms_;
    if (cluster_.version() == seen_ && !due && !changed_) return;
    seen_ = cluster_.version();
    reconcile_once(eventful);
  }

  void reconcile_once(bool eventful) {
    const std::vector<ComponentView> views = cluster_.views(rendering_);
    const RolloutMemory memory = keeps_status_ ? rollout_memory(status_) : memory_;
    const RolloutDecision decision = decide_on(views, memory);
    check(decision, memory);
    if (::testing::Test::HasFailure()) return;
    // The write of the status fails: then nothing is done at all.
    if (eventful && random_.next_below(20) == 0) {
      requeue_at_ms_ = cluster_.now_ms() + 1000;
      has_missed_something_ = true;
      return;
    }
    forced_ = false;
    changed_ = false;
    requeue_at_ms_ =
        decision.requeue_after == Duration::zero()
            ? 0
            : cluster_.now_ms() + decision.requeue_after / std::chrono::milliseconds(1);
    remember(decision, views);
    phase_ = decision.phase;
    // The operator dies between its writes.
    if (eventful && random_.next_below(20) == 0) {
      changed_ = true;
      has_missed_something_ = true;
      return;
    }
    apply(decision);
  }

  RolloutDecision decide_on(const std::vector<ComponentView>& views, const RolloutMemory& memory) {
    if (std::exchange(has_missed_something_, false)) observed_since_ms_ = cluster_.now_ms();
    return decide({.desired = rendering_,
                   .last_good = last_good_ ? &*last_good_ : nullptr,
                   .components = views,
                   .memory = memory,
                   .rules = rules_,
                   .now_ms = cluster_.now_ms(),
                   .observed_since_ms = observed_since_ms_,
                   .forced = forced_});
  }

  void remember(const RolloutDecision& decision, const std::vector<ComponentView>& views) {
    if (decision.record_last_good) {
      last_good_ = rendering_;
      last_good_parts_ = parts_;
    }
    memory_ = decision.memory;
    if (!keeps_status_) return;
    write_status(decision, views);
    ASSERT_EQ(rollout_memory(status_), decision.memory) << where();
  }

  void write_status(const RolloutDecision& decision, const std::vector<ComponentView>& views) {
    api::Pipeline pipeline;
    pipeline.name = "p";
    const config::Problems problems;
    const TopicsView topics;
    status_ = make_status({.pipeline = pipeline,
                           .problems = problems,
                           .desired = &rendering_,
                           .components = views,
                           .rollout = &decision,
                           .reports = {},
                           .scaling = {},
                           .topics = topics,
                           .operator_version = "1",
                           .wall_now = wall_time_text(cluster_.now_ms())},
                          status_);
  }

  const render::Component* last_good_of(const render::ComponentId& id) const {
    if (!last_good_) return nullptr;
    for (const render::Component& component : last_good_->components) {
      if (component.id == id) return &component;
    }
    return nullptr;
  }

  void check(const RolloutDecision& decision, const RolloutMemory& memory) {
    ASSERT_EQ(decision.actions.size(), rendering_.components.size());
    EXPECT_LE(decision.message.size(), 512u);
    EXPECT_FALSE(decision.reason.empty()) << where();
    if (decision.record_last_good) {
      // A component that the revision leaves as it was is not waited for.
      std::set<std::string> without = decision.memory.unproven;
      for (const render::Component& component : rendering_.components) {
        const render::Component* good = last_good_of(component.id);
        if (good != nullptr && good->revision == component.revision)
          without.insert(render::object_name("p", component.id));
      }
      const std::int64_t healthy_after_ms = rules_.healthy_after / std::chrono::milliseconds(1);
      EXPECT_TRUE(
          cluster_.healthy_since(rendering_, cluster_.now_ms() - healthy_after_ms, without) ||
          is_recorded_again(memory))
          << "good only what has been available for healthyAfter, " << where();
    }
    if (last_good_ && rendering_.revision == last_good_->revision &&
        decision.memory.unproven.empty()) {
      EXPECT_EQ(decision.phase, Phase::kComplete) << "back to the last good one, " << where();
    }
    const bool known_failure = memory.failed_revision == rendering_.revision && !forced_;
    const bool failed =
        decision.phase == Phase::kRolledBack || decision.phase == Phase::kPausedFailure;
    if (known_failure) {
      EXPECT_TRUE(failed) << "tried again, " << where();
      EXPECT_FALSE(decision.just_failed);
    }
    if (failed) {
      EXPECT_TRUE(last_good_.has_value()) << "nothing to go back to, " << where();
      EXPECT_FALSE(decision.message.empty()) << where();
    }
    check_actions(decision);
  }

  // The record was lost, and what is desired is what it held.
  bool is_recorded_again(const RolloutMemory& memory) const {
    return memory.last_good_revision == rendering_.revision;
  }

  void check_actions(const RolloutDecision& decision) {
    int canaries = 0;
    for (std::size_t i = 0; i < decision.actions.size(); ++i) {
      const ComponentAction& action = decision.actions[i];
      const render::Component& component = rendering_.components[i];
      const render::Component* good = last_good_of(component.id);
      const bool changed = good == nullptr || good->revision != component.revision;
      canaries += action.canary ? 1 : 0;
      EXPECT_TRUE(!action.canary || changed) << where();
      if (decision.phase == Phase::kRolledBack) {
        EXPECT_EQ(action.stable, changed ? Target::kLastGood : Target::kDesired) << where();
        EXPECT_FALSE(action.canary) << where();
      }
      if (!changed || action.stable != Target::kDesired || !last_good_ || good == nullptr) continue;
      const FakeCluster::Part& part = cluster_.parts()[render::object_name("p", component.id)];
      const bool runs_it = !part.stable.exists || part.stable.revision == component.revision;
      const bool may_do_without = part.stable.replicas == 0 || component.replicas == 0 ||
                                  rules_.strategy == api::Rollout::Strategy::kRollingUpdate;
      if (runs_it || may_do_without) continue;
      // One that was never good has nothing to protect by a canary.
      if (decision.memory.unproven.contains(render::object_name("p", component.id))) continue;
      EXPECT_TRUE(part.proven.contains(component.revision))
          << component.revision << " had no healthy canary, " << where();
    }
    EXPECT_LE(canaries, 1) << where();
    check_order(decision);
  }

  // A later component does not move before the earlier ones are done.
  void check_order(const RolloutDecision& decision) {
    if (decision.phase != Phase::kRolling) return;
    bool behind = false;
    for (std::size_t i = 0; i < decision.actions.size(); ++i) {
      const render::Component& component = rendering_.components[i];
      const FakeCluster::Part& part = cluster_.parts()[render::object_name("p", component.id)];
      const render::Component* good = last_good_of(component.id);
      const bool changed = good == nullptr || good->revision != component.revision;
      if (!changed) continue;
      const bool moves = decision.actions[i].stable == Target::kDesired &&
                         (!part.stable.exists || part.stable.revision != component.revision);
      EXPECT_FALSE(behind && moves) << component.revision << " is early, " << where();
      if (decision.actions[i].stable != Target::kDesired || decision.actions[i].canary)
        behind = true;
    }
  }

  void apply(const RolloutDecision& decision) {
    cluster_.apply(rendering_, last_good_ ? &*last_good_ : nullptr, decision);
  }

  // Another reconciliation after the end has nothing to write.
  void check_rest() {
    std::vector<ComponentView> views = cluster_.views(rendering_);
    const RolloutDecision once = decide_on(views, memory_);
    write_status(once, views);
    const std::string written = kube::to_text(status_);
    const std::uint64_t version = cluster_.version();
    cluster_.tick(86'400'000);
    // Pods that come and go for ever change the status for ever.
    if (cluster_.version() != version) return;
    ++rested;
    views = cluster_.views(rendering_);
    const RolloutDecision again = decide_on(views, once.memory);
    EXPECT_EQ(again.memory, once.memory) << where();
    EXPECT_FALSE(again.record_last_good || again.just_failed) << where();
    write_status(again, views);
    EXPECT_EQ(kube::to_text(status_), written) << where();
  }

  void check_end() {
    ++ends[phase_];
    if (over_)
      check_rest();
    else
      write_status(decide_on(cluster_.views(rendering_), memory_), cluster_.views(rendering_));
    const std::string reason = kube::string_at(status_, "conditions/1/reason") + ": " +
                               kube::string_at(status_, "conditions/1/message");
    switch (phase_) {
      case Phase::kComplete:
        EXPECT_EQ(rendering_.revision, last_good_->revision) << where();
        return;
      case Phase::kRolledBack:
        for (const render::Component& component : last_good_->components) {
          EXPECT_EQ(cluster_.parts()[render::object_name("p", component.id)].stable.revision,
                    component.revision)
              << where();
        }
        return;
      case Phase::kPausedFailure:
        EXPECT_EQ(rules_.on_failure, api::Rollout::OnFailure::kPause) << where();
        return;
      case Phase::kInstalling:
        EXPECT_TRUE(!last_good_.has_value() || !memory_.unproven.empty()) << where();
        EXPECT_TRUE(one_stays_sick()) << reason << where();
        EXPECT_EQ(kube::string_at(status_, "conditions/1/status"), "False") << reason << where();
        return;
      case Phase::kProving:
        EXPECT_TRUE(!last_good_.has_value() || an_unchanged_one_is_sick()) << reason << where();
        return;
      case Phase::kRolling:
        break;
    }
    ADD_FAILURE() << "it never ends: " << reason << ", " << where();
  }

  bool one_stays_sick() const {
    return std::any_of(parts_.begin(), parts_.end(), [&](const PartSpec& part) {
      const Behaviour::Kind kind = behaviours_.at(part.revision);
      return part.replicas > 0 && kind != Behaviour::Kind::kGood &&
             kind != Behaviour::Kind::kCrashFirst;
    });
  }

  bool an_unchanged_one_is_sick() const {
    for (const render::Component& component : rendering_.components) {
      const render::Component* good = last_good_of(component.id);
      if (good == nullptr || good->revision != component.revision) continue;
      const auto behaviour = behaviours_.find(component.revision);
      if (behaviour->second != Behaviour::Kind::kGood) return true;
    }
    return false;
  }

  const std::uint64_t seed_;
  Random random_;
  FakeCluster cluster_;
  api::Rollout rules_;
  std::vector<PartSpec> parts_;
  std::vector<PartSpec> last_good_parts_;
  std::vector<std::vector<PartSpec>> earlier_;
  render::Rendering rendering_;
  std::optional<render::Rendering> last_good_;
  std::map<std::string, Behaviour::Kind> behaviours_;
  // Few of them have their memory in a status, as an operator has: making it takes most of the
  // time.
  const bool keeps_status_;
  RolloutMemory memory_;
  Json status_ = Json::object();
  bool over_ = false;
  Phase phase_ = Phase::kInstalling;
  std::uint64_t seen_ = 0;
  std::int64_t quiet_seconds_ = 0;
  std::int64_t requeue_at_ms_ = 0;
  std::int64_t down_until_ms_ = 0;
  std::int64_t revisions_ = 0;
  bool forced_ = false;
  bool changed_ = true;
  bool has_missed_something_ = false;
  std::int64_t observed_since_ms_ = kStartMs;
};

TEST(RolloutHistory, HoldsWhatItPromisesInAllOfThem) {
  std::map<Phase, int> ends;
  int rested = 0;
  for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
    History history(seed);
    history.run();
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    for (const auto& [phase, count] : history.ends) ends[phase] += count;
    rested += history.rested;
  }
  // The histories are worth something only while they end in every way.
  EXPECT_GT(rested, kHistories / 2);
  EXPECT_GT(ends[Phase::kComplete], kHistories / 5);
  EXPECT_GT(ends[Phase::kRolledBack], kHistories / 10);
  EXPECT_GT(ends[Phase::kPausedFailure], kHistories / 50);
  EXPECT_GT(ends[Phase::kInstalling], kHistories / 50);
}

}  // namespace
}  // namespace spanway::decide
