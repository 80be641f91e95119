// Exporters that store: migrate Jobs, compact CronJobs, and the query service.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/operator_reconcile/controller_test_base.h"

namespace spanway::reconcile {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using Fate = fakes::FakeKube::PodFate;

class StorageTest : public ControllerTest {
 protected:
  static Json clickhouse() {
    Json object = ControllerFixture::pipeline();
    object["spec"]["exporters"][0] = {
        {"name", "ch"},
        {"destination", {{"type", "ClickHouse"}, {"endpoint", "http://clickhouse:8123"}}}};
    return object;
  }
  static bool is_migration(const Json& pod) {
    return kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "migrate";
  }
  void migrations_end(Fate fate) {
    fixture_.kube.fate = [fate](const Json& pod) { return is_migration(pod) ? fate : Fate{}; };
  }
  std::string migrate_job() const {
    for (const std::string& name : fixture_.kube.names(kube::kJobs))
      if (name.find("migrate") != std::string::npos) return name;
    return "";
  }
  bool has(const char* name) const { return !deployment(name).is_null(); }
};

TEST_F(StorageTest, AnExporterIsNotCreatedBeforeItsTables) {
  migrations_end({.kind = Fate::Kind::kNotReady, .message = {}});
  fixture_.install(clickhouse());
  EXPECT_NE(migrate_job(), "");
  EXPECT_FALSE(has("p-ch"));
  EXPECT_TRUE(has("p-ingress")) << "what needs no tables does not wait";
  EXPECT_EQ(fixture_.condition("SchemaReady"), "Unknown: MigratePending");
  EXPECT_EQ(fixture_.condition("Ready"), "False: MigratePending");
  EXPECT_EQ(kube::string_at(fixture_.status(), "storage/0/schema"), "Pending");

  migrations_end({});
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_TRUE(has("p-ch"));
  EXPECT_EQ(fixture_.condition("SchemaReady"), "True: Migrated");
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_EQ(kube::string_at(fixture_.status(), "storage/0/schema"), "Ready");
  EXPECT_THAT(fixture_.errors, IsEmpty());

  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::seconds(300), std::chrono::seconds(30));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty()) << "idle";
}

