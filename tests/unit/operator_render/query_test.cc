// The query service as a component.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/render/component_spec.h"
#include "operator/render/query_store.h"
#include "services/lib/config/load.h"
#include "tests/unit/operator_render/objects.h"

namespace spanway::render {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Query, RunsOnlyWhereItIsDesired) {
  for (const Component& component : rendered(quickstart()).components)
    EXPECT_NE(component.id.role, Role::kQuery);
  const Rendering rendering = rendered(sample("storage"));
  const Component& query = component_of(rendering, Role::kQuery, "");
  EXPECT_EQ(&query, &rendering.components.back()) << "it is rolled out last";
  EXPECT_EQ(query.workload.key().name, "storage-query");
  EXPECT_EQ(at(query.workload.object, "spec/replicas"), 2);
  EXPECT_EQ(container_of(query.workload.object)["command"],
            Json::array({"/usr/bin/spanway-query"}));
}

TEST(Query, ReadsWhatTheExporterWrites) {
  api::Pipeline pipeline = sample("storage");
  const api::ClickHouseStore store = store_of(pipeline);
  EXPECT_EQ(store.endpoint, "https://clickhouse.storage:8443");
  EXPECT_EQ(store.username, "reader") << "its own user";
  EXPECT_EQ(store.tls->ca_secret_name, "clickhouse-ca");
  const std::string file = config_file_of(component_of(rendered(pipeline), Role::kQuery, ""));
  EXPECT_THAT(file, HasSubstr("database: otel"));
  EXPECT_THAT(file, HasSubstr("/clickhouse/reader}"));
  EXPECT_THAT(file, HasSubstr("ca_file: /etc/spanway/tls/destination-ca/ca.crt"));

  pipeline.spec.query->clickhouse.username.clear();
  pipeline.spec.query->clickhouse.password = {};
  EXPECT_EQ(store_of(pipeline).username, "writer$") << "the exporter's";
  EXPECT_EQ(store_of(pipeline).password.key, "writer");
}

TEST(Query, ReadsAnyServerToo) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.query.emplace().clickhouse.endpoint = "http://clickhouse:8123";
  config::Problems problems;
  check_configs(pipeline, sample_facts(), problems);
  EXPECT_EQ(config::format(problems, "p"), "");
  const std::string file = config_file_of(component_of(rendered(pipeline), Role::kQuery, ""));
  EXPECT_THAT(file, HasSubstr("endpoint: \"http://clickhouse:8123\""));
  EXPECT_THAT(file, HasSubstr("database: otel"));
  EXPECT_THAT(file, Not(HasSubstr("username")));
}

TEST(Query, IsServedOnThePortOfItsService) {
  const Rendering rendering = rendered(sample("storage"));
  const Component& query = component_of(rendering, Role::kQuery, "");
  const auto services = of_kind(rendering, kube::kServices);
  EXPECT_EQ(at(services.at("storage-query"), "spec/ports/0/port"), 80);
  EXPECT_EQ(at(services.at("storage-query"), "spec/ports/0/appProtocol"), "https");
  EXPECT_EQ(by_name(container_of(query.workload.object)["ports"]).at("http")["containerPort"],
            kQueryPort);
  EXPECT_EQ(at(services.at("storage-query-admin"), "metadata/labels/spanway.dev~1metrics"), "true")
      << "the ServiceMonitor selects it";
  EXPECT_EQ(at(support_of(query, kube::kPodDisruptionBudgets), "spec/maxUnavailable"), 1);
}

TEST(Query, AcceptsClientsOnItsPortOnly) {
  const auto policies = of_kind(rendered(sample("storage")), kube::kNetworkPolicies);
  const Json& ingress = at(policies.at("storage-query"), "spec/ingress");
  ASSERT_EQ(ingress.size(), 2u);
  EXPECT_EQ(at(ingress[1], "ports/0/port"), kQueryPort);
  EXPECT_EQ(kube::find(ingress[1], "from"), nullptr);
}

TEST(Query, ItsMistakesAreNamedByTheFieldsOfThePipeline) {
  api::Pipeline pipeline = sample("storage");
  pipeline.spec.query->config = {{"limits", {{"running", 0}}}, {"api", {{"port", 1}}}};
  config::Problems problems;
  check_configs(pipeline, sample_facts(), problems);
  const std::string text = config::format(problems, "p");
  EXPECT_THAT(text, HasSubstr("spec.query.config.limits.running"));
  EXPECT_THAT(text, HasSubstr("spec.query.config.api.port"));
}

// A cluster of many tenants: the store is a destination, too.
TEST(Query, MustReadAPublicAddressWhereExportersMust) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.exporters[0].destination.endpoint = "otlp.example.com:4317";
  pipeline.spec.query.emplace().clickhouse.endpoint = "http://10.0.0.1:8123";
  ClusterFacts facts = sample_facts();
  facts.deny_private_endpoints = true;
  config::Problems problems;
  check_configs(pipeline, facts, problems);
  EXPECT_THAT(config::format(problems, "p"), HasSubstr("spec.query.stores.clickhouse.endpoint"));
}

}  // namespace
}  // namespace spanway::render
