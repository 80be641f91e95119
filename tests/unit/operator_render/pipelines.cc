#include "tests/unit/operator_render/pipelines.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace spanway::render {
namespace {

api::Exporter exporter(const std::string& name, api::Destination::Type type,
                       const std::string& endpoint) {
  api::Exporter out;
  out.name = name;
  out.destination.type = type;
  out.destination.endpoint = endpoint;
  return out;
}

api::Pipeline secured() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "secured";
  api::Ingress& ingress = pipeline.spec.ingress;
  ingress.tls = api::IngressTls{"otlp-tls", "otlp-clients"};
  ingress.auth.mode = api::IngressAuth::Mode::kBearer;
  ingress.auth.tokens = {{"web", {"otlp-tokens", "web"}, "shop"},
                         {"batch", {"otlp-tokens", "batch"}, ""}};
  ingress.tenant.from = api::IngressTenant::From::kToken;
  ingress.tenant.default_tenant = "others";
  ingress.limits.items_per_second = 10'000;
  ingress.limits.bytes_per_second = "10Mi";
  api::Kafka& kafka = pipeline.spec.kafka;
  kafka.bootstrap_servers = "kafka-0.kafka:9093,kafka-1.kafka:9093";
  kafka.tls = {true, "kafka-ca", "ca.crt", "kafka-user"};
  kafka.authentication = {
      api::KafkaAuthentication::Type::kScramSha512, "spanway$user", {"kafka-login", "password"}};
  api::Destination& destination = pipeline.spec.exporters[0].destination;
  destination.endpoint = "https://tempo.observability:4317";
  destination.tls = {true, "tempo-ca", "tempo-client", "tempo.example.com"};
  destination.headers = {{"Authorization", "", api::SecretKey{"tempo-auth", "header"}},
                         {"x-scope-orgid", "a$b${c}$(D)", std::nullopt}};
  destination.compression = api::Destination::Compression::kGzip;
  return pipeline;
}

api::Pipeline basic_auth() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "basic";
  pipeline.spec.ingress.auth.mode = api::IngressAuth::Mode::kBasic;
  pipeline.spec.ingress.auth.users = {{"alice", {"users", "alice"}, ""}};
  pipeline.spec.ingress.tenant.from = api::IngressTenant::From::kHeader;
  pipeline.spec.ingress.tenant.header = "x-tenant";
  pipeline.spec.ingress.cors_allowed_origins = {"https://*.example.com"};
  return pipeline;
}

api::Pipeline fan_out() {
  using Type = api::Destination::Type;
  api::Pipeline pipeline = quickstart();
  pipeline.name = "fan-out";
  pipeline.spec.exporters = {exporter("jaeger", Type::kOtlpGrpc, "jaeger-collector:4317"),
                             exporter("zipkin", Type::kZipkin, "http://zipkin:9411/api/v2/spans"),
                             exporter("loki", Type::kOtlpHttp, "http://loki:3100/otlp")};
  pipeline.spec.exporters[2].signals = {"Logs"};
  pipeline.spec.exporters[2].consumer.start_from = api::Consumer::StartFrom::kLatest;
  return pipeline;
}

api::Pipeline autoscaled() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "autoscaled";
  pipeline.spec.ingress.autoscaling = api::CpuAutoscaling{2, 10, 60, 120};
  pipeline.spec.produce.autoscaling = api::CpuAutoscaling{2, 6, 70, 300};
  pipeline.spec.exporters[0].autoscaling = api::CpuAutoscaling{1, 4, 70, 300};
  pipeline.spec.exporters[0].consumer.autoscaling = api::LagAutoscaling{1, 12, 30, 300};
  return pipeline;
}

api::Pipeline paused_exporter() {
  api::Pipeline pipeline = fan_out();
  pipeline.name = "paused";
  pipeline.spec.exporters[1].paused = true;
  pipeline.spec.exporters[1].consumer.autoscaling = api::LagAutoscaling{1, 12, 30, 300};
  return pipeline;
}

api::Pipeline overridden_pods() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "pods";
  api::PodTemplate& pods = pipeline.spec.ingress.pods;
  pods.labels = {{"team", "platform"}};
  pods.annotations = {{"example.com/note", "hello"}};
  pods.resources = {{"requests", {{"cpu", "250m"}, {"memory", "256Mi"}}},
                    {"limits", {{"cpu", "1"}, {"memory", "256Mi"}}}};
  pods.node_selector = {{"kubernetes.io/arch", "amd64"}};
  pods.tolerations = Json::array({Json{{"key", "telemetry"}, {"operator", "Exists"}}});
  pods.priority_class_name = "high";
  pods.service_account_name = "telemetry";
  pods.env = {{"TZ", "Europe/Berlin"}, {"MIXED", "a$(POD_NAME)$$b$"}};
  pods.termination_grace_period_seconds = 60;
  pipeline.spec.image = {
      "registry.example.com/spanway", "1.2.3", "", api::Image::PullPolicy::kAlways, {"pull"}};
  return pipeline;
}

