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
  EXPECT_EQ(at(services.at("storage-query"), "spec/ports/1/port"), kQueryGrpcPort);
  EXPECT_EQ(at(services.at("storage-query"), "spec/ports/1/appProtocol"), "https");
  EXPECT_EQ(
      by_name(container_of(query.workload.object)["ports"]).at("jaeger-grpc")["containerPort"],
      kQueryGrpcPort);
  EXPECT_EQ(at(services.at("storage-query-admin"), "metadata/labels/spanway.dev~1metrics"), "true")
      << "the ServiceMonitor selects it";
  EXPECT_EQ(at(support_of(query, kube::kPodDisruptionBudgets), "spec/maxUnavailable"), 1);
}

TEST(Query, AcceptsClientsOnItsPortsOnly) {
  const auto policies = of_kind(rendered(sample("storage")), kube::kNetworkPolicies);
  const Json& ingress = at(policies.at("storage-query"), "spec/ingress");
  ASSERT_EQ(ingress.size(), 2u);
  EXPECT_EQ(ingress[1]["ports"].size(), 2u);
  EXPECT_EQ(at(ingress[1], "ports/0/port"), kQueryPort);
  EXPECT_EQ(at(ingress[1], "ports/1/port"), kQueryGrpcPort);
  EXPECT_EQ(kube::find(ingress[1], "from"), nullptr);
}

TEST(Query, AcceptsItsAllowedPeersOnly) {
  const auto policies = of_kind(rendered(sample("reading")), kube::kNetworkPolicies);
  const Json& rule = at(policies.at("reading-query"), "spec/ingress/1");
  EXPECT_EQ(at(rule, "ports/0/port"), kQueryPort);
  EXPECT_EQ(at(rule, "from"), sample("reading").spec.query->allowed_from);
  EXPECT_EQ(kube::find(at(policies.at("reading-ingress"), "spec/ingress/1"), "from"), nullptr);
}

TEST(Query, ScalesByCpuAsTheIngressDoes) {
  const Rendering rendering = rendered(sample("reading"));
  const Component& query = component_of(rendering, Role::kQuery, "");
  const Json& scaler = support_of(query, kube::kHorizontalPodAutoscalers);
  EXPECT_EQ(at(scaler, "spec/scaleTargetRef/name"), "reading-query");
  EXPECT_EQ(at(scaler, "spec/maxReplicas"), 8);
  EXPECT_EQ(kube::find(query.workload.object, "spec/replicas"), nullptr) << "it owns them alone";
  EXPECT_TRUE(query.replicas_elsewhere);
}

TEST(Query, AnIngressLeadsToTheServiceByItsHost) {
  const Rendering rendering = rendered(sample("reading"));
  const Json ingress = of_kind(rendering, kube::kIngresses).at("reading-query");
  EXPECT_EQ(at(ingress, "spec/ingressClassName"), "nginx");
  EXPECT_EQ(at(ingress, "spec/rules/0/host"), "telemetry.example.com");
  const Json& path = at(ingress, "spec/rules/0/http/paths/0");
  EXPECT_EQ(at(path, "pathType"), "Prefix");
  const Json service =
      of_kind(rendering, kube::kServices).at(at(path, "backend/service/name").get<std::string>());
  EXPECT_EQ(at(path, "backend/service/port/number"), at(service, "spec/ports/0/port"));
  EXPECT_EQ(at(ingress, "spec/tls/0"),
            (Json{{"secretName", "telemetry-tls"}, {"hosts", {"telemetry.example.com"}}}));
  EXPECT_EQ(at(ingress, "metadata/annotations/example.com~1timeout"), "60s");
  // The controller of Ingresses reads the certificate, not the operator.
  EXPECT_THAT(referenced_secrets(sample("reading")), Not(testing::Contains("telemetry-tls")));
}

TEST(Query, AnIngressWithoutSettingsIsForEveryHost) {
  api::Pipeline pipeline = sample("reading");
  pipeline.spec.query->ingress = api::QueryIngress{};
  const Json ingress = of_kind(rendered(pipeline), kube::kIngresses).at("reading-query");
  EXPECT_EQ(kube::find(ingress, "spec/rules/0/host"), nullptr);
  EXPECT_EQ(kube::find(ingress, "spec/tls"), nullptr);
  EXPECT_EQ(kube::find(ingress, "spec/ingressClassName"), nullptr);
  EXPECT_EQ(at(ingress, "spec/rules/0/http/paths/0/path"), "/");
  pipeline.spec.query->ingress.reset();
  pipeline.spec.query->http_route.reset();
  EXPECT_TRUE(of_kind(rendered(pipeline), kube::kIngresses).empty());
  EXPECT_TRUE(of_kind(rendered(pipeline), kube::kHttpRoutes).empty());
}

TEST(Query, ARouteHangsOnItsGateways) {
  const Json route = of_kind(rendered(sample("reading")), kube::kHttpRoutes).at("reading-query");
  EXPECT_EQ(at(route, "apiVersion"), "gateway.networking.k8s.io/v1");
  EXPECT_EQ(
      at(route, "spec/parentRefs"),
      Json::array(
          {{{"group", "gateway.networking.k8s.io"},
            {"kind", "Gateway"},
            {"name", "public"},
            {"namespace", "infra"},
            {"sectionName", "https"}},
           {{"group", "gateway.networking.k8s.io"}, {"kind", "Gateway"}, {"name", "inner"}}}));
  EXPECT_EQ(at(route, "spec/hostnames"), Json({"*.example.com", "telemetry.example.org"}));
  EXPECT_EQ(at(route, "spec/rules/0/matches/0/path/value"), "/loki");
  EXPECT_EQ(at(route, "spec/rules/0/backendRefs/0/name"), "reading-query");
  EXPECT_EQ(at(route, "spec/rules/0/backendRefs/0/port"), 8081);
}

TEST(Query, ARouteIsRefusedWhereTheClusterHasNone) {
  ClusterFacts facts = sample_facts();
  facts.serves.http_routes = false;
  config::Problems problems;
  check_configs(sample("reading"), facts, problems);
  EXPECT_THAT(config::format(problems, "p"),
              HasSubstr("spec.query.httpRoute: the API server has no HTTPRoutes "
                        "(gateway.networking.k8s.io/v1): install the Gateway API"));
  EXPECT_TRUE(of_kind(render(sample("reading"), facts), kube::kHttpRoutes).empty());
  config::Problems none;
  check_configs(sample("storage"), facts, none);
  EXPECT_EQ(config::format(none, "p"), "");
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
