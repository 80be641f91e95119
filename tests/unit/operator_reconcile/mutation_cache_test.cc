#include "operator/reconcile/mutation_cache.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "operator/k8s/resource.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::reconcile {
namespace {

const kube::ObjectKey kKey{"a", "x"};
const kube::ObjectKey kPipeline{"a", "p"};

Json version(const std::string& v, const std::string& uid = "u") {
  return {{"metadata", {{"resourceVersion", v}, {"uid", uid}}}};
}

class MutationCacheTest : public testing::Test {
 protected:
  using Stored = MutationCache::Stored;
  // A store that has received this version of the object and nothing since.
  static Stored at(const std::string& v) { return {v, v, "u"}; }

  std::string newest(const Stored& stored) {
    const auto found = mutations_.newest(
        kube::kServices, kKey, stored,
        stored.version.empty() ? std::nullopt : std::optional(version(stored.version, stored.uid)));
    return found ? kube::string_at(*found, "metadata/resourceVersion") : "none";
  }
  std::string newest_version(const Stored& stored) {
    return mutations_.newest_version(kube::kServices, kKey, stored);
  }
  void wrote(const std::string& v, const Stored& stored) {
    mutations_.wrote(kPipeline, kube::kServices, kKey, version(v), stored);
  }
  void removed(const Stored& stored) {
    mutations_.removed(kPipeline, kube::kServices, kKey, version("2"), stored);
  }
  fakes::ManualClock clock_;
  MutationCache mutations_{clock_};
};

TEST_F(MutationCacheTest, TheAnswerCountsUntilTheStoreHasReachedIt) {
  wrote("10", at("9"));
  EXPECT_EQ(newest(at("9")), "10");
  EXPECT_EQ(newest(at("9")), "10");
  EXPECT_EQ(newest(at("10")), "10");
  EXPECT_EQ(mutations_.size(), 0u);
}

TEST_F(MutationCacheTest, AnAnswerThatComesAfterANewerEventHidesNothing) {
  wrote("10", at("11"));
  EXPECT_EQ(newest(at("11")), "11");
  EXPECT_EQ(mutations_.size(), 0u);
}

TEST_F(MutationCacheTest, AForeignChangeBeforeOursDoesNotUncoverTheStore) {
  wrote("10", at("7"));
  EXPECT_EQ(newest(at("9")), "10");
}

TEST_F(MutationCacheTest, CoversCreationAndDeletion) {
  wrote("2", {"1", "", ""});
  EXPECT_EQ(newest({"1", "", ""}), "2");
  EXPECT_EQ(newest(at("2")), "2");
  removed(at("2"));
  EXPECT_EQ(newest(at("2")), "none");
  EXPECT_EQ(newest_version(at("2")), "");
  EXPECT_EQ(newest({"4", "4", "other uid"}), "4");
}

TEST_F(MutationCacheTest, AnObjectThatWasCreatedAndDeletedBeforeTheAnswerIsGone) {
  wrote("2", {"3", "", ""});
  EXPECT_EQ(newest({"3", "", ""}), "none");
}

TEST_F(MutationCacheTest, AVersionThatIsNoNumberIsLeftToTheStore) {
  wrote("b", at("a"));
  EXPECT_EQ(newest(at("a")), "a");
}

TEST_F(MutationCacheTest, TheStoreDecidesAfterAWhileAndThePipelineIsReconciledAgainThen) {
  EXPECT_EQ(mutations_.expires_in(kPipeline), Duration::zero());
  wrote("10", at("9"));
  clock_.advance(std::chrono::seconds(10));
  EXPECT_EQ(mutations_.expires_in(kPipeline), Duration(std::chrono::seconds(20)));
  clock_.advance(std::chrono::seconds(20));
  EXPECT_EQ(newest(at("9")), "9");
  EXPECT_EQ(mutations_.expires_in(kPipeline), Duration::zero());
}

TEST_F(MutationCacheTest, DropsWhatIsNotRequestedAndWhatBelongsToADeletedPipeline) {
  wrote("10", at("9"));
  clock_.advance(std::chrono::seconds(30));
  EXPECT_EQ(mutations_.expires_in(kPipeline), Duration::zero());
  EXPECT_EQ(mutations_.size(), 0u);
  wrote("10", at("9"));
  mutations_.forget(kPipeline);
  EXPECT_EQ(mutations_.size(), 0u);
}

TEST_F(MutationCacheTest, AWriteThatChangedNothingIsNotKept) {
  wrote("9", at("9"));
  EXPECT_EQ(mutations_.size(), 0u);
}

// A server, a watch and a writer: three writes, ours or foreign, that put or delete, and every
// order in which commits, watch events and answers can follow one another.
class EveryInterleaving {
 public:
  enum class Write { kOursPut, kOursDelete, kForeignPut, kForeignDelete };
  static constexpr int kWrites = 3;

  explicit EveryInterleaving(const std::array<Write, kWrites>& writes) : writes_(writes) {}
  int run() {
    step({});
    return runs_;
  }

