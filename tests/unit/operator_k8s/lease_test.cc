#include "operator/k8s/lease.h"

#include <gtest/gtest.h>

#include <deque>
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

// Lets the clock run while a request is under way.
class SlowClient final : public Client {
 public:
  SlowClient(Client& behind, fakes::ManualClock& clock) : behind_(behind), clock_(clock) {}
  Duration latency{};

  Result<Json> get(const ResourceType& type, const ObjectKey& key) override {
    clock_.advance(latency);
    return behind_.get(type, key);
  }
  Result<Json> create(const ResourceType& type, const Json& object) override {
    auto result = behind_.create(type, object);
    clock_.advance(latency);
    return result;
  }
  Result<Json> replace(const ResourceType& type, const Json& object,
                       std::string_view subresource = {}) override {
    auto result = behind_.replace(type, object, subresource);
    clock_.advance(latency);
    return result;
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
  Client& behind_;
  fakes::ManualClock& clock_;
};

class LeaseTest : public testing::Test {
 protected:
  struct Replica {
    Replica(LeaseTest& test, const std::string& identity, std::uint64_t seed)
        : election({.key = kLease, .identity = identity}, test.client_,
                   {.started = [this] { told.push_back("started"); },
                    .stopped = [this] { told.push_back("stopped"); }},
                   test.clock_, Random(seed), test.telemetry_) {}
    std::vector<std::string> told;
    LeaderElection election;
  };
  Json spec() { return kube_.at(kLeases, kLease)["spec"]; }
  static Error down() { return unavailable("down"); }

  fakes::ManualClock clock_;
  fakes::FakeKube kube_{clock_};
  SlowClient client_{kube_, clock_};
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  telemetry::Telemetry telemetry_{log_, metrics_};
  Replica a_{*this, "a", 1};
  Replica b_{*this, "b", 2};
};

using Told = std::vector<std::string>;

TEST_F(LeaseTest, TheFirstCreatesItAndTheOtherWaits) {
  EXPECT_EQ(a_.election.step(), seconds(2));
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(a_.told, (Told{"started"}));
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "a");
  EXPECT_EQ(int_at(spec(), "leaseDurationSeconds"), 15);
  EXPECT_EQ(int_at(spec(), "leaseTransitions"), 0);
  EXPECT_EQ(string_at(spec(), "renewTime"), "2026-01-01T00:00:01.000000Z");
  EXPECT_EQ(metrics_.value("spanway_kubernetes_leader"), 1);
  const Duration wait = b_.election.step();
  EXPECT_GE(wait, seconds(2));
  EXPECT_LE(wait, milliseconds(4400));
  EXPECT_FALSE(b_.election.leading());
  EXPECT_EQ(b_.told, Told{});
}

TEST_F(LeaseTest, RenewingKeepsItForever) {
  for (int i = 0; i < 100; ++i) {
    a_.election.step();
    b_.election.step();
    clock_.advance(seconds(2));
  }
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(a_.told, (Told{"started"}));
  EXPECT_EQ(b_.told, Told{});
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

TEST_F(LeaseTest, LeadingEndsAtTheDeadlineEvenIfNobodyLooks) {
  a_.election.step();
  clock_.advance(seconds(10) - milliseconds(1));
  EXPECT_TRUE(a_.election.leading());
  clock_.advance(milliseconds(1));
  EXPECT_FALSE(a_.election.leading());
}

TEST_F(LeaseTest, TheDeadlineCountsFromWhenTheRenewalWasSent) {
  client_.latency = seconds(4);
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
  while (a_.told.size() < 2 && waited < seconds(30)) {
    const Duration wait = a_.election.step();
    if (a_.told.size() == 2) break;
    clock_.advance(wait);
    waited += wait;
  }
  EXPECT_EQ(waited, seconds(10));
  EXPECT_EQ(a_.told, (Told{"started", "stopped"}));
  EXPECT_EQ(b_.told, Told{});
  EXPECT_EQ(metrics_.value("spanway_kubernetes_leader"), 0);
}

TEST_F(LeaseTest, AShortOutageIsSurvived) {
  a_.election.step();
  clock_.advance(seconds(2));
  kube_.fail("replace", "leases", down(), 2);
  for (int i = 0; i < 5; ++i) clock_.advance(a_.election.step());
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(a_.told, (Told{"started"}));
  EXPECT_EQ(int_at(spec(), "leaseTransitions"), 0);
}

TEST_F(LeaseTest, ALeaseThatSomebodyElseTookIsLostAtOnce) {
  a_.election.step();
  kube_.edit(kLeases, kLease, Json{{"spec", {{"holderIdentity", "c"}}}}, "kubectl");
  a_.election.step();  // Conflict: it has changed.
  EXPECT_TRUE(a_.election.leading()) << "who has it is not known yet";
  a_.election.step();
  EXPECT_FALSE(a_.election.leading());
  EXPECT_EQ(a_.told, (Told{"started", "stopped"}));
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "c");
}

TEST_F(LeaseTest, AChangeOfSomethingElseIsNotLost) {
  a_.election.step();
  kube_.edit(kLeases, kLease, Json{{"metadata", {{"labels", {{"x", "y"}}}}}}, "kubectl");
  a_.election.step();
  a_.election.step();
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(a_.told, (Told{"started"}));
  EXPECT_EQ(string_at(kube_.at(kLeases, kLease), "metadata/labels/x"), "y");
}

TEST_F(LeaseTest, ADeletedLeaseIsMadeAgain) {
  a_.election.step();
  kube_.erase(kLeases, kLease);
  a_.election.step();
  a_.election.step();
  EXPECT_TRUE(a_.election.leading());
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "a");
  EXPECT_EQ(a_.told, (Told{"started"}));
}

TEST_F(LeaseTest, GivenBackItIsTakenAtOnce) {
  a_.election.step();
  b_.election.step();
  a_.election.release();
  EXPECT_EQ(a_.told, (Told{"started", "stopped"}));
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "");
  b_.election.step();
  EXPECT_TRUE(b_.election.leading());
  a_.election.release();
  EXPECT_EQ(string_at(spec(), "holderIdentity"), "b") << "what is not ours is left alone";
}

TEST_F(LeaseTest, WritingStopsBeforeItIsGivenBack) {
  std::string holder_at_stop;
  LeaderElection election(
      {.key = kLease, .identity = "x"}, client_,
      {.started = nullptr,
       .stopped = [&] { holder_at_stop = string_at(spec(), "holderIdentity"); }},
      clock_, Random(1), telemetry_);
  election.step();
  election.release();
  EXPECT_EQ(holder_at_stop, "x");
}

TEST_F(LeaseTest, OnlyOneEverLeads) {
  Random random(7);
  Replica* replicas[] = {&a_, &b_};
  SteadyTime due[] = {clock_.now(), clock_.now()};
  int turns = 0;
  for (int i = 0; i < 20'000; ++i) {
    clock_.advance(milliseconds(100));
    if (random.next_below(40) == 0)
      kube_.fail(random.next_below(2) == 0 ? "replace" : "get", "leases", down(),
                 static_cast<int>(random.next_below(8)) + 1);
    for (int r = 0; r < 2; ++r) {
      if (due[r] > clock_.now()) continue;
      const std::size_t before = replicas[r]->told.size();
      due[r] = clock_.now() + replicas[r]->election.step();
      turns += static_cast<int>(replicas[r]->told.size() - before);
    }
    ASSERT_FALSE(a_.election.leading() && b_.election.leading()) << i;
  }
  EXPECT_GT(turns, 10) << "the faults must have had an effect";
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
