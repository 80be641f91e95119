#include "operator/manager/operator_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <string>
#include <vector>

#include "operator/json/json.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/thread.h"
#include "services/lib/http/io_pool.h"
#include "tests/fakes/client_link.h"
#include "tests/fakes/eventually.h"
#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::manager {
namespace {

using kube::Json;

using fakes::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const kube::ObjectKey kLease{"spanway-system", "spanway-operator"};
const kube::ObjectKey kPipeline{"team", "p"};

bool is_write(std::string_view verb) {
  return verb != "get" && verb != "list" && verb != "watch" && verb != "serves";
}

// One operator and its way to the API server.
struct Replica {
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  std::atomic<bool> lease_fails{false};
  std::atomic<int> lists_failed{0};
  std::string failing_list;  // Set before it starts.
  // Excludes the Lease and Events.
  std::atomic<int> writes{0};
  // The write with this number waits for `let_go`, at most a second, as a client does.
  std::atomic<int> held_write{-1};
  std::atomic<bool> is_held{false};
  std::atomic<bool> let_go{false};
  std::unique_ptr<OperatorService> service;

  Status before(std::string_view verb, const kube::ResourceType& type) {
    if (type == kube::kLeases) return lease_fails ? unavailable("cut off") : Status();
    if (verb == "list" && type.plural == failing_list) {
      ++lists_failed;
      return unavailable("cannot list");
    }
    if (!is_write(verb) || type == kube::kEvents) return {};
    const int number = writes++;
    if (number != held_write) return {};
    is_held = true;
    if (eventually([this] { return let_go.load(); }, seconds(1))) return {};
    return transient_error(Code::kDeadlineExceeded, "no answer in time");
  }
  bool ready() const { return service->readiness().ready; }
  double reconciled() const {
    return metrics.value("spanway_operator_reconciliations_total", {{"result", "ok"}});
  }
};

// Real threads; time for them moves only when a test says so, but for their short waits.
class OperatorServiceTest : public testing::Test {
 protected:
  OperatorServiceTest() { settings_.resync = seconds(120); }

  std::unique_ptr<OperatorService> make(Replica& replica, const std::string& identity) {
    OperatorParts parts;
    parts.client = std::make_unique<fakes::ClientLink>(
        kube_, [&replica](std::string_view verb, const kube::ResourceType& type) {
          return replica.before(verb, type);
        });
    parts.statusz = std::make_unique<reconcile::FakeStatusz>();
    parts.identity = identity;
    parts.name_space = "spanway-system";
    parts.times = {.tick = milliseconds(5),
                   .lease = std::chrono::hours(2),
                   .lease_renew_deadline = std::chrono::hours(1),
                   .lease_retry = milliseconds(5)};
    const auto found = discover(*parts.client, settings_, replica.log);
    if (!found.ok()) return nullptr;
    return std::make_unique<OperatorService>(
        settings_, std::move(parts), *found,
        runtime::ServiceDeps{io_, {replica.log, replica.metrics}, clock_});
  }
  void start(Replica& replica, const std::string& identity) {
    replica.service = make(replica, identity);
    ASSERT_TRUE(replica.service);
    ASSERT_TRUE(replica.service->start().ok());
  }
  std::string holder() const {
    return kube::string_at(kube_.at(kube::kLeases, kLease), "spec/holderIdentity");
  }
  std::string condition(const std::string& type) const {
    const Json object = kube_.at(kube::kPipelines, kPipeline);
    const Json* all = kube::find(object, "status/conditions");
    if (all == nullptr) return "";
    for (const Json& one : *all)
      if (kube::string_at(one, "type") == type)
        return kube::string_at(one, "status") + ": " + kube::string_at(one, "reason");
    return "";
  }
  // Advances pods and time until it holds.
  bool until(const std::function<bool()>& holds) {
    return eventually([&] {
      kube_.step();
      clock_.advance(seconds(1));
      return holds();
    });
  }
  bool until_ready() {
    return until([this] {
      return condition("Ready").starts_with("True") &&
             condition("Progressing").starts_with("False");
    });
  }
  // A complete round of reconciling everything: all consequences have happened.
  void reconcile_all(Replica& replica) {
    for (int round = 0; round < 2; ++round) {
      const double before = replica.reconciled();
      clock_.advance(settings_.resync);
      ASSERT_TRUE(eventually([&] { return replica.reconciled() > before; }));
    }
  }
  bool exists(const kube::ResourceType& type, const std::string& name) const {
    return !kube_.at(type, {"team", name}).is_null();
  }