TEST_F(StorageTest, AFailedMigrationIsReportedAndTriedAgain) {
  migrations_end(
      {.kind = Fate::Kind::kCrashes, .exit_code = 3, .message = "user writer may not CREATE"});
  fixture_.install(clickhouse());
  EXPECT_EQ(fixture_.condition("SchemaReady"), "False: MigrateFailed");
  EXPECT_THAT(fixture_.message("SchemaReady"),
              HasSubstr("exporter ch: user writer may not CREATE"));
  EXPECT_EQ(fixture_.condition("Ready"), "False: MigrateFailed");
  EXPECT_EQ(fixture_.condition("Degraded"), "True: MigrateFailed");
  EXPECT_FALSE(has("p-ch"));
  const auto jobs_made = [this] {
    const auto writes = fixture_.kube.writes();
    return std::count_if(writes.begin(), writes.end(), [](const std::string& write) {
      return write.find("apply jobs") == 0 && write.find("migrate") != std::string::npos;
    });
  };
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::seconds(3600), std::chrono::seconds(20));
  EXPECT_GE(jobs_made(), 4);
  EXPECT_LE(jobs_made(), 12) << "backed off";
  EXPECT_TRUE(fixture_.has_event("MigrateFailed"));
  EXPECT_EQ(fixture_.condition("Stalled"), "True: MigrateFailed");

  migrations_end({});
  fixture_.pass(std::chrono::seconds(900), std::chrono::seconds(20));
  EXPECT_TRUE(has("p-ch"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_EQ(fixture_.condition("Stalled"), "False: NotStalled");
}

TEST_F(StorageTest, ANewSchemaIsMigratedBeforeItsExporterIsRolledOut) {
  fixture_.install(clickhouse());
  const std::string old = fixture_.revision_of(kube::kDeployments, "p-ch");
  const std::string first = migrate_job();
  ASSERT_NE(old, "");
  migrations_end({.kind = Fate::Kind::kCrashes, .message = "the server does not answer"});
  fixture_.change({{"image", {{"tag", "2.0.0"}}}});
  fixture_.pass(std::chrono::seconds(300), std::chrono::seconds(5));
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-ch"), old) << "it runs on the old tables";
  EXPECT_NE(migrate_job(), first);
  EXPECT_EQ(fixture_.condition("Degraded"), "True: MigrateFailed");
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True")) << "what runs delivers";

  migrations_end({});
  fixture_.pass(std::chrono::seconds(900), std::chrono::seconds(10));
  EXPECT_NE(fixture_.revision_of(kube::kDeployments, "p-ch"), old);
  EXPECT_EQ(fixture_.condition("SchemaReady"), "True: Migrated");
  EXPECT_EQ(fixture_.condition("Degraded"), "False: AsExpected");
}

TEST_F(StorageTest, ADeletedMigrateJobRunsAgainAndStopsNothing) {
  fixture_.install(clickhouse());
  fixture_.kube.erase(kube::kJobs, {"team", migrate_job()});
  migrations_end({.kind = Fate::Kind::kNotReady, .message = {}});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_NE(migrate_job(), "");
  EXPECT_TRUE(has("p-ch"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
}

TEST_F(StorageTest, AnExporterWhoseTablesAreManagedElsewhereWaitsForNothing) {
  Json object = clickhouse();
  object["spec"]["exporters"][0]["destination"]["clickhouse"]["migrate"]["enabled"] = false;
  fixture_.install(object);
  EXPECT_EQ(migrate_job(), "");
  EXPECT_TRUE(has("p-ch"));
  EXPECT_EQ(fixture_.condition("SchemaReady"), "");
}

TEST_F(StorageTest, WhatIsNoLongerDesiredIsDeleted) {
  Json object = clickhouse();
  object["spec"]["exporters"].push_back(
      {{"name", "s3"}, {"destination", {{"type", "S3"}, {"s3", {{"bucket", "traces"}}}}}});
  object["spec"]["query"] = {{"stores", {{"clickhouse", {{"exporter", "ch"}}}}}};
  fixture_.install(object);
  ASSERT_TRUE(has("p-query"));
  ASSERT_THAT(fixture_.kube.names(kube::kCronJobs), Contains("p-s3-compact"));
  fixture_.kube.edit(
      kube::kPipelines, {"team", "p"},
      {{"spec",
        {{"query", nullptr}, {"exporters", Json::array({ControllerFixture::exporter("tempo")})}}}},
      "kubectl-edit");
  fixture_.pass(std::chrono::seconds(300), std::chrono::seconds(10));
  EXPECT_FALSE(has("p-query"));
  EXPECT_FALSE(has("p-ch"));
  EXPECT_THAT(fixture_.kube.names(kube::kCronJobs), IsEmpty());
  EXPECT_EQ(migrate_job(), "");
  EXPECT_EQ(fixture_.condition("SchemaReady"), "");
  EXPECT_EQ(kube::find(fixture_.status(), "storage"), nullptr);
}

TEST_F(StorageTest, ACronJobIsRepairedAndItsFailureReported) {
  Json object = ControllerFixture::pipeline();
  object["spec"]["exporters"][0] = {
      {"name", "s3"}, {"destination", {{"type", "S3"}, {"s3", {{"bucket", "traces"}}}}}};
  fixture_.install(object);
  const kube::ObjectKey key{"team", "p-s3-compact"};
  ASSERT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_EQ(kube::string_at(fixture_.status(), "storage/0/compaction"), "Waiting");

  fixture_.kube.edit(kube::kCronJobs, key,
                     {{"spec", {{"suspend", true}, {"schedule", "0 0 1 1 *"}}}}, "kubectl-edit");
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(kube::string_at(fixture_.kube.at(kube::kCronJobs, key), "spec/schedule"), "17 * * * *");
  EXPECT_EQ(kube::find(fixture_.kube.at(kube::kCronJobs, key), "spec/suspend"), nullptr);
  EXPECT_TRUE(fixture_.has_event("DriftReverted"));

  const auto set_status = [&](const Json& status) {
    ASSERT_TRUE(
        fixture_.kube.merge_patch(kube::kCronJobs, key, {{"status", status}}, "status").ok());
    fixture_.pass(std::chrono::seconds(10));
  };
  set_status({{"lastScheduleTime", "2026-01-01T01:17:00Z"}});
  EXPECT_EQ(kube::string_at(fixture_.status(), "storage/0/compaction"), "Failed");
  EXPECT_EQ(fixture_.condition("Degraded"), "True: CompactionFailed");
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True")) << "nothing is lost by it";
  set_status({{"lastSuccessfulTime", "2026-01-01T02:18:00Z"}});
  EXPECT_EQ(fixture_.condition("Degraded"), "False: AsExpected");
}

TEST_F(StorageTest, QueryIsAComponentAsTheOthersAre) {
  Json object = clickhouse();
  object["spec"]["query"] = {{"replicas", 2}, {"stores", {{"clickhouse", {{"exporter", "ch"}}}}}};
  fixture_.install(object);
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_EQ(kube::int_at(deployment("p-query"), "spec/replicas"), 2);
  EXPECT_THAT(fixture_.kube.names(kube::kServices), Contains("p-query"));
  EXPECT_THAT(fixture_.kube.names(kube::kPodDisruptionBudgets), Contains("p-query"));
  EXPECT_THAT(fixture_.kube.names(kube::kNetworkPolicies), Contains("p-query"));
  fixture_.kube.erase(kube::kDeployments, {"team", "p-query"});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_TRUE(has("p-query"));
  // A revision of it that does not come up is taken back.
  const std::string old = fixture_.revision_of(kube::kDeployments, "p-query");
  fixture_.kube.fate = [old](const Json& pod) {
    Fate fate;
    if (kube::string_at(pod, "metadata/labels/spanway.dev~1component") == "query" &&
        kube::string_at(pod, "metadata/annotations/spanway.dev~1revision") != old)
      fate.kind = Fate::Kind::kCrashes;
    return fate;
  };
  fixture_.change({{"query", {{"config", {{"limits", {{"running", 2}}}}}}}});
  fixture_.pass(std::chrono::seconds(600), std::chrono::seconds(10));
  EXPECT_THAT(fixture_.condition("RolledBack"), StartsWith("True"));
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-query"), old);
}

Json query_with(const char* field, Json value) {
  return {{"query",
           {{"stores", {{"clickhouse", {{"endpoint", "http://clickhouse:8123"}}}}},
            {field, std::move(value)}}}};
}

TEST_F(StorageTest, AnIngressOfQueryComesAndGoesWithItsField) {
  fixture_.install();
  fixture_.change(query_with("ingress", {{"host", "telemetry.example.com"}}));
  fixture_.pass(std::chrono::seconds(180));
  const auto ingress = [this] { return fixture_.kube.at(kube::kIngresses, {"team", "p-query"}); };
  EXPECT_EQ(kube::string_at(ingress(), "spec/rules/0/host"), "telemetry.example.com");
  const std::string pods = fixture_.revision_of(kube::kDeployments, "p-query");
  // Its controller writes where it is served.
  fixture_.kube.edit(kube::kIngresses, {"team", "p-query"},
                     {{"metadata", {{"annotations", {{"controller.example.com/id", "7"}}}}}},
                     "ingress-controller");
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(writes_without_status(), IsEmpty());
  fixture_.kube.edit(kube::kIngresses, {"team", "p-query"},
                     {{"spec", {{"ingressClassName", "other"}, {"rules", Json::array()}}}}, "user");
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_EQ(kube::string_at(ingress(), "spec/rules/0/host"), "telemetry.example.com")
      << "drift is reverted";
  fixture_.change(query_with("ingress", nullptr));
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_TRUE(ingress().is_null());
  EXPECT_EQ(fixture_.revision_of(kube::kDeployments, "p-query"), pods) << "no pod restarts";
}

TEST_F(StorageTest, ARouteWithoutItsApiIsRefusedAndChangesNothing) {
  fixture_.install();
  const Json route = {{"parentRefs", Json::array({{{"name", "public"}}})}};
  fixture_.kube.forget_writes();
  fixture_.change(query_with("httpRoute", route));
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_EQ(fixture_.condition("ConfigValid"), "False: ConfigInvalid");
  EXPECT_THAT(fixture_.message("ConfigValid"),
              AllOf(HasSubstr("spec.query.httpRoute"), HasSubstr("install the Gateway API")));
  EXPECT_THAT(writes_without_status(), IsEmpty());
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True")) << "what ran runs on";

  // The operator starts again once the API is there.
  fixture_.serves.http_routes = true;
  fixture_.kube.set_serves(kube::kHttpRoutes, true);
  fixture_.restart();
  fixture_.pass(std::chrono::seconds(60));
  EXPECT_THAT(fixture_.condition("ConfigValid"), StartsWith("True"));
  EXPECT_EQ(kube::string_at(fixture_.kube.at(kube::kHttpRoutes, {"team", "p-query"}),
                            "spec/parentRefs/0/name"),
            "public");
}

TEST_F(StorageTest, AStoreThatGoesAwayAndComesBackIsAnEventEach) {
  fixture_.install();
  bool is_away = false;
  fixture_.statusz.answer = [&is_away](const std::string& pod) {
    decide::StatuszReport report = FakeStatusz().answer(pod);
    if (pod.find("query") != std::string::npos)
      report.store = decide::ActivityReport{.ok = !is_away, .error = is_away ? "refused" : ""};
    return report;
  };
  fixture_.change(query_with("replicas", 1));
  fixture_.pass(std::chrono::seconds(180));
  EXPECT_EQ(kube::string_at(fixture_.status(), "query/store"), "Reachable");
  EXPECT_FALSE(fixture_.has_event("StoreUnreachable"));
  is_away = true;
  fixture_.pass(std::chrono::seconds(90));
  EXPECT_EQ(fixture_.condition("Degraded"), "True: StoreUnreachable");
  EXPECT_THAT(fixture_.event("StoreUnreachable"),
              HasSubstr("1 of 1 pods do not reach it: refused"));
  EXPECT_THAT(fixture_.condition("Ready"), StartsWith("True"));
  EXPECT_FALSE(fixture_.has_event("StoreRecovered"));
  is_away = false;
  fixture_.pass(std::chrono::seconds(90));
  EXPECT_TRUE(fixture_.has_event("StoreRecovered"));
  EXPECT_THAT(fixture_.condition("Degraded"), StartsWith("False"));
}

}  // namespace
}  // namespace spanway::reconcile
