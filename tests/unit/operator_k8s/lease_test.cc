#include "operator/k8s/lease.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <vector>

#include "operator/k8s/micro_time.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ObjectKey kLease{"spanway", "operator"};

// Lets the clock run while a request is under way, and loses requests and answers.
class SlowClient final : public Client {
 public:
  SlowClient(Client& behind, fakes::ManualClock& clock) : behind_(behind), clock_(clock) {}
  Duration latency{};
  enum class Link { kUp, kDown, kLosesAnswers } link = Link::kUp;

  Result<Json> get(const ResourceType& type, const ObjectKey& key) override {
    return through([&] { return behind_.get(type, key); });
  }
  Result<Json> create(const ResourceType& type, const Json& object) override {
    return through([&] { return behind_.create(type, object); });
  }
  Result<Json> replace(const ResourceType& type, const Json& object,
                       std::string_view subresource = {}) override {
    return through([&] { return behind_.replace(type, object, subresource); });
  }
  Result<ListResult> list(const ResourceType& type, const ListOptions& options) override {
    return behind_.list(type, options);
  }
  Status watch(const ResourceType& type, const WatchOptions& options, const std::stop_token& stop,
               const std::function<bool(WatchEvent)>& on_event) override {
    return behind_.watch(type, options, stop, on_event);
  }
  Result<Json> apply(const ResourceType& type, const Json& object, const ApplyOptions& options,
                     std::string_view subresource = {}) override {
    return behind_.apply(type, object, options, subresource);
  }
  Result<Json> merge_patch(const ResourceType& type, const ObjectKey& key, const Json& patch,
                           std::string_view subresource = {}) override {
    return behind_.merge_patch(type, key, patch, subresource);
  }
  Status remove(const ResourceType& type, const ObjectKey& key,
                const std::string& uid = {}) override {
    return behind_.remove(type, key, uid);
  }
  Result<bool> serves(const ResourceType& type) override { return behind_.serves(type); }

 private:
  template <typename Call>
  Result<Json> through(const Call& call) {
    if (link == Link::kDown) return unavailable("no connection");
    auto result = call();
    clock_.advance(latency);
    if (link == Link::kLosesAnswers) return unavailable("the connection was lost");
    return result;
  }

  Client& behind_;
  fakes::ManualClock& clock_;
};

class LeaseTest : public testing::Test {
 protected:
  struct Replica {
    Replica(LeaseTest& test, const std::string& identity, std::uint64_t seed)
        : client(test.kube_, test.clock_),
          election({.key = kLease, .identity = identity}, client,
                   {.started = [this] { callbacks.push_back("started"); },
                    .stopped = [this] { callbacks.push_back("stopped"); }},
                   test.clock_, Random(seed), test.telemetry_) {}
    std::vector<std::string> callbacks;
    SlowClient client;
    LeaderElection election;
  };
  Json spec() { return kube_.at(kLeases, kLease)["spec"]; }
  static Error down() { return unavailable("down"); }

  fakes::ManualClock clock_;
  fakes::FakeKube kube_{clock_};
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  telemetry::Telemetry telemetry_{log_, metrics_};
  Replica a_{*this, "a", 1};
  Replica b_{*this, "b", 2};
};

using Callbacks = std::vector<std::string>;

TEST_F(LeaseTest, TheFirstCreatesItAndTheOtherWaits) {
  EXPECT_EQ(a_.election.step(), seconds(2));
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(a_.callbacks, (Callbacks{"started"}));
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "a");
  EXPECT_EQ(int_at(spec(), "leaseDurationSeconds"), 15);
  EXPECT_EQ(int_at(spec(), "leaseTransitions"), 0);
  EXPECT_EQ(string_at(spec(), "renewTime"), "2026-01-01T00:00:01.000000Z");
  EXPECT_EQ(metrics_.value("spanway_kubernetes_leader"), 1);
  const Duration wait = b_.election.step();
  EXPECT_GE(wait, seconds(2));
  EXPECT_LE(wait, milliseconds(4400));
  EXPECT_FALSE(b_.election.leading());
  EXPECT_EQ(b_.callbacks, Callbacks{});
}

TEST_F(LeaseTest, RenewingKeepsItForever) {
  for (int i = 0; i < 100; ++i) {
    a_.election.step();
    b_.election.step();
    clock_.advance(seconds(2));
  }
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(a_.callbacks, (Callbacks{"started"}));
  EXPECT_EQ(b_.callbacks, Callbacks{});
  EXPECT_EQ(string_at(spec(), "acquireTime"), "2026-01-01T00:00:01.000000Z");
  EXPECT_EQ(string_at(spec(), "renewTime"), "2026-01-01T00:03:19.000000Z");
}

