#include "operator/render/service_config.h"

#include <algorithm>

#include "operator/api/destination_fields.h"
#include "operator/api/yaml.h"
#include "operator/render/config_overlay.h"
#include "operator/render/memory_shares.h"
#include "operator/render/network_policies.h"
#include "operator/render/query_store.h"
#include "operator/render/secret_mounts.h"
#include "services/lib/base/ascii.h"
#include "services/lib/config/scalar.h"
#include "services/lib/config/substitute.h"
#include "services/lib/kafka/consumer_config.h"
#include "services/lib/sinks/destination.h"

namespace spanway::render {
namespace {

constexpr char kAnyAddress[] = "0.0.0.0";
constexpr Duration kShutdownDelay = std::chrono::seconds(5);
constexpr Duration kDrainTimeout = std::chrono::seconds(25);
constexpr Duration kDrainTimeoutMin = std::chrono::seconds(1);
constexpr Duration kShutdownMargin = std::chrono::seconds(5);
// Bounds of the services.
constexpr Duration kExporterDeadline = std::chrono::seconds(30);
constexpr Duration kExporterDeadlineMax = std::chrono::seconds(300);
constexpr Duration kDeadlineMargin = std::chrono::seconds(5);
constexpr std::int64_t kPartitionsMin = 32;
constexpr std::int64_t kPartitionsMax = 10'000;

std::string file_in(const char* folder, const std::string& key) {
  return std::string(folder) + "/" + key;
}

const char* level_text(api::Observability::LogLevel level) {
  constexpr std::array kNames = {"debug", "info", "warn", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

// Admin port, log, shutdown: the same in every file.
void add_runtime(const api::Pipeline& pipeline, const ComponentSpec& spec, Json& config) {
  config["admin"] = {{"host", kAnyAddress}, {"port", kAdminPort}};
  config["log"]["level"] = level_text(pipeline.spec.observability.log_level);
  // A consumer has no clients that must switch to other pods first.
  const Duration delay = spec.id.role == Role::kConsumer ? Duration::zero() : kShutdownDelay;
  Duration drain = kDrainTimeout;
  if (spec.pods->termination_grace_period_seconds > 0) {
    const Duration grace = std::chrono::seconds(spec.pods->termination_grace_period_seconds);
    drain = std::max(kDrainTimeoutMin, grace - delay - kShutdownMargin);
  }
  config["runtime"] = {{"shutdown_delay", config::format_duration(delay)},
                       {"drain_timeout", config::format_duration(drain)}};
}

Json ingress_auth(const api::IngressAuth& auth) {
  constexpr std::array kModes = {"none", "bearer", "basic"};
  Json out = {{"mode", kModes[static_cast<std::size_t>(auth.mode)]}};
  for (const api::IngressToken& token : auth.tokens) {
    Json item = {{"token_file", secret_file(token.secret)}};
    if (!token.tenant.empty()) item["tenant"] = literal(token.tenant);
    out["tokens"].push_back(std::move(item));
  }
  for (const api::IngressUser& user : auth.users) {
    Json item = {{"username", literal(user.name)}, {"password_file", secret_file(user.password)}};
    if (!user.tenant.empty()) item["tenant"] = literal(user.tenant);
    out["users"].push_back(std::move(item));
  }
  return out;
}

Json ingress_tenant(const api::IngressTenant& tenant) {
  constexpr std::array kSources = {"none", "header", "token", "certificate"};
  Json out = {{"from", kSources[static_cast<std::size_t>(tenant.from)]},
              {"required", tenant.required}};
  if (!tenant.header.empty()) out["header"] = literal(to_lower(tenant.header));
  if (!tenant.default_tenant.empty()) out["default"] = literal(tenant.default_tenant);
  return out;
}

Json server_tls(const api::IngressTls& tls) {
  Json section = {{"certificate_file", file_in(kServerTlsFolder, "tls.crt")},
                  {"key_file", file_in(kServerTlsFolder, "tls.key")}};
  if (!tls.client_ca_secret_name.empty())
    section["client_ca_file"] = file_in(kClientCaFolder, "ca.crt");
  return section;
}

Json ingress_config(const api::Pipeline& pipeline) {
  const api::Ingress& ingress = pipeline.spec.ingress;
  Json config;
  config["otlp"] = {{"host", kAnyAddress},
                    {"grpc", {{"enabled", ingress.grpc_enabled}, {"port", kIngressGrpcPort}}},
                    {"http", {{"enabled", ingress.http_enabled}, {"port", kIngressHttpPort}}}};
  for (const std::string& origin : ingress.cors_allowed_origins)
    config["otlp"]["http"]["cors"]["allowed_origins"].push_back(literal(origin));
  if (ingress.tls) config["otlp"]["tls"] = server_tls(*ingress.tls);
  config["auth"] = ingress_auth(ingress.auth);
  config["tenant"] = ingress_tenant(ingress.tenant);
  config["rate_limit"]["items_per_second"] = ingress.limits.items_per_second;
  if (const auto bytes = kube::parse_quantity(ingress.limits.bytes_per_second);
      bytes && *bytes > 0 && *bytes < 0x1p60)
    config["rate_limit"]["bytes_per_second"] = static_cast<std::uint64_t>(*bytes);
  config["next"]["endpoint"] = service_address(object_name(pipeline.name, {Role::kBridge, ""}),
                                               pipeline.name_space, kBridgePort);
  return config;
}

void add_kafka_tls(const api::KafkaTls& tls, Json& kafka) {
  kafka["tls"]["enabled"] = tls.enabled;
  if (!tls.enabled) return;
  if (!tls.ca_secret_name.empty()) kafka["tls"]["ca_file"] = file_in(kKafkaCaFolder, tls.ca_key);
  if (tls.client_certificate_secret_name.empty()) return;
  kafka["tls"]["certificate_file"] = file_in(kKafkaClientFolder, "tls.crt");
  kafka["tls"]["key_file"] = file_in(kKafkaClientFolder, "tls.key");
}

std::string with_cluster(const api::Pipeline& pipeline, char separator) {
  return pipeline.cluster_id.empty() ? "" : pipeline.cluster_id + separator;
}

Json kafka_config(const api::Pipeline& pipeline) {
  const api::Kafka& kafka = pipeline.spec.kafka;
  Json config;
  config["brokers"] = Json::array();
  for (const std::string& broker : config::split_list(kafka.bootstrap_servers))
    config["brokers"].push_back(literal(broker));
  config["client_id"] =
      "spanway-" + with_cluster(pipeline, '-') + pipeline.name_space + "-" + pipeline.name;
  add_kafka_tls(kafka.tls, config);
  if (kafka.authentication.type != api::KafkaAuthentication::Type::kNone) {
    constexpr std::array kMechanisms = {"none", "plain", "scram_sha_256", "scram_sha_512"};
    config["sasl"] = {
        {"mechanism", kMechanisms[static_cast<std::size_t>(kafka.authentication.type)]},
        {"username", literal(kafka.authentication.username)},
        {"password", secret_content(kafka.authentication.password)}};
  }
  const std::string& prefix = kafka.topics.prefix;
  config["topics"] = {{"traces", literal(prefix + kafka.topics.traces)},
                      {"metrics", literal(prefix + kafka.topics.metrics)},
                      {"logs", literal(prefix + kafka.topics.logs)}};
  config["dead_letter_suffix"] = literal(kafka.topics.dead_letter_suffix);
  return config;
}

Json bridge_config(const api::Pipeline& pipeline) {
  constexpr std::array kKeys = {"none", "trace_id"};
  constexpr std::array kCompressions = {"none", "gzip", "snappy", "lz4", "zstd"};
  const api::Produce& produce = pipeline.spec.produce;
  Json config;
  config["mode"] = "produce";
  config["kafka"] = kafka_config(pipeline);
  config["otlp"] = {{"host", kAnyAddress},
                    {"grpc", {{"port", kBridgePort}}},
                    {"trust_metadata", is_shielded(pipeline, kBridgePort)}};
  config["producer"] = {
      {"record_key", kKeys[static_cast<std::size_t>(produce.record_key)]},
      {"compression", kCompressions[static_cast<std::size_t>(produce.compression)]}};
  return config;
}

// "Traces" of the Pipeline is "traces" of the services. Empty = what the destination takes.
std::vector<std::string> signals_of(const api::Exporter& exporter) {
  std::vector<std::string> signals;
  for (const std::string& signal : exporter.signals) signals.push_back(to_lower(signal));
  if (!signals.empty()) return signals;
  const auto& takes = sinks::descriptor_of(exporter.destination.type).signals;
  for (const otlp::Signal signal : otlp::kSignals) {
    if (takes[otlp::index_of(signal)]) signals.emplace_back(otlp::to_string(signal));
  }
  return signals;
}

// The deadline of a delivery to the exporter: a little longer than the destination's own timeout,
// so that the exporter reports the error of the destination.
Duration exporter_deadline(const api::Destination& destination) {
  return std::clamp(destination.timeout + kDeadlineMargin, kExporterDeadline, kExporterDeadlineMax);
}

// For all partitions, because replicas change; in steps, so that growing topics seldom restarts
// pods.
std::int64_t partitions_max(const api::Pipeline& pipeline, std::size_t signals) {
  const std::int64_t all =
      pipeline.spec.kafka.topics.partitions * static_cast<std::int64_t>(signals);
  std::int64_t step = kPartitionsMin;
  while (step < all) step *= 2;
  return std::min(step, kPartitionsMax);
}

Json consumer_config(const api::Pipeline& pipeline, const api::Exporter& exporter) {
  const sinks::Descriptor& traits = sinks::descriptor_of(exporter.destination.type);
  const std::vector<std::string> signals = signals_of(exporter);
  const bool latest = exporter.consumer.start_from == api::Consumer::StartFrom::kLatest;
  Json config;
  config["mode"] = "consume";
  config["kafka"] = kafka_config(pipeline);
  Json& consumer = config["consumer"];
  // No name holds a dot, so two exporters never share a group by accident.
  consumer["group"] = "spanway." + with_cluster(pipeline, '.') + pipeline.name_space + "." +
                      pipeline.name + "." + exporter.name;
  // The canary lacks this variable of the StatefulSet's pods: as a dynamic member it leaves the
  // group at once.
  consumer["group_instance_id"] = "${env:GROUP_INSTANCE_ID:-}";
  consumer["destination"] = exporter.name;
  consumer["signals"] = signals;
  consumer["start_from"] = latest ? "latest" : "earliest";
  consumer["partitions_max"] = partitions_max(pipeline, signals.size());
  consumer["batch"]["bytes_max"] = config::format_size({traits.batch_bytes_max});
  if (traits.needs_batch_identity) consumer["batch_identity"] = true;
  if (traits.ordered) consumer["max_in_flight_per_partition"] = 1;
  config["destination"] = {
      {"endpoint", service_address(object_name(pipeline.name, {Role::kExporter, exporter.name}),
                                   pipeline.name_space, kExporterPort)},
      {"timeout", config::format_duration(exporter_deadline(exporter.destination))}};
  return config;
}

void add_client_tls(const std::string& ca_secret, const std::string& certificate_secret,
                    const std::string& server_name, Json& section) {
  if (!ca_secret.empty()) section["tls"]["ca_file"] = file_in(kDestinationCaFolder, "ca.crt");
  if (!certificate_secret.empty()) {
    section["tls"]["certificate_file"] = file_in(kDestinationClientFolder, "tls.crt");
    section["tls"]["key_file"] = file_in(kDestinationClientFolder, "tls.key");
  }
  if (!server_name.empty()) section["tls"]["server_name"] = literal(server_name);
}

void add_destination_tls(const api::Destination& destination, Json& section) {
  if (sinks::descriptor_of(destination.type).endpoint == sinks::EndpointKind::kHostPort)
    section["tls"]["enabled"] = destination.tls.enabled;
  add_client_tls(destination.tls.ca_secret_name, destination.tls.client_certificate_secret_name,
                 destination.tls.server_name, section);
}

Json network_destination(const api::Destination& destination) {
  constexpr std::array kCompressions = {"", "none", "gzip", "zstd"};
  Json section = {{"timeout", config::format_duration(destination.timeout)}};
  if (!destination.endpoint.empty()) section["endpoint"] = literal(destination.endpoint);
  if (destination.compression != api::Destination::Compression::kDefault)
    section["compression"] = kCompressions[static_cast<std::size_t>(destination.compression)];
  for (const api::Header& header : destination.headers)
    section["headers"][to_lower(header.name)] =
        header.secret ? secret_content(*header.secret) : literal(header.value);
  if (!destination.bearer_token.name.empty())
    section["headers"]["authorization"] = "Bearer " + secret_content(destination.bearer_token);
  if (destination.basic_auth)
    section["basic_auth"] = {{"username", literal(destination.basic_auth->username)},
                             {"password", secret_content(destination.basic_auth->password)}};
  add_destination_tls(destination, section);
  return section;
}

// The keys that one type has besides those of a network destination.
void add_own_keys(const api::Destination& destination, Json& section) {
  for (auto& [key, value] : api::section_values(destination)) {
    if (value.secret == nullptr) {
      section[key] = std::move(value.json);
    } else if (value.form == api::SecretForm::kPath) {
      section[key] = secret_file(*value.secret);
    } else {
      section[key] = secret_content(*value.secret);
    }
  }
}

Json exporter_config(const api::Pipeline& pipeline, const api::Exporter& exporter) {
  const api::Destination& destination = exporter.destination;
  const std::string type(sinks::to_string(destination.type));
  Json config;
  config["otlp"] = {{"host", kAnyAddress},
                    {"grpc", {{"port", kExporterPort}}},
                    {"deadline_max", config::format_duration(exporter_deadline(destination))}};
  config["trust_metadata"] = is_shielded(pipeline, kExporterPort);
  config["signals"] = signals_of(exporter);
  config["destination"]["type"] = type;
  switch (sinks::descriptor_of(destination.type).endpoint) {
    case sinks::EndpointKind::kHostPort:
    case sinks::EndpointKind::kUrl:
    case sinks::EndpointKind::kOptionalUrl:
      config["destination"][type] = network_destination(destination);
      add_own_keys(destination, config["destination"][type]);
      break;
    case sinks::EndpointKind::kPath:
      config["destination"][type]["path"] = literal(destination.endpoint);
      break;
    case sinks::EndpointKind::kNone:
      break;
  }
  return config;
}

Json query_config(const api::Pipeline& pipeline) {
  const api::Query& query = *pipeline.spec.query;
  const api::ClickHouseStore store = store_of(pipeline);
  Json config;
  config["api"] = {
      {"host", kAnyAddress}, {"port", kQueryPort}, {"jaeger_grpc_port", kQueryGrpcPort}};
  if (query.tls) config["api"]["tls"] = server_tls(*query.tls);
  config["auth"] = ingress_auth(query.auth);
  config["tenant"] = ingress_tenant(query.tenant);
  Json& section = config["stores"]["clickhouse"];
  section = {{"endpoint", literal(store.endpoint)}, {"database", store.database}};
  if (!store.username.empty()) section["username"] = literal(store.username);
  if (!store.password.name.empty()) section["password"] = secret_content(store.password);
  if (!store.tls) return config;
  add_client_tls(store.tls->ca_secret_name, store.tls->client_certificate_secret_name,
                 store.tls->server_name, section);
  return config;
}

Json generated(const api::Pipeline& pipeline, const ComponentSpec& spec) {
  switch (spec.id.role) {
    case Role::kIngress:
      return ingress_config(pipeline);
    case Role::kBridge:
      return bridge_config(pipeline);
    case Role::kConsumer:
      return consumer_config(pipeline, *spec.exporter);
    case Role::kExporter:
      return exporter_config(pipeline, *spec.exporter);
    case Role::kQuery:
      return query_config(pipeline);
  }
  return {};
}

Duration duration_at(const Json& config, std::string_view path, Duration fallback) {
  return config::parse_duration(kube::string_at(config, path)).value_or(fallback);
}

}  // namespace

std::string literal(const std::string& text) { return config::escape_dollars(text); }

Json service_config(const api::Pipeline& pipeline, const ComponentSpec& spec) {
  Json config = generated(pipeline, spec);
  add_runtime(pipeline, spec, config);
  lay_over(config, *spec.config, owned_keys(spec));
  add_memory_shares(spec, config);
  return config;
}

std::string service_config(const api::Pipeline& pipeline, const ComponentId& id) {
  return api::to_yaml(service_config(pipeline, component_spec(pipeline, id)));
}

Duration session_timeout(const api::Exporter& exporter) {
  return duration_at(exporter.consumer.config, "consumer/session_timeout",
                     kafka::ConsumerConfig{}.session_timeout);
}

Json storage_config(const api::Pipeline& pipeline, const api::Exporter& exporter) {
  Json config;
  config["destination"] = exporter_config(pipeline, exporter)["destination"];
  Json shared = Json::object();
  if (const Json* destination = kube::find(exporter.config, "destination"))
    shared["destination"] = *destination;
  const ComponentSpec spec = component_spec(pipeline, {Role::kExporter, exporter.name});
  lay_over(config, shared, owned_keys(spec));
  return config;
}

Json topics_config(const api::Pipeline& pipeline) {
  const api::Topics& topics = pipeline.spec.kafka.topics;
  Json config;
  config["mode"] = "produce";
  config["kafka"] = kafka_config(pipeline);
  config["topics"] = {
      {"partitions", topics.partitions},
      {"replication_factor", topics.replication_factor},
      {"min_insync_replicas", topics.min_insync_replicas},
      {"retention", config::format_duration(topics.retention)},
      {"dead_letter_retention", config::format_duration(topics.dead_letter_retention)}};
  // It connects to Kafka as the bridge does, and creates topics for the bridge's largest record.
  const Json& overlay = pipeline.spec.produce.config;
  Json shared = Json::object();
  if (const Json* kafka = kube::find(overlay, "kafka")) shared["kafka"] = *kafka;
  if (const Json* bytes = kube::find(overlay, "producer/record_bytes_max"))
    shared["producer"]["record_bytes_max"] = *bytes;
  if (const Json* bytes = kube::find(overlay, "limits/item_bytes_max"))
    shared["limits"]["item_bytes_max"] = *bytes;
  lay_over(config, shared, owned_keys(component_spec(pipeline, {Role::kBridge, ""})));
  return config;
}

Duration shutdown_time(const Json& config) {
  return duration_at(config, "runtime/shutdown_delay", kShutdownDelay) +
         duration_at(config, "runtime/drain_timeout", kDrainTimeout) + kShutdownMargin;
}

}  // namespace spanway::render
