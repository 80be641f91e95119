// Each field of a Pipeline arrives in what the services read: rendered files go through the
// services' own loader and checks, with the environment and the files that their pods have.
#include "services/exporter/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/yaml.h"
#include "operator/render/component_spec.h"
#include "operator/render/service_config.h"
#include "services/ingress/config.h"
#include "services/kafka-bridge/config.h"
#include "services/lib/config/load.h"
#include "services/lib/config/substitute.h"
#include "services/lib/runtime/runtime_config.h"
#include "tests/unit/operator_render/pipelines.h"

namespace spanway::render {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr ComponentId kIngressId{Role::kIngress, ""};
constexpr ComponentId kBridgeId{Role::kBridge, ""};
const ComponentId kTempo{Role::kExporter, "tempo"};
const ComponentId kTempoConsumer{Role::kConsumer, "tempo"};

struct Pod {
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> files;
};

template <typename Config>
struct Loaded : Config {
  runtime::RuntimeConfig runtime;
};

template <typename Config>
Loaded<Config> load(const std::string& yaml, const Pod& pod) {
  Loaded<Config> out;
  config::Sources sources;
  sources.environment = pod.environment;
  sources.read_file = [&pod](const std::string& path) -> std::optional<std::string> {
    const auto found = pod.files.find(path);
    return found == pod.files.end() ? std::nullopt : std::optional(found->second);
  };
  const config::LoadReport report = config::load(
      yaml, "config.yaml", sources,
      [&out](config::Binder& b) {
        describe(b, static_cast<Config&>(out));
        describe(b, out.runtime);
      },
      [&out](config::Problems& problems) {
        validate(static_cast<const Config&>(out), problems);
        validate(out.runtime, problems);
      });
  EXPECT_EQ(config::format(report.problems, "config.yaml"), "") << yaml;
  return out;
}

Loaded<ingress::IngressConfig> ingress_of(const api::Pipeline& pipeline) {
  return load<ingress::IngressConfig>(service_config(pipeline, kIngressId), {});
}
Loaded<kafka_bridge::BridgeConfig> bridge_of(const api::Pipeline& pipeline, const Pod& pod = {}) {
  return load<kafka_bridge::BridgeConfig>(service_config(pipeline, kBridgeId), pod);
}
Loaded<kafka_bridge::BridgeConfig> consumer_of(const api::Pipeline& pipeline, const Pod& pod = {},
                                               const ComponentId& id = kTempoConsumer) {
  return load<kafka_bridge::BridgeConfig>(service_config(pipeline, id), pod);
}
Loaded<exporter::ExporterConfig> exporter_of(const api::Pipeline& pipeline, const Pod& pod = {},
                                             const ComponentId& id = kTempo) {
  return load<exporter::ExporterConfig>(service_config(pipeline, id), pod);
}

TEST(IngressFile, ListensInThePodWhereverTheServiceDoes) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.ingress.grpc_port = 443;
  pipeline.spec.ingress.http_enabled = false;
  pipeline.spec.ingress.cors_allowed_origins = {"https://*.example.com", "https://a$b"};
  const auto config = ingress_of(pipeline);
  EXPECT_EQ(config.otlp.host, "0.0.0.0");
  EXPECT_TRUE(config.otlp.grpc.enabled);
  EXPECT_EQ(config.otlp.grpc.port, kIngressGrpcPort);
  EXPECT_FALSE(config.otlp.http.enabled);
  EXPECT_THAT(config.otlp.http.cors.allowed_origins,
              ElementsAre("https://*.example.com", "https://a$b"));
  EXPECT_EQ(config.next.endpoint, "quickstart-bridge.shop.svc:4327");
}