  OperatorSettings settings_;
  fakes::ManualClock clock_;
  fakes::FakeKube kube_{clock_};
  http::IoPool io_{"test", 1};
};

TEST_F(OperatorServiceTest, LeadsAndReconciles) {
  Replica a;
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  ASSERT_TRUE(until_ready()) << condition("Ready");
  EXPECT_EQ(holder(), "a");
  EXPECT_TRUE(a.ready());
  EXPECT_TRUE(exists(kube::kDeployments, "p-ingress"));
  EXPECT_TRUE(exists(kube::kStatefulSets, "p-tempo-consumer"));
  const auto status = kube::parse_json(a.service->status_json());
  ASSERT_TRUE(status.ok());
  EXPECT_TRUE(kube::bool_at(*status, "leading"));
  EXPECT_EQ(kube::int_at(*status, "pipelines"), 1);
  EXPECT_TRUE(eventually([this] { return !kube_.all(kube::kEvents).empty(); }));
  // And takes part in its end.
  kube_.erase(kube::kPipelines, kPipeline);
  EXPECT_TRUE(until([&] {
    return a.metrics.value("spanway_operator_pipelines") == 0 &&
           kube_.all(kube::kDeployments).empty();
  }));
  EXPECT_TRUE(a.service->fatal().ok());
}

TEST_F(OperatorServiceTest, WhileIdleNothingIsWrittenHoweverOftenItReconciles) {
  Replica a;
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  ASSERT_TRUE(until_ready());
  // The record of the last good one is the last write.
  ASSERT_TRUE(until([this] { return exists(kube::kConfigMaps, "p-last-good"); }));
  reconcile_all(a);
  const int written = a.writes;
  for (int i = 0; i < 10; ++i) ASSERT_NO_FATAL_FAILURE(reconcile_all(a));
  EXPECT_EQ(a.writes, written) << kube_.writes().back();
}

TEST_F(OperatorServiceTest, AStandbyWatchesAndWritesNothingUntilItLeads) {
  Replica a;
  Replica b;
  start(a, "a");
  ASSERT_TRUE(eventually([this] { return holder() == "a"; }));
  start(b, "b");
  ASSERT_TRUE(eventually([&b] { return b.ready(); })) << "a standby is worth its place";
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  ASSERT_TRUE(until_ready());
  EXPECT_EQ(b.writes, 0);
  EXPECT_EQ(b.reconciled(), 0.0);
  EXPECT_TRUE(b.service->fatal().ok());

  a.service->stop_accepting();
  EXPECT_TRUE(a.service->drain(Deadline::after(clock_, seconds(10))));
  ASSERT_TRUE(eventually([this] { return holder() == "b"; })) << "at once, not after the duration";
  const int written_by_a = a.writes;
  kube_.edit(kube::kPipelines, kPipeline, {{"spec", {{"ingress", {{"replicas", 3}}}}}}, "kubectl");
  EXPECT_TRUE(until([this] {
    return kube::int_at(kube_.at(kube::kDeployments, {"team", "p-ingress"}), "spec/replicas") == 3;
  }));
  EXPECT_EQ(a.writes, written_by_a);
}

TEST_F(OperatorServiceTest, ALostLeaseStopsTheNextWriteOfWhatIsUnderWay) {
  Replica a;
  a.held_write = 3;
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  // In the middle of the installation.
  ASSERT_TRUE(eventually([&a] { return a.is_held.load(); }));
  a.lease_fails = true;
  clock_.advance(std::chrono::hours(1));
  a.let_go = true;
  ASSERT_TRUE(eventually([&a] { return !a.service->fatal().ok(); }));
  EXPECT_THAT(a.service->fatal().error().message, HasSubstr("spanway-operator was lost"));
  EXPECT_EQ(a.writes, 4) << "the one that was under way is the last";
  EXPECT_FALSE(a.ready());
  // Even if the server comes back before the process ends.
  const auto renewed_at = [this] {
    return kube::string_at(kube_.at(kube::kLeases, kLease), "spec/renewTime");
  };
  const std::string before = renewed_at();
  a.lease_fails = false;
  ASSERT_TRUE(eventually([&] { return renewed_at() != before; })) << "it has it again";
  clock_.advance(settings_.resync);
  EXPECT_TRUE(a.service->drain(Deadline::after(clock_, seconds(10))));
  EXPECT_EQ(a.writes, 4);
  EXPECT_FALSE(a.service->fatal().ok());
  EXPECT_EQ(holder(), "") << "what it should not have, it gives back";
}

TEST_F(OperatorServiceTest, AnotherTakesOverFromOneThatIsCutOff) {
  Replica a;
  Replica b;
  start(a, "a");
  ASSERT_TRUE(eventually([this] { return holder() == "a"; }));
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  ASSERT_TRUE(until_ready());
  start(b, "b");
  ASSERT_TRUE(eventually([&b] { return b.ready(); }));
  a.lease_fails = true;
  clock_.advance(std::chrono::hours(1));
  ASSERT_TRUE(eventually([&a] { return !a.service->fatal().ok(); }));
  EXPECT_EQ(b.writes, 0) << "the Lease may still be renewed for all that it knows";
  // In steps: one that takes the Lease while time jumps past its deadline has lost it again.
  ASSERT_TRUE(eventually([this] {
    clock_.advance(std::chrono::minutes(5));
    return holder() == "b";
  }));
  const int written_by_a = a.writes;
  kube_.edit(kube::kPipelines, kPipeline, {{"spec", {{"ingress", {{"replicas", 3}}}}}}, "kubectl");
  EXPECT_TRUE(until([&b] { return b.writes > 0; }));
  EXPECT_EQ(a.writes, written_by_a);
}

TEST_F(OperatorServiceTest, ReportedToStopItFinishesWhatIsUnderWayAndGivesTheLeaseBack) {
  Replica a;
  a.held_write = 3;
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  ASSERT_TRUE(eventually([&a] { return a.is_held.load(); }));
  a.service->stop_accepting();
  EXPECT_THAT(a.service->readiness().reason, HasSubstr("draining"));
  EXPECT_EQ(holder(), "a");
  a.let_go = true;
  EXPECT_TRUE(a.service->drain(Deadline::after(clock_, seconds(30))));
  EXPECT_EQ(holder(), "");
  // The whole reconciliation, not only the request.
  EXPECT_TRUE(exists(kube::kDeployments, "p-ingress"));
  EXPECT_TRUE(exists(kube::kStatefulSets, "p-tempo-consumer"));
  EXPECT_TRUE(a.service->fatal().ok()) << "a Lease that is given back is not lost";
  EXPECT_TRUE(a.service->drain(Deadline::after(clock_, seconds(30)))) << "twice is like once";
}

TEST_F(OperatorServiceTest, DrainingIsBoundedByTheDeadlineAndOneRequest) {
  Replica a;
  a.held_write = 3;  // Never let go: the request runs into its timeout.
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  ASSERT_TRUE(eventually([&a] { return a.is_held.load(); }));
  EXPECT_FALSE(a.service->drain(Deadline::after(clock_, milliseconds(20))));
  EXPECT_EQ(holder(), "");
  EXPECT_EQ(a.writes, 4);
}

TEST_F(OperatorServiceTest, BeforeEverythingIsListedNothingIsTouched) {
  {
    Replica a;
    start(a, "a");
    kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
    ASSERT_TRUE(until([this] { return exists(kube::kConfigMaps, "p-last-good"); }));
    EXPECT_TRUE(a.service->drain(Deadline::after(clock_, seconds(10))));
  }
  kube_.edit(kube::kPipelines, kPipeline, {{"spec", {{"ingress", {{"replicas", 3}}}}}}, "kubectl");
  Replica b;
  b.failing_list = "configmaps";
  start(b, "b");
  ASSERT_TRUE(eventually([&] { return holder() == "b" && b.lists_failed >= 2; }));
  clock_.advance(settings_.resync);
  EXPECT_FALSE(b.ready());
  EXPECT_THAT(b.service->readiness().reason, HasSubstr("first lists"));
  EXPECT_EQ(b.writes, 0);
  EXPECT_TRUE(exists(kube::kConfigMaps, "p-last-good"));
}

TEST_F(OperatorServiceTest, ReconcilesAgainAtEverythingFromTimeToTime) {
  Replica a;
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline("q"));
  ASSERT_TRUE(until([this] {
    return exists(kube::kConfigMaps, "p-last-good") && exists(kube::kConfigMaps, "q-last-good");
  }));
  reconcile_all(a);
  const double before = a.reconciled();
  clock_.advance(settings_.resync);
  EXPECT_TRUE(eventually([&] { return a.reconciled() >= before + 2; }));
}