TEST_F(LeaseTest, ADeadLeaderIsReplacedAfterTheDurationOfOurClock) {
  a_.election.step();
  clock_.advance(seconds(5));
  b_.election.step();  // Sees it for the first time only now.
  clock_.advance(seconds(15) - milliseconds(1));
  b_.election.step();
  EXPECT_FALSE(b_.election.leading());
  clock_.advance(milliseconds(1));
  b_.election.step();
  EXPECT_TRUE(b_.election.leading());
  EXPECT_EQ(int_at(spec(), "leaseTransitions"), 1);
  EXPECT_FALSE(a_.election.leading()) << "long before";
}

TEST_F(LeaseTest, TheHoldersClockDoesNotMatter) {
  kube_.put(kLeases, Json{{"metadata", {{"name", "operator"}, {"namespace", "spanway"}}},
                          {"spec",
                           {{"holderIdentity", "a"},
                            {"leaseDurationSeconds", 15},
                            {"renewTime", "1999-01-01T00:00:00.000000Z"}}}});
  b_.election.step();
  EXPECT_FALSE(b_.election.leading()) << "its time is long ago, but it may be renewing";
  clock_.jump_system(std::chrono::hours(24));
  b_.election.step();
  EXPECT_FALSE(b_.election.leading()) << "nor does our wall clock";
}

TEST_F(LeaseTest, LeadingEndsAtTheDeadlineWithoutAStep) {
  a_.election.step();
  clock_.advance(seconds(10) - milliseconds(1));
  EXPECT_TRUE(a_.election.leading());
  clock_.advance(milliseconds(1));
  EXPECT_FALSE(a_.election.leading());
}

TEST_F(LeaseTest, TheDeadlineCountsFromWhenTheRenewalWasSent) {
  a_.client.latency = seconds(4);
  a_.election.step();
  clock_.advance(seconds(6) - milliseconds(1));
  EXPECT_TRUE(a_.election.leading());
  clock_.advance(milliseconds(1));
  EXPECT_FALSE(a_.election.leading()) << "ten seconds after it was sent, six after the answer";
}

TEST_F(LeaseTest, ALeaderThatCannotRenewStopsBeforeAnotherStarts) {
  a_.election.step();
  b_.election.step();
  kube_.fail("replace", "leases", down(), 4);
  kube_.fail("get", "leases", down(), 4);
  Duration waited{};
  while (a_.callbacks.size() < 2 && waited < seconds(30)) {
    const Duration wait = a_.election.step();
    if (a_.callbacks.size() == 2) break;
    clock_.advance(wait);
    waited += wait;
  }
  EXPECT_EQ(waited, seconds(10));
  EXPECT_EQ(a_.callbacks, (Callbacks{"started", "stopped"}));
  EXPECT_EQ(b_.callbacks, Callbacks{});
  EXPECT_EQ(metrics_.value("spanway_kubernetes_leader"), 0);
}

TEST_F(LeaseTest, AShortOutageIsSurvived) {
  a_.election.step();
  clock_.advance(seconds(2));
  kube_.fail("replace", "leases", down(), 2);
  for (int i = 0; i < 5; ++i) clock_.advance(a_.election.step());
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(a_.callbacks, (Callbacks{"started"}));
  EXPECT_EQ(int_at(spec(), "leaseTransitions"), 0);
}

TEST_F(LeaseTest, ALeaseTakenByAnotherHolderIsLostAtOnce) {
  a_.election.step();
  kube_.edit(kLeases, kLease, Json{{"spec", {{"holderIdentity", "c"}}}}, "kubectl");
  a_.election.step();  // Conflict: it has changed.
  EXPECT_TRUE(a_.election.leading()) << "who has it is not known yet";
  a_.election.step();
  EXPECT_FALSE(a_.election.leading());
  EXPECT_EQ(a_.callbacks, (Callbacks{"started", "stopped"}));
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "c");
}

TEST_F(LeaseTest, AChangeOfSomethingElseIsNotLost) {
  a_.election.step();
  kube_.edit(kLeases, kLease, Json{{"metadata", {{"labels", {{"x", "y"}}}}}}, "kubectl");
  a_.election.step();
  a_.election.step();
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(a_.callbacks, (Callbacks{"started"}));
  EXPECT_EQ(string_at(kube_.at(kLeases, kLease), "metadata/labels/x"), "y");
}

TEST_F(LeaseTest, ADeletedLeaseIsCreatedAgain) {
  a_.election.step();
  kube_.erase(kLeases, kLease);
  a_.election.step();
  a_.election.step();
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "a");
  EXPECT_EQ(a_.callbacks, (Callbacks{"started"}));
}