TEST(IngressFile, HasTlsTokensAndTenants) {
  const auto config = ingress_of(sample("secured"));
  EXPECT_EQ(config.otlp.tls.certificate_file, "/etc/spanway/tls/server/tls.crt");
  EXPECT_EQ(config.otlp.tls.key_file, "/etc/spanway/tls/server/tls.key");
  EXPECT_EQ(config.otlp.tls.client_ca_file, "/etc/spanway/tls/client-ca/ca.crt");
  EXPECT_EQ(config.auth.mode, auth::AuthMode::kBearer);
  ASSERT_EQ(config.auth.tokens.size(), 2u);
  EXPECT_EQ(config.auth.tokens[0].token_file, "/etc/spanway/secrets/otlp-tokens/web");
  EXPECT_EQ(config.auth.tokens[0].tenant, "shop");
  EXPECT_EQ(config.auth.tokens[1].tenant, "");
  EXPECT_EQ(config.tenant.from, auth::TenantSource::kToken);
  EXPECT_EQ(config.tenant.default_tenant, "others");
  EXPECT_EQ(config.rate_limit.items_per_second, 10'000);
  EXPECT_EQ(config.rate_limit.bytes_per_second.bytes, 10u << 20);
}

TEST(IngressFile, HasUsersAndTheTenantsHeader) {
  api::Pipeline pipeline = sample("basic");
  pipeline.spec.ingress.tenant.required = true;
  const auto config = ingress_of(pipeline);
  EXPECT_EQ(config.auth.mode, auth::AuthMode::kBasic);
  ASSERT_EQ(config.auth.users.size(), 1u);
  EXPECT_EQ(config.auth.users[0].username, "alice");
  EXPECT_EQ(config.auth.users[0].password_file, "/etc/spanway/secrets/users/alice");
  EXPECT_EQ(config.tenant.from, auth::TenantSource::kHeader);
  EXPECT_EQ(config.tenant.header, "x-tenant");
  EXPECT_TRUE(config.tenant.required);
}

TEST(IngressFile, WithoutSecuritySaysSo) {
  const auto config = ingress_of(quickstart());
  EXPECT_FALSE(config.otlp.tls.enabled());
  EXPECT_EQ(config.auth.mode, auth::AuthMode::kNone);
  EXPECT_EQ(config.tenant.from, auth::TenantSource::kNone);
  EXPECT_EQ(config.tenant.header, "x-scope-orgid");
  EXPECT_EQ(config.rate_limit.items_per_second, 0);
}

TEST(EveryFile, HasAdminPortLogLevelAndADrainThatFitsTheGracePeriod) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.observability.log_level = api::Observability::LogLevel::kWarn;
  pipeline.spec.ingress.pods.termination_grace_period_seconds = 60;
  const auto ingress = ingress_of(pipeline);
  EXPECT_EQ(ingress.runtime.admin.port, kAdminPort);
  EXPECT_EQ(ingress.runtime.admin.host, "0.0.0.0");
  EXPECT_EQ(ingress.runtime.log.level, telemetry::LogLevel::kWarn);
  EXPECT_EQ(ingress.runtime.shutdown_delay, std::chrono::seconds(5));
  EXPECT_EQ(ingress.runtime.drain_timeout, std::chrono::seconds(50));
  const auto consumer = consumer_of(pipeline);
  EXPECT_EQ(consumer.runtime.log.level, telemetry::LogLevel::kWarn);
  EXPECT_EQ(consumer.runtime.shutdown_delay, Duration::zero());
  EXPECT_EQ(consumer.runtime.drain_timeout, std::chrono::seconds(25));
}

TEST(BridgeFile, HasKafkaAndItsRecords) {
  api::Pipeline pipeline = quickstart();
  api::Kafka& kafka = pipeline.spec.kafka;
  kafka.bootstrap_servers = "kafka-0:9092,[::1]:9092";
  kafka.topics.traces = "acme.traces";
  kafka.topics.metrics = "acme.metrics";
  kafka.topics.logs = "acme.logs";
  kafka.topics.dead_letter_suffix = "-dead";
  pipeline.spec.produce.record_key = api::Produce::RecordKey::kNone;
  pipeline.spec.produce.compression = api::Produce::Compression::kLz4;
  const auto config = bridge_of(pipeline);
  EXPECT_EQ(config.mode, kafka_bridge::Mode::kProduce);
  EXPECT_THAT(config.kafka.brokers, ElementsAre("kafka-0:9092", "[::1]:9092"));
  EXPECT_EQ(config.kafka.topics.traces, "acme.traces");
  EXPECT_EQ(config.kafka.topics.metrics, "acme.metrics");
  EXPECT_EQ(config.kafka.topics.logs, "acme.logs");
  EXPECT_EQ(config.kafka.dead_letter_suffix, "-dead");
  EXPECT_EQ(config.producer.record_key, kafka_bridge::ProduceConfig::RecordKey::kNone);
  EXPECT_EQ(config.producer.kafka.compression, kafka::ProducerConfig::Compression::kLz4);
  EXPECT_EQ(config.otlp.grpc.port, kBridgePort);
  EXPECT_EQ(config.kafka.sasl.mechanism, kafka::SaslConfig::Mechanism::kNone);
  EXPECT_FALSE(config.kafka.tls.enabled);
  EXPECT_FALSE(config.create_topics);  // The Job does that.
}