TEST_F(OperatorServiceTest, ASecretThatChangesIsNoticed) {
  kube_.put(kube::kSecrets, {{"metadata", {{"name", "kafka-user"}, {"namespace", "team"}}},
                             {"data", {{"password", "YQ=="}}}});
  Json object = reconcile::ControllerFixture::pipeline();
  object["spec"]["kafka"]["authentication"] = {
      {"type", "ScramSha512"},
      {"username", "u"},
      {"passwordSecretKeyRef", {{"name", "kafka-user"}, {"key", "password"}}}};
  // The test's clock runs ahead of a busy machine's threads.
  object["spec"]["rollout"]["progressDeadline"] = "24h";
  kube_.put(kube::kPipelines, object);
  Replica a;
  start(a, "a");
  ASSERT_TRUE(until([this] { return exists(kube::kConfigMaps, "p-last-good"); }))
      << condition("ConfigValid");
  const auto revision = [this] {
    return kube::string_at(kube_.at(kube::kDeployments, {"team", "p-bridge"}),
                           "spec/template/metadata/annotations/spanway.dev~1revision");
  };
  const std::string before = revision();
  kube_.edit(kube::kSecrets, {"team", "kafka-user"}, {{"data", {{"password", "Yg=="}}}}, "kubectl");
  EXPECT_TRUE(until([&] { return revision() != before; }));
}