TEST_F(LeaseTest, GivenBackItIsTakenAtOnce) {
  a_.election.step();
  b_.election.step();
  a_.election.release();
  EXPECT_EQ(a_.callbacks, (Callbacks{"started", "stopped"}));
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "");
  b_.election.step();
  EXPECT_TRUE(b_.election.leading());
  a_.election.release();
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "b") << "what is not ours is left alone";
}

TEST_F(LeaseTest, WritingStopsBeforeItIsGivenBack) {
  std::string holder_at_stop;
  LeaderElection election(
      {.key = kLease, .identity = "x"}, kube_,
      {.started = nullptr,
       .stopped = [&] { holder_at_stop = string_at(spec(), "holderIdentity"); }},
      clock_, Random(1), telemetry_);
  election.step();
  election.release();
  EXPECT_EQ(holder_at_stop, "x");
}

// Each replica's way to the server is cut, heals, or loses answers at random, for up to half a
// minute: as long as it takes to lose the Lease and more.
TEST_F(LeaseTest, OnlyOneEverLeads) {
  using Link = SlowClient::Link;
  Random random(7);
  Replica* replicas[] = {&a_, &b_};
  SteadyTime due[] = {clock_.now(), clock_.now()};
  SteadyTime next_fault[] = {clock_.now(), clock_.now()};
  int led[] = {0, 0};
  int leaderless = 0;
  for (int i = 0; i < 50'000; ++i) {
    clock_.advance(milliseconds(100));
    for (int r = 0; r < 2; ++r) {
      Replica& replica = *replicas[r];
      if (next_fault[r] <= clock_.now()) {
        next_fault[r] = clock_.now() + milliseconds(random.next_below(30'000));
        const Link links[] = {Link::kUp, Link::kUp, Link::kDown, Link::kLosesAnswers};
        replica.client.link = links[random.next_below(4)];
      }
      if (due[r] > clock_.now()) continue;
      due[r] = clock_.now() + replica.election.step();
    }
    const bool a = a_.election.leading();
    const bool b = b_.election.leading();
    ASSERT_FALSE(a && b) << i;
    leaderless += !a && !b ? 1 : 0;
  }
  for (int r = 0; r < 2; ++r) {
    const Callbacks& callbacks = replicas[r]->callbacks;
    led[r] = static_cast<int>(std::count(callbacks.begin(), callbacks.end(), "started"));
    EXPECT_GT(led[r], 30) << "the faults must have had an effect on " << r;
    for (std::size_t i = 0; i < callbacks.size(); ++i)
      ASSERT_EQ(callbacks[i], i % 2 == 0 ? "started" : "stopped") << "in turn";
  }
  EXPECT_GE(int_at(spec(), "leaseTransitions"), 30);
  EXPECT_GT(leaderless, 0);
  EXPECT_LT(leaderless, 25'000) << "a replica leads most of the time";
}

// A renewal that arrives after the leader has given up on it must not make two of them.
TEST_F(LeaseTest, AnAnswerThatGetsLostStillCountsFromWhenItWasSent) {
  a_.election.step();
  clock_.advance(seconds(2));
  a_.client.link = SlowClient::Link::kLosesAnswers;
  a_.election.step();  // Renewed, but it does not know.
  EXPECT_EQ(string_at(spec(), "renewTime"), "2026-01-01T00:00:03.000000Z");
  b_.election.step();
  clock_.advance(seconds(8));
  EXPECT_FALSE(a_.election.leading()) << "ten seconds after the last that it knows of";
  clock_.advance(seconds(7));
  b_.election.step();
  EXPECT_TRUE(b_.election.leading());
  a_.client.link = SlowClient::Link::kUp;
  a_.election.step();
  EXPECT_FALSE(a_.election.leading());
  EXPECT_EQ(a_.callbacks, (Callbacks{"started", "stopped"}));
}

TEST_F(LeaseTest, TheThreadLeadsAndGivesBack) {
  std::latch started(1);
  {
    LeaderElection election({.key = kLease, .identity = "x"}, kube_,
                            {.started = [&] { started.count_down(); }, .stopped = nullptr},
                            system_clock(), Random(1), telemetry_);
    election.start();
    started.wait();
    EXPECT_EQ(string_at(spec(), "holderIdentity"), "x");
  }
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "");
}

TEST(MicroTime, HasAlwaysSixDigits) {
  EXPECT_EQ(micro_time_text(SystemTime(Duration(0))), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(micro_time_text(SystemTime(Duration(1'767'225'599'000'001'999LL))),
            "2025-12-31T23:59:59.000001Z");
}

}  // namespace
}  // namespace spanway::kube