TEST(BridgeFile, HasTlsAndAPasswordFromTheMountedSecret) {
  const api::Pipeline pipeline = sample("secured");
  // The content of a Secret is never scanned for substitutions.
  const std::string password = "p$w${env:HOME}$$ ${file:/etc/passwd}\"'#:";
  const Pod pod{{}, {{"/etc/spanway/secrets/kafka-login/password", password + "\n"}}};
  for (const auto& config : {bridge_of(pipeline, pod), consumer_of(pipeline, pod)}) {
    EXPECT_TRUE(config.kafka.tls.enabled);
    EXPECT_EQ(config.kafka.tls.ca_file, "/etc/spanway/tls/kafka-ca/ca.crt");
    EXPECT_EQ(config.kafka.tls.certificate_file, "/etc/spanway/tls/kafka-client/tls.crt");
    EXPECT_EQ(config.kafka.tls.key_file, "/etc/spanway/tls/kafka-client/tls.key");
    EXPECT_EQ(config.kafka.sasl.mechanism, kafka::SaslConfig::Mechanism::kScramSha512);
    EXPECT_EQ(config.kafka.sasl.username, "spanway$user");
    EXPECT_EQ(config.kafka.sasl.password.reveal(), password);
  }
}

TEST(BridgeFile, TrustsTheTenantHeaderOnlyBehindTheNetworkPolicy) {
  api::Pipeline pipeline = quickstart();
  EXPECT_TRUE(bridge_of(pipeline).otlp.trust_metadata);
  EXPECT_TRUE(exporter_of(pipeline).trust_metadata);
  pipeline.spec.network_policy.extra_ingress =
      Json::array({Json{{"ports", Json::array({Json{{"port", kBridgePort}}})}}});
  EXPECT_FALSE(bridge_of(pipeline).otlp.trust_metadata);
  EXPECT_TRUE(exporter_of(pipeline).trust_metadata);
  pipeline.spec.network_policy = {};
  pipeline.spec.network_policy.enabled = false;
  EXPECT_FALSE(bridge_of(pipeline).otlp.trust_metadata);
  EXPECT_FALSE(exporter_of(pipeline).trust_metadata);
}

TEST(ConsumerFile, HasAGroupOfItsOwn) {
  api::Pipeline pipeline = sample("fan-out");
  const auto config = consumer_of(pipeline, {}, {Role::kConsumer, "loki"});
  EXPECT_EQ(config.mode, kafka_bridge::Mode::kConsume);
  EXPECT_EQ(config.consumer.group(), "spanway.shop.fan-out.loki");
  EXPECT_EQ(config.consumer.destination, "loki");
  EXPECT_THAT(config.consumer.signals, ElementsAre("logs"));
  EXPECT_EQ(config.consumer.kafka.start_from, kafka::ConsumerConfig::StartFrom::kLatest);
  EXPECT_EQ(config.destination.endpoint, "fan-out-loki.shop.svc:4337");
  // The signals of the destination, unless configured.
  EXPECT_THAT(consumer_of(pipeline, {}, {Role::kConsumer, "zipkin"}).consumer.signals,
              ElementsAre("traces"));
  EXPECT_THAT(consumer_of(pipeline, {}, {Role::kConsumer, "jaeger"}).consumer.signals,
              UnorderedElementsAre("traces", "metrics", "logs"));
  EXPECT_EQ(consumer_of(pipeline, {}, {Role::kConsumer, "jaeger"}).consumer.kafka.start_from,
            kafka::ConsumerConfig::StartFrom::kEarliest);
}