api::Pipeline tuned() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "tuned";
  pipeline.spec.ingress.config = {{"limits", {{"body_bytes_max", "32MiB"}}},
                                  {"merge", {{"linger", "5ms"}}}};
  pipeline.spec.produce.config = {{"producer", {{"linger", "20ms"}}},
                                  {"kafka", {{"librdkafka", {{"socket.timeout.ms", "20000"}}}}}};
  pipeline.spec.exporters[0].consumer.config = {{"consumer", {{"batch", {{"items_max", 1000}}}}}};
  pipeline.spec.exporters[0].config = {
      {"destination", {{"otlp_grpc", {{"send_metadata", true}}}, {"in_flight_max", 64}}}};
  pipeline.spec.observability.log_level = api::Observability::LogLevel::kDebug;
  return pipeline;
}

api::Pipeline verify_only() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "verify";
  api::Topics& topics = pipeline.spec.kafka.topics;
  topics.management = api::Topics::Management::kVerify;
  topics.traces = "acme.traces";
  topics.partitions = 100;
  topics.replication_factor = 3;
  topics.min_insync_replicas = 2;
  topics.retention = std::chrono::hours(72);
  return pipeline;
}

api::Pipeline bare() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "bare";
  pipeline.spec.kafka.topics.management = api::Topics::Management::kNone;
  pipeline.spec.network_policy.enabled = false;
  pipeline.spec.observability.service_monitor = false;
  pipeline.spec.observability.prometheus_rule = false;
  pipeline.spec.exporters = {exporter("debug", api::Destination::Type::kDebug, "")};
  return pipeline;
}

api::Pipeline load_balancer() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "public";
  api::Ingress& ingress = pipeline.spec.ingress;
  ingress.service.type = api::IngressService::Type::kLoadBalancer;
  ingress.service.annotations = {{"example.com/lb", "internal"}};
  ingress.service.labels = {{"exposed", "yes"}};
  ingress.grpc_port = 14317;
  ingress.http_enabled = false;
  pipeline.spec.kafka.topics.management = api::Topics::Management::kCreateOnly;
  pipeline.spec.network_policy.extra_egress =
      Json::array({Json{{"to", Json::array({Json{{"ipBlock", {{"cidr", "10.0.0.0/8"}}}}})}}});
  return pipeline;
}

api::Pipeline to_file() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "file";
  pipeline.spec.exporters = {
      exporter("archive", api::Destination::Type::kFile, "/var/lib/spanway/otlp-{signal}.jsonl")};
  return pipeline;
}

api::Pipeline storage() {
  using Type = api::Destination::Type;
  api::Pipeline pipeline = quickstart();
  pipeline.name = "storage";
  pipeline.spec.exporters = {
      exporter("clickhouse", Type::kClickHouse, "https://clickhouse.storage:8443"),
      exporter("archive", Type::kS3, "http://minio.storage:9000"),
      exporter("loki", Type::kLoki, "http://loki.storage:3100")};
  api::Destination& clickhouse = pipeline.spec.exporters[0].destination;
  clickhouse.tls.ca_secret_name = "clickhouse-ca";
  clickhouse.timeout = std::chrono::seconds(30);
  clickhouse.clickhouse = api::ClickHouseDestination{"otel",
                                                     "main",
                                                     "writer$",
                                                     {"clickhouse", "writer"},
                                                     {true, "owner", {"clickhouse", "owner"}}};
  api::Destination& archive = pipeline.spec.exporters[1].destination;
  archive.s3 = api::S3Destination{};
  archive.s3->bucket = "telemetry";
  archive.s3->path_style = true;
  archive.s3->credentials = {"minio", "credentials"};
  archive.s3->profile = "spanway";
  archive.s3->compact.schedule = "5 * * * *";
  api::Destination& loki = pipeline.spec.exporters[2].destination;
  loki.loki = api::LokiDestination{
      api::LokiDestination::Protocol::kPush, {"service.name"}, "X-Scope-OrgID"};
  api::Query& query = pipeline.spec.query.emplace();
  query.replicas = 2;
  query.clickhouse.exporter = "clickhouse";
  query.clickhouse.username = "reader";
  query.clickhouse.password = {"clickhouse", "reader"};
  query.port = 80;
  query.tls = api::IngressTls{"query-tls", ""};
  query.auth.mode = api::IngressAuth::Mode::kBearer;
  query.auth.tokens = {{"grafana", {"query-tokens", "grafana"}, ""}};
  return pipeline;
}

api::Pipeline reading() {
  api::Pipeline pipeline = quickstart();
  pipeline.name = "reading";
  api::Query& query = pipeline.spec.query.emplace();
  query.clickhouse.endpoint = "http://clickhouse.storage:8123";
  query.tenant.from = api::IngressTenant::From::kHeader;
  query.autoscaling = api::CpuAutoscaling{2, 8, 60, 120};
  query.ingress = api::QueryIngress{
      "nginx", "telemetry.example.com", "/", "telemetry-tls", {{"example.com/timeout", "60s"}}};
  query.http_route = api::QueryHttpRoute{{{"public", "infra", "https"}, {"inner", "", ""}},
                                         {"*.example.com", "telemetry.example.org"},
                                         "/loki",
                                         {}};
  query.allowed_from = Json::array(
      {{{"namespaceSelector", {{"matchLabels", {{"kubernetes.io/metadata.name", "grafana"}}}}}}});
  return pipeline;
}