TEST_F(OperatorServiceTest, TheClusterIdIsTheBeginningOfTheUidOfKubeSystem) {
  kube_.put(kube::kNamespaces, {{"metadata", {{"name", "kube-system"}}}});
  const std::string uid =
      kube::string_at(kube_.at(kube::kNamespaces, {"", "kube-system"}), "metadata/uid");
  Replica a;
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  ASSERT_TRUE(until_ready()) << condition("Ready");
  bool is_in_group = false;
  for (const Json& config_map : kube_.all(kube::kConfigMaps))
    is_in_group = is_in_group ||
                  kube::to_text(config_map).find("spanway." + uid.substr(0, 8) + ".team.p.tempo") !=
                      std::string::npos;
  EXPECT_TRUE(is_in_group) << uid;
}

TEST_F(OperatorServiceTest, LogLinesOfOneReconciliationShareItsId) {
  Mutex mutex;
  std::vector<std::string> lines;
  Replica a;
  a.log = telemetry::Logger::create(
      {.level = telemetry::LogLevel::kDebug, .write = [&](std::string_view line) {
         const MutexLock lock(mutex);
         lines.emplace_back(line);
       }});
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  ASSERT_TRUE(until_ready()) << condition("Ready");
  a.service.reset();
  const auto count = [&](const char* message, const char* id) {
    return std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(message) != std::string::npos && line.find(id) != std::string::npos;
    });
  };
  EXPECT_GT(count("Wrote", "reconcile_id=1"), 10) << "the first one creates everything";
  EXPECT_EQ(count("Wrote", "reconcile_id=0"), 0);
  EXPECT_GT(count("Rollout phase changed", "to=Complete"), 0);
  EXPECT_EQ(count("Rollout phase changed", "reconcile_id=0"), 0);
  EXPECT_GT(count("Reconciled", "reconcile_id=2"), 0);
}

TEST_F(OperatorServiceTest, WithoutALeaseItLeadsAtOnce) {
  settings_.lease.enabled = false;
  Replica a;
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  EXPECT_TRUE(until([this] { return exists(kube::kDeployments, "p-ingress"); }));
  EXPECT_TRUE(kube_.all(kube::kLeases).empty());
  EXPECT_TRUE(a.service->drain(Deadline::after(clock_, seconds(10))));
}

TEST_F(OperatorServiceTest, OnlyTheNamespacesItIsGivenAreWatched) {
  settings_.watch_namespaces = {"team"};
  Replica a;
  start(a, "a");
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline("other", "elsewhere"));
  kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline());
  ASSERT_TRUE(until([this] { return exists(kube::kDeployments, "p-ingress"); }));
  reconcile_all(a);
  EXPECT_TRUE(kube_.at(kube::kDeployments, {"elsewhere", "other-ingress"}).is_null());
  EXPECT_FALSE(kube_.at(kube::kPipelines, {"elsewhere", "other"}).contains("status"));
}

}  // namespace
}  // namespace spanway::manager