TEST(ConsumerFile, IsAStaticMemberWithThePodsNameAndElseADynamicOne) {
  const Pod stable{{{"GROUP_INSTANCE_ID", "quickstart-tempo-consumer-0"}}, {}};
  EXPECT_EQ(consumer_of(quickstart(), stable).consumer.kafka.group_instance_id,
            "quickstart-tempo-consumer-0");
  EXPECT_EQ(consumer_of(quickstart(), Pod()).consumer.kafka.group_instance_id, "");
}

TEST(ConsumerFile, WaitsLongerThanTheExporterForItsDestination) {
  api::Pipeline pipeline = quickstart();
  for (const Duration timeout :
       {Duration(std::chrono::milliseconds(100)), Duration(std::chrono::seconds(10)),
        Duration(std::chrono::seconds(120))}) {
    pipeline.spec.exporters[0].destination.timeout = timeout;
    const auto exporter = exporter_of(pipeline);
    EXPECT_EQ(exporter.destination.otlp_grpc.timeout, timeout);
    EXPECT_GT(exporter.otlp.deadline_max, timeout);
    EXPECT_GE(consumer_of(pipeline).destination.timeout, exporter.otlp.deadline_max);
  }
}

// The prefetch of a consumer with all partitions must fit into its memory; the
// service's own check says so when it does not.
TEST(ConsumerFile, FitsIntoTheContainerWithAnyNumberOfPartitions) {
  for (const std::int64_t partitions : {1, 12, 100, 1000, 10'000}) {
    api::Pipeline pipeline = quickstart();
    pipeline.spec.kafka.topics.partitions = partitions;
    pipeline.spec.exporters[0].consumer.pods.resources = {{"limits", {{"memory", "4Gi"}}}};
    const auto config = consumer_of(pipeline);
    EXPECT_GE(config.consumer.kafka.partitions_max, std::min<std::int64_t>(3 * partitions, 10'000));
    EXPECT_GT(config.memory_limit.bytes, 3ull << 30);
    EXPECT_LE(config.memory_limit.bytes, 4ull << 30);
  }
}

TEST(ExporterFile, HasADestinationOfEachType) {
  using Type = api::Destination::Type;
  api::Pipeline pipeline = sample("secured");
  const Pod pod{{}, {{"/etc/spanway/secrets/tempo-auth/header", "Bearer $x${env:HOME}\n"}}};
  {
    const sinks::OtlpGrpcConfig grpc = exporter_of(pipeline, pod).destination.otlp_grpc;
    EXPECT_EQ(grpc.endpoint, "https://tempo.observability:4317");
    EXPECT_TRUE(grpc.tls.enabled);
    EXPECT_EQ(grpc.tls.ca_file, "/etc/spanway/tls/destination-ca/ca.crt");
    EXPECT_EQ(grpc.tls.certificate_file, "/etc/spanway/tls/destination-client/tls.crt");
    EXPECT_EQ(grpc.tls.key_file, "/etc/spanway/tls/destination-client/tls.key");
    EXPECT_EQ(grpc.tls.server_name, "tempo.example.com");
    EXPECT_EQ(grpc.compression, sinks::OtlpGrpcConfig::Compression::kGzip);
    EXPECT_THAT(grpc.headers,
                UnorderedElementsAre(
                    Pair("authorization", "${file:/etc/spanway/secrets/tempo-auth/header}"),
                    Pair("x-scope-orgid", "a$$b$${c}$$(D)")));
  }
  api::Destination& destination = pipeline.spec.exporters[0].destination;
  destination.type = Type::kOtlpHttp;
  destination.tls.enabled = false;
  destination.endpoint = "https://tempo.example.com/otlp";
  destination.compression = api::Destination::Compression::kZstd;
  {
    const sinks::DestinationConfig config = exporter_of(pipeline, pod).destination;
    EXPECT_EQ(config.type, sinks::DestinationType::kOtlpHttp);
    EXPECT_EQ(config.otlp_http.endpoint, "https://tempo.example.com/otlp");
    EXPECT_EQ(config.otlp_http.http.compression, sinks::HttpConfig::Compression::kZstd);
    EXPECT_EQ(config.otlp_http.http.tls.ca_file, "/etc/spanway/tls/destination-ca/ca.crt");
    EXPECT_EQ(config.otlp_http.http.tls.server_name, "tempo.example.com");
    EXPECT_EQ(config.otlp_http.http.headers.at("authorization"),
              "${file:/etc/spanway/secrets/tempo-auth/header}");
  }
  destination = {};
  destination.type = Type::kZipkin;
  destination.endpoint = "http://zipkin:9411/api/v2/spans";
  destination.timeout = std::chrono::milliseconds(1500);
  {
    const auto config = exporter_of(pipeline);
    EXPECT_EQ(config.destination.type, sinks::DestinationType::kZipkin);
    EXPECT_EQ(config.destination.zipkin.endpoint, "http://zipkin:9411/api/v2/spans");
    EXPECT_EQ(config.destination.zipkin.http.timeout, std::chrono::milliseconds(1500));
    EXPECT_THAT(config.signals, ElementsAre("traces"));
  }
  destination.type = Type::kFile;
  destination.endpoint = "/var/lib/spanway/$a-{signal}.jsonl";
  EXPECT_EQ(exporter_of(pipeline).destination.file.path, "/var/lib/spanway/$a-{signal}.jsonl");
  destination.type = Type::kDebug;
  EXPECT_EQ(exporter_of(pipeline).destination.type, sinks::DestinationType::kDebug);
}

TEST(ExporterFile, HasPrometheusWithEachOfItsFields) {
  using Config = sinks::PrometheusRemoteWriteConfig;
  api::Pipeline pipeline = sample("prometheus");
  const Pod pod{{},
                {{"/etc/spanway/secrets/mimir/password", "p$s:${env:HOME}\n"},
                 {"/etc/spanway/secrets/mimir/team", "blue\n"},
                 {"/etc/spanway/secrets/thanos/token", "t0ken\n"}}};
  const auto exporter = exporter_of(pipeline, pod, {Role::kExporter, "mimir"});
  EXPECT_EQ(exporter.destination.type, sinks::DestinationType::kPrometheusRemoteWrite);
  EXPECT_THAT(exporter.signals, ElementsAre("metrics"));
  const Config& mimir = exporter.destination.prometheus_remote_write;
  EXPECT_EQ(mimir.endpoint, "https://mimir.metrics/api/v1/push");
  EXPECT_EQ(mimir.protocol, Config::Protocol::kV2);
  EXPECT_EQ(mimir.translation, Config::Translation::kNoUtf8EscapingWithSuffixes);
  EXPECT_THAT(mimir.promote, ElementsAre("service.version", "a$b"));
  EXPECT_EQ(mimir.delta, Config::Delta::kAsIs);
  EXPECT_EQ(mimir.histograms, Config::Histograms::kNative);
  EXPECT_EQ(mimir.http.tenant_header, "X-Scope-OrgID");
  EXPECT_EQ(mimir.http.basic_auth.username, "shop$");
  EXPECT_EQ(mimir.http.basic_auth.password.reveal(), "p$s:${env:HOME}");
  EXPECT_THAT(mimir.http.headers,
              UnorderedElementsAre(Pair("x-team", "${file:/etc/spanway/secrets/mimir/team}")));
  EXPECT_EQ(mimir.http.tls.ca_file, "/etc/spanway/tls/destination-ca/ca.crt");
  EXPECT_EQ(mimir.http.tls.key_file, "/etc/spanway/tls/destination-client/tls.key");
  EXPECT_EQ(mimir.http.tls.server_name, "mimir.example.com");

  const auto thanos = exporter_of(pipeline, pod, {Role::kExporter, "thanos"});
  const Config& defaults = thanos.destination.prometheus_remote_write;
  EXPECT_THAT(defaults.http.headers,
              UnorderedElementsAre(
                  Pair("authorization", "Bearer ${file:/etc/spanway/secrets/thanos/token}")));
  EXPECT_EQ(defaults.protocol, Config().protocol);
  EXPECT_EQ(defaults.translation, Config().translation);
  EXPECT_EQ(defaults.delta, Config().delta);
  EXPECT_EQ(defaults.histograms, Config().histograms);
  EXPECT_EQ(
      consumer_of(pipeline, pod, {Role::kConsumer, "thanos"}).consumer.max_in_flight_per_partition,
      1);
}

// The numbers of these enums are those of the service: each word must arrive as itself.
TEST(ExporterFile, HasEachWordOfPrometheus) {
  using Config = sinks::PrometheusRemoteWriteConfig;
  api::Pipeline pipeline = sample("prometheus");
  pipeline.spec.exporters.erase(pipeline.spec.exporters.begin());
  auto& section = pipeline.spec.exporters[0].destination.prometheus_remote_write.emplace();
  const Pod pod{{}, {{"/etc/spanway/secrets/thanos/token", "t\n"}}};
  const auto loaded = [&] {
    return exporter_of(pipeline, pod, {Role::kExporter, "thanos"})
        .destination.prometheus_remote_write;
  };
  for (const int number : {0, 1, 2, 3}) {
    section.protocol = static_cast<Config::Protocol>(number % 3);
    section.translation = static_cast<Config::Translation>(number);
    section.delta = static_cast<Config::Delta>(number % 2);
    section.histograms = static_cast<Config::Histograms>(number / 2);
    const Config config = loaded();
    EXPECT_EQ(config.protocol, section.protocol);
    EXPECT_EQ(config.translation, section.translation);
    EXPECT_EQ(config.delta, section.delta);
    EXPECT_EQ(config.histograms, section.histograms);
  }
}

// The destination's defaults are the service's business.
TEST(ExporterFile, LeavesCompressionToTheService) {
  api::Pipeline pipeline = quickstart();
  EXPECT_EQ(exporter_of(pipeline).destination.otlp_grpc.compression,
            sinks::OtlpGrpcConfig().compression);
  pipeline.spec.exporters[0].destination.type = api::Destination::Type::kOtlpHttp;
  pipeline.spec.exporters[0].destination.endpoint = "http://tempo:4318";
  EXPECT_EQ(exporter_of(pipeline).destination.otlp_http.http.compression,
            sinks::OtlpHttpConfig().http.compression);
}

// A header is what people put anything into.
TEST(ExporterFile, TextsArriveAsTheyAre) {
  for (const char* text : {"$",
                           "$$",
                           "$$$",
                           "a$b",
                           "${env:PATH}",
                           "$${env:PATH}",
                           "${env:PATH:-x}",
                           "${file:/etc/passwd}",
                           "$(POD_NAME)",
                           "${",
                           "}",
                           "{{ .Values }}",
                           "yes",
                           "1e3",
                           "0x1",
                           "null",
                           "~",
                           "- a",
                           "a: b",
                           "# c",
                           "'",
                           "\"",
                           "\\",
                           "\\n",
                           "%",
                           "{a: b}",
                           "[1]",
                           "*a",
                           "&a",
                           "!a",
                           " a",
                           "a "}) {
    api::Pipeline pipeline = quickstart();
    pipeline.spec.exporters[0].destination.headers = {{"x-a", text, std::nullopt}};
    const Pod pod{{{"PATH", "expanded"}, {"POD_NAME", "expanded"}}, {{"/etc/passwd", "expanded"}}};
    EXPECT_EQ(exporter_of(pipeline, pod).destination.otlp_grpc.headers.at("x-a"),
              config::escape_dollars(text));
  }
}

TEST(Overlay, ReachesTheServiceWhereNoFieldDecides) {
  const api::Pipeline pipeline = sample("tuned");
  const auto ingress = ingress_of(pipeline);
  EXPECT_EQ(ingress.limits.body_bytes_max.bytes, 32u << 20);
  EXPECT_EQ(ingress.merge.linger, std::chrono::milliseconds(5));
  const auto bridge = bridge_of(pipeline);
  EXPECT_EQ(bridge.producer.kafka.linger, std::chrono::milliseconds(20));
  EXPECT_EQ(bridge.kafka.librdkafka.at("socket.timeout.ms"), "20000");
  EXPECT_EQ(consumer_of(pipeline).consumer.batch.items_max, 1000);
  const auto exporter = exporter_of(pipeline);
  EXPECT_EQ(exporter.destination.in_flight_max, 64);
  EXPECT_TRUE(exporter.destination.otlp_grpc.send_metadata);
}

TEST(Overlay, ChangesNothingThatAFieldDecides) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.produce.config = {{"otlp", {{"trust_metadata", true}, {"host", "::"}}},
                                  {"kafka", {{"brokers", Json::array({"evil:1"})}}},
                                  {"mode", "both"}};
  pipeline.spec.network_policy.enabled = false;
  const auto bridge = bridge_of(pipeline);
  EXPECT_FALSE(bridge.otlp.trust_metadata);
  EXPECT_EQ(bridge.otlp.host, "0.0.0.0");
  EXPECT_THAT(bridge.kafka.brokers, ElementsAre("kafka:9092"));
  EXPECT_EQ(bridge.mode, kafka_bridge::Mode::kProduce);
}

TEST(Overlay, MayReplaceAValueBySomethingOfAnotherShape) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.ingress.config = {
      {"rate_limit",
       {{"overrides", Json::array({Json{{"tenant", "a"}, {"items_per_second", 5}}})}}}};
  const auto config = ingress_of(pipeline);
  ASSERT_EQ(config.rate_limit.overrides.size(), 1u);
  EXPECT_EQ(config.rate_limit.overrides[0].items_per_second, 5);
}

TEST(TopicsFile, DescribesTheDesiredTopics) {
  api::Pipeline pipeline = sample("verify");
  pipeline.spec.kafka.topics.dead_letter_retention = std::chrono::hours(48);
  const auto config = load<kafka_bridge::BridgeConfig>(api::to_yaml(topics_config(pipeline)), {});
  EXPECT_EQ(config.kafka.topics.traces, "acme.traces");
  EXPECT_EQ(config.topics.partitions, 100);
  EXPECT_EQ(config.topics.replication_factor, 3);
  EXPECT_EQ(config.topics.min_insync_replicas, 2);
  EXPECT_EQ(config.topics.retention, std::chrono::hours(72));
  EXPECT_EQ(config.topics.dead_letter_retention, std::chrono::hours(48));
}

// The largest message that a topic takes follows from what the bridge writes.
TEST(TopicsFile, KnowsTheLargestRecord) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.produce.config = {{"producer", {{"record_bytes_max", "700KiB"}}},
                                  {"limits", {{"item_bytes_max", "600KiB"}}}};
  EXPECT_EQ(load<kafka_bridge::BridgeConfig>(api::to_yaml(topics_config(pipeline)), {})
                .producer.kafka.record_bytes_max.bytes,
            700u << 10);
}

TEST(TopicsFile, ReachesKafkaAsTheBridgeDoes) {
  const auto config =
      load<kafka_bridge::BridgeConfig>(api::to_yaml(topics_config(sample("tuned"))), {});
  EXPECT_EQ(config.kafka.librdkafka.at("socket.timeout.ms"), "20000");
}

TEST(ShutdownTime, IsDelayDrainAndTimeToLeave) {
  EXPECT_EQ(shutdown_time({{"runtime", {{"shutdown_delay", "2s"}, {"drain_timeout", "1m"}}}}),
            std::chrono::seconds(67));
  // The defaults of the service for missing or invalid values.
  EXPECT_EQ(shutdown_time(Json::object()), std::chrono::seconds(35));
  EXPECT_EQ(shutdown_time({{"runtime", {{"drain_timeout", 5}}}}), std::chrono::seconds(35));
}

}  // namespace
}  // namespace spanway::render