api::Pipeline prometheus() {
  using Type = api::Destination::Type;
  using Config = sinks::PrometheusRemoteWriteConfig;
  api::Pipeline pipeline = quickstart();
  pipeline.name = "prometheus";
  pipeline.spec.exporters = {
      exporter("mimir", Type::kPrometheusRemoteWrite, "https://mimir.metrics/api/v1/push"),
      exporter("thanos", Type::kPrometheusRemoteWrite,
               "http://thanos.metrics:19291/api/v1/receive")};
  api::Destination& mimir = pipeline.spec.exporters[0].destination;
  mimir.tls = {false, "mimir-ca", "mimir-client", "mimir.example.com"};
  mimir.basic_auth = api::Destination::BasicAuth{"shop$", {"mimir", "password"}};
  mimir.headers = {{"X-Team", "", api::SecretKey{"mimir", "team"}}};
  mimir.prometheus_remote_write = api::PrometheusRemoteWriteDestination{
      Config::Protocol::kV2,       Config::Translation::kNoUtf8EscapingWithSuffixes,
      {"service.version", "a$b"},  Config::Delta::kAsIs,
      Config::Histograms::kNative, "X-Scope-OrgID"};
  pipeline.spec.exporters[1].destination.bearer_token = {"thanos", "token"};
  return pipeline;
}

}  // namespace

api::Pipeline quickstart() {
  api::Pipeline pipeline;
  pipeline.name_space = "shop";
  pipeline.name = "quickstart";
  pipeline.uid = "0e0c1c1e-0000-4000-8000-000000000001";
  pipeline.generation = 1;
  pipeline.spec.kafka.bootstrap_servers = "kafka:9092";
  pipeline.spec.exporters = {
      exporter("tempo", api::Destination::Type::kOtlpGrpc, "tempo.observability:4317")};
  return pipeline;
}

std::vector<NamedPipeline> sample_pipelines() {
  return {{"quickstart", quickstart()}, {"secured", secured()},
          {"basic", basic_auth()},      {"fan-out", fan_out()},
          {"autoscaled", autoscaled()}, {"paused", paused_exporter()},
          {"pods", overridden_pods()},  {"tuned", tuned()},
          {"verify", verify_only()},    {"bare", bare()},
          {"public", load_balancer()},  {"file", to_file()},
          {"storage", storage()},       {"prometheus", prometheus()},
          {"reading", reading()}};
}

api::Pipeline sample(const std::string& name) {
  for (const NamedPipeline& each : sample_pipelines()) {
    if (each.name == name) return each.pipeline;
  }
  ADD_FAILURE() << "no sample " << name;
  return {};
}

ClusterFacts sample_facts() {
  ClusterFacts facts;
  facts.version = "0.1.0";
  facts.serves.service_monitors = true;
  facts.serves.prometheus_rules = true;
  facts.serves.http_routes = true;
  for (const NamedPipeline& sample : sample_pipelines()) {
    for (const std::string& name : referenced_secrets(sample.pipeline))
      facts.secret_identities[name] = "uid-of-" + name + "/1";
  }
  return facts;
}

std::vector<Manifest> all_manifests(const Rendering& rendering) {
  std::vector<Manifest> out = rendering.shared;
  if (rendering.topics_job) out.push_back(*rendering.topics_job);
  for (const MigrateJob& migrate : rendering.migrate_jobs) out.push_back(migrate.job);
  for (const Component& component : rendering.components) {
    out.insert(out.end(), component.support.begin(), component.support.end());
    out.push_back(component.workload);
    out.push_back(component.canary);
  }
  return out;
}

const Component& component_of(const Rendering& rendering, Role role, const std::string& exporter) {
  const auto found = std::find_if(rendering.components.begin(), rendering.components.end(),
                                  [&](const Component& component) {
                                    return component.id == ComponentId{role, exporter};
                                  });
  EXPECT_NE(found, rendering.components.end()) << to_string(role) << " " << exporter;
  return *found;
}

const Json& support_of(const Component& component, const kube::ResourceType& type) {
  static const Json kNothing;
  const auto found =
      std::find_if(component.support.begin(), component.support.end(),
                   [&type](const Manifest& manifest) { return manifest.type == type; });
  EXPECT_NE(found, component.support.end()) << type.kind;
  return found == component.support.end() ? kNothing : found->object;
}

std::string config_file_of(const Component& component) {
  return kube::string_at(support_of(component, kube::kConfigMaps), "data/config.yaml");
}

const Json* pod_template_of(const Json& object) {
  const std::string kind = kube::string_at(object, "kind");
  if (kind == "CronJob") return kube::find(object, "spec/jobTemplate/spec/template");
  if (kind != "Deployment" && kind != "StatefulSet" && kind != "Job") return nullptr;
  return kube::find(object, "spec/template");
}

}  // namespace spanway::render