 private:
  struct Object {
    std::string version;  // Empty = none.
    std::string uid;
    bool operator==(const Object&) const = default;
  };
  enum class Action { kCommit, kDeliver, kAnswer };
  struct World {
    Object server{"1", "u1"};
    std::vector<Object> history;  // After each commit.
    std::vector<Action> actions;
    int committed = 0;
    int delivered = 0;
    int answered = 0;  // Writes up to which nothing of ours waits for its answer.
  };

  static bool is_ours(Write write) {
    return write == Write::kOursPut || write == Write::kOursDelete;
  }
  static bool is_put(Write write) {
    return write == Write::kOursPut || write == Write::kForeignPut;
  }
  static std::string number(int write) { return std::to_string(write + 9); }

  void commit(World& world) const {
    const int i = world.committed++;
    if (!is_put(writes_[i])) {
      world.server = {};
    } else {
      if (world.server.version.empty()) world.server.uid = "u" + number(i);
      world.server.version = number(i);
    }
    world.history.push_back(world.server);
  }
  // The writer is one thread: it writes again only after its answer.
  bool waits(const World& world) const {
    return world.answered < world.committed && is_ours(writes_[world.answered]);
  }
  // The newest state that an event or an answer has shown to the writer.
  int known(const World& world) const {
    int answer = 0;
    for (int i = 0; i < world.answered; ++i) answer = is_ours(writes_[i]) ? i + 1 : answer;
    return std::max(answer, world.delivered);
  }
  bool can_commit(const World& world) const {
    const Write write = writes_[world.committed];
    if (is_ours(write) && waits(world)) return false;
    if (write != Write::kOursDelete) return true;
    // It deletes only what it knows, by uid.
    const Object object = object_after(world, known(world));
    return !object.version.empty() && object.uid == world.server.uid;
  }
  void step(World world) {
    while (world.answered < world.committed && !is_ours(writes_[world.answered])) ++world.answered;
    const bool may_commit = world.committed < kWrites && can_commit(world);
    if (may_commit) {
      World next = world;
      commit(next);
      next.actions.push_back(Action::kCommit);
      step(std::move(next));
    }
    if (world.delivered < world.committed) {
      World next = world;
      ++next.delivered;
      next.actions.push_back(Action::kDeliver);
      step(std::move(next));
    }
    if (waits(world)) {
      World next = world;
      ++next.answered;
      next.actions.push_back(Action::kAnswer);
      step(std::move(next));
    }
    if (world.committed == kWrites && !waits(world) && world.delivered == kWrites) replay(world);
  }

  static Object object_after(const World& world, int commits) {
    return commits == 0 ? Object{"1", "u1"} : world.history[static_cast<std::size_t>(commits - 1)];
  }
  static MutationCache::Stored stored_after(const World& world, int delivered) {
    const Object object = object_after(world, delivered);
    return {delivered == 0 ? "8" : number(delivered - 1), object.version, object.uid};
  }

  void replay(const World& world) {
    ++runs_;
    fakes::ManualClock clock;
    MutationCache mutations(clock);
    int committed = 0;
    int delivered = 0;
    int answered = 0;
    int known = 0;  // The newest state that an event or an answer has shown.
    const auto check = [&] {
      const auto stored = stored_after(world, delivered);
      const std::string newest = mutations.newest_version(kube::kServices, kKey, stored);
      EXPECT_EQ(newest, object_after(world, known).version)
          << "run " << runs_ << ", committed " << committed << ", delivered " << delivered
          << ", answered " << answered;
    };
    for (const Action action : world.actions) {
      if (action == Action::kCommit) {
        ++committed;
        continue;
      }
      if (action == Action::kDeliver) {
        known = std::max(known, ++delivered);
      } else {
        while (!is_ours(writes_[answered])) ++answered;
        const auto stored = stored_after(world, delivered);
        const Object before = object_after(world, answered);
        const Object after = object_after(world, answered + 1);
        if (is_put(writes_[answered])) {
          mutations.wrote(kPipeline, kube::kServices, kKey, version(after.version, after.uid),
                          stored);
        } else {
          mutations.removed(kPipeline, kube::kServices, kKey, version(before.version, before.uid),
                            stored);
        }
        known = std::max(known, ++answered);
      }
      check();
    }
    EXPECT_EQ(mutations.size(), 0u);
  }

  const std::array<Write, kWrites> writes_;
  int runs_ = 0;
};

TEST(MutationCacheInterleavingTest, TheNewestOfAnswersAndEventsIsKnownInEveryOrder) {
  using Write = EveryInterleaving::Write;
  constexpr std::array kAll = {Write::kOursPut, Write::kOursDelete, Write::kForeignPut,
                               Write::kForeignDelete};
  int runs = 0;
  for (const Write a : kAll)
    for (const Write b : kAll)
      for (const Write c : kAll) runs += EveryInterleaving({a, b, c}).run();
  EXPECT_GT(runs, 1000);
}

}  // namespace
}  // namespace spanway::reconcile
