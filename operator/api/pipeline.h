// The custom resource `Pipeline` (spanway.dev/v1alpha1) as structs. declaration.cc has the meaning,
// bounds, defaults and rules of each field; the CRD's schema, the reader, the checks and CRD.md are
// generated from it. Settings of a service without a field of their own go into `config`, which is
// merged over that service's generated file and checked with that service's own code.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "operator/json/json.h"
#include "services/lib/base/clock.h"
#include "services/lib/sinks/destination.h"

namespace spanway::api {

using kube::Json;

// A key of a Secret in the Pipeline's namespace.
struct SecretKey {
  std::string name;
  std::string key;
};

struct Image {
  std::string repository;  // Empty = the operator's.
  std::string tag;         // Empty = the operator's version.
  std::string digest;      // "sha256:..."; takes precedence over the tag.
  enum class PullPolicy { kAlways, kIfNotPresent, kNever } pull_policy = PullPolicy::kIfNotPresent;
  std::vector<std::string> pull_secrets;
};

// Merged over the generated pods.
struct PodTemplate {
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  Json resources;  // core/v1 ResourceRequirements. Null = the operator's default.
  std::map<std::string, std::string> node_selector;
  Json tolerations;                  // List; null = none.
  Json affinity;                     // Object; null = none.
  Json topology_spread_constraints;  // List; null = over nodes and zones, as far as possible.
  std::string priority_class_name;
  std::string service_account_name;  // Empty = one created for the component.
  std::vector<std::pair<std::string, std::string>>
      env;  // Plain values only; the operator's take precedence.
  std::int64_t termination_grace_period_seconds = 0;  // 0 = what the drain needs.
};

// For ingress, the producing bridge and exporters: a HorizontalPodAutoscaler by CPU.
struct CpuAutoscaling {
  std::int64_t min_replicas = 1;
  std::int64_t max_replicas = 1;
  std::int64_t target_cpu_utilization_percentage = 70;
  std::int64_t scale_down_stabilization_seconds = 300;
};
// For consumers: by the operator, from lag in seconds; never more replicas than partitions.
struct LagAutoscaling {
  std::int64_t min_replicas = 1;
  std::int64_t max_replicas = 1;
  std::int64_t target_lag_seconds = 30;
  std::int64_t scale_down_stabilization_seconds = 300;
};

struct IngressTls {
  std::string secret_name;            // tls.crt and tls.key.
  std::string client_ca_secret_name;  // ca.crt; set = clients must show a certificate.
};
struct IngressToken {
  std::string name;
  SecretKey secret;
  std::string tenant;
};
struct IngressUser {
  std::string name;  // The user name.
  SecretKey password;
  std::string tenant;
};
struct IngressAuth {
  enum class Mode { kNone, kBearer, kBasic } mode = Mode::kNone;
  std::vector<IngressToken> tokens;
  std::vector<IngressUser> users;
};
struct IngressTenant {
  enum class From { kNone, kHeader, kToken, kCertificate } from = From::kNone;
  std::string header;  // Empty = the service's default.
  std::string default_tenant;
  bool required = false;
};
struct IngressLimits {
  std::int64_t items_per_second = 0;  // Per tenant and pod; 0 = none.
  std::string bytes_per_second;       // A quantity; empty = none.
};
struct IngressService {
  enum class Type { kClusterIp, kNodePort, kLoadBalancer } type = Type::kClusterIp;
  std::map<std::string, std::string> annotations;
  std::map<std::string, std::string> labels;
};

struct Ingress {
  std::int64_t replicas = 1;  // Not applied while `autoscaling` is set.
  bool grpc_enabled = true;
  std::int64_t grpc_port = 4317;
  bool http_enabled = true;
  std::int64_t http_port = 4318;
  std::vector<std::string> cors_allowed_origins;
  std::optional<IngressTls> tls;
  IngressAuth auth;
  IngressTenant tenant;
  IngressLimits limits;
  IngressService service;
  std::optional<CpuAutoscaling> autoscaling;
  PodTemplate pods;
  Json config;  // Object in the keys of spanway-ingress, or null.
};

struct Produce {
  std::int64_t replicas = 1;
  enum class RecordKey { kNone, kTraceId } record_key = RecordKey::kTraceId;
  enum class Compression { kNone, kGzip, kSnappy, kLz4, kZstd } compression = Compression::kNone;
  std::optional<CpuAutoscaling> autoscaling;
  PodTemplate pods;
  Json config;
};

struct KafkaTls {
  bool enabled = false;
  std::string ca_secret_name;  // Empty = the system's authorities.
  std::string ca_key = "ca.crt";
  std::string client_certificate_secret_name;  // tls.crt and tls.key; empty = none.
};
struct KafkaAuthentication {
  enum class Type { kNone, kPlain, kScramSha256, kScramSha512 } type = Type::kNone;
  std::string username;
  SecretKey password;
};
struct Topics {
  // None: topics are managed elsewhere, not checked. Verify: checked only. CreateOnly: created when
  // missing. CreateAndUpdate: partitions also added, weaker settings raised; never shrunk, never
  // deleted.
  enum class Management {
    kNone,
    kVerify,
    kCreateOnly,
    kCreateAndUpdate
  } management = Management::kCreateAndUpdate;
  std::string prefix;  // Before each name.
  std::string traces = "otel.traces";
  std::string metrics = "otel.metrics";
  std::string logs = "otel.logs";
  std::string dead_letter_suffix = ".dlq";
  bool shared = false;  // Other Pipelines may name them too.
  std::int64_t partitions = 12;
  std::int64_t replication_factor = 0;   // 0 = the broker's default.
  std::int64_t min_insync_replicas = 0;  // 0 = the broker's default.
  Duration retention = std::chrono::hours(24);
  Duration dead_letter_retention = std::chrono::hours(24 * 14);
};
struct Kafka {
  std::string bootstrap_servers;  // "a:9092,b:9092"
  KafkaTls tls;
  KafkaAuthentication authentication;
  Topics topics;
};

struct Header {
  std::string name;
  std::string value;  // One of value and secret.
  std::optional<SecretKey> secret;
};
// A ClickHouse, besides its endpoint.
struct ClickHouseDestination {
  std::string database = "otel";
  std::string cluster;   // Empty = one server.
  std::string username;  // Empty = the server's default user.
  SecretKey password;
  // The Job that creates and updates the tables.
  struct Migrate {
    bool enabled = true;
    std::string username;  // Empty = that of the exporter.
    SecretKey password;
  } migrate;
};
struct S3Destination {
  std::string bucket;
  std::string region = "us-east-1";
  std::string prefix = "spanway";
  bool path_style = false;
  SecretKey credentials;  // A file of AWS credentials; empty = web identity or the environment.
  std::string profile;    // In that file; empty = "default".
  // The CronJob that joins the small objects of past hours.
  struct Compact {
    bool enabled = true;
    std::string schedule = "17 * * * *";
    std::int64_t days = 3;
    Json resources;  // core/v1 ResourceRequirements. Null = the operator's default.
  } compact;
};
struct LokiDestination {
  enum class Protocol { kOtlp, kPush } protocol = Protocol::kOtlp;
  std::vector<std::string> labels;  // Resource attributes, with kPush; empty = the service's.
  std::string tenant_header;        // Empty = none.
};
// The words of these enums are those of the service (services/lib/sinks/prometheus/config.h).
struct PrometheusRemoteWriteDestination {
  using Config = sinks::PrometheusRemoteWriteConfig;
  Config::Protocol protocol = Config::Protocol::kAuto;
  Config::Translation translation = Config::Translation::kUnderscoreEscapingWithSuffixes;
  std::vector<std::string> promote_resource_attributes;
  Config::Delta delta = Config::Delta::kReject;
  Config::Histograms histograms = Config::Histograms::kClassic;
  std::string tenant_header;  // Empty = none.
};
struct Destination {
  using Type = sinks::DestinationType;  // services/lib/sinks/destination.h has the table.
  Type type = Type::kOtlpGrpc;
  std::string endpoint;  // Needed by all but kDebug; of kFile a path below kDataFolder.
  std::vector<Header> headers;
  // One of these or the header `authorization`; the types that speak HTTP, but for ClickHouse and
  // S3, and of OtlpGrpc the token.
  struct BasicAuth {
    std::string username;
    SecretKey password;
  };
  std::optional<BasicAuth> basic_auth;
  SecretKey bearer_token;  // Empty = none.
  struct Tls {
    bool enabled = false;        // For OtlpGrpc; other types use https://.
    std::string ca_secret_name;  // ca.crt
    std::string client_certificate_secret_name;
    std::string server_name;
  } tls;
  enum class Compression { kDefault, kNone, kGzip, kZstd } compression = Compression::kDefault;
  Duration timeout = std::chrono::seconds(10);
  // Each is allowed with the type of its name only.
  std::optional<ClickHouseDestination> clickhouse;                          // Unset = its defaults.
  std::optional<S3Destination> s3;                                          // Needed with kS3.
  std::optional<LokiDestination> loki;                                      // Unset = its defaults.
  std::optional<PrometheusRemoteWriteDestination> prometheus_remote_write;  // Unset = its defaults.
};
// The bridge that reads Kafka for one exporter.
struct Consumer {
  std::int64_t replicas = 1;
  enum class StartFrom { kLatest, kEarliest } start_from = StartFrom::kEarliest;
  std::optional<LagAutoscaling> autoscaling;
  PodTemplate pods;
  Json config;
};
struct Exporter {
  std::string name;     // Also the consumer group's: "spanway.<namespace>.<pipeline>.<name>".
  bool paused = false;  // Nothing is sent; lag grows in Kafka.
  std::vector<std::string> signals;  // Traces, Metrics, Logs; empty = all that the type takes.
  Destination destination;
  std::int64_t replicas = 1;
  std::optional<CpuAutoscaling> autoscaling;
  PodTemplate pods;
  Json config;
  Consumer consumer;
};

// The tables that `query` reads: of an exporter of this Pipeline, or of any server.
struct ClickHouseStore {
  std::string exporter;
  std::string endpoint;  // Instead of `exporter`, as are database and tls.
  std::string database;  // Empty = "otel".
  std::string username;  // Empty = the exporter's, or the server's default user.
  SecretKey password;
  struct Tls {
    std::string ca_secret_name;
    std::string client_certificate_secret_name;
    std::string server_name;
  };
  std::optional<Tls> tls;
};
// Ways to `query` from outside of the cluster. Paths are prefixes of requests, forwarded unchanged.
struct QueryIngress {
  std::string class_name;  // Empty = the cluster's default class.
  std::string host;        // Empty = all hosts.
  std::string path = "/";
  std::string tls_secret_name;  // Empty = plain HTTP.
  std::map<std::string, std::string> annotations;
};
struct GatewayReference {
  std::string name;
  std::string name_space;    // Empty = the Pipeline's.
  std::string section_name;  // A listener; empty = all that admit the route.
};
struct QueryHttpRoute {
  std::vector<GatewayReference> parents;
  std::vector<std::string> hostnames;  // Empty = those of the Gateway.
  std::string path = "/";
  std::map<std::string, std::string> annotations;
};
struct Query {
  std::int64_t replicas = 1;
  ClickHouseStore clickhouse;  // stores.clickhouse
  std::int64_t port = 8081;
  std::optional<IngressTls> tls;
  IngressAuth auth;
  IngressTenant tenant;
  IngressService service;
  std::optional<QueryIngress> ingress;
  std::optional<QueryHttpRoute> http_route;
  Json allowed_from;  // List of networking.k8s.io/v1 peers; null = any.
  std::optional<CpuAutoscaling> autoscaling;
  PodTemplate pods;
  Json config;
};

struct Rollout {
  // Canary: one pod of the new configuration beside the old ones first. RollingUpdate: at once.
  enum class Strategy { kCanary, kRollingUpdate } strategy = Strategy::kCanary;
  enum class OnFailure { kRollback, kPause } on_failure = OnFailure::kRollback;
  Duration progress_deadline = std::chrono::minutes(5);
  // How long new pods must stay ready without a restart before they count as good.
  Duration healthy_after = std::chrono::seconds(30);
};
struct NetworkPolicy {
  bool enabled = true;
  Json extra_ingress;  // List of networking.k8s.io/v1 ingress rules; null = none.
  Json extra_egress;
};
struct Observability {
  enum class LogLevel { kDebug, kInfo, kWarn, kError } log_level = LogLevel::kInfo;
  bool service_monitor = true;  // Where the kind exists.
  bool prometheus_rule = true;
  std::map<std::string, std::string> monitor_labels;
};

struct PipelineSpec {
  bool paused = false;
  Image image;
  Ingress ingress;
  Produce produce;  // bridge.produce
  Kafka kafka;
  std::vector<Exporter> exporters;
  std::optional<Query> query;  // Unset = none runs.
  Rollout rollout;
  NetworkPolicy network_policy;
  Observability observability;
};

struct Pipeline {
  std::string name_space;
  std::string name;
  std::string uid;
  std::int64_t generation = 0;
  std::map<std::string, std::string> annotations;
  bool deleting = false;
  // Not of the object: the operator's, and part of consumer groups and client ids. Empty = none.
  std::string cluster_id;
  PipelineSpec spec;
};

// Where an exporter's pod can write files.
inline constexpr char kDataFolder[] = "/var/lib/spanway";

// Annotations on a Pipeline.
inline constexpr char kPauseAnnotation[] = "spanway.dev/pause-reconciliation";  // "true"
inline constexpr char kRestartAnnotation[] = "spanway.dev/restart";  // Any new value restarts all.
inline constexpr char kForceCheckAnnotation[] = "spanway.dev/force-config-check";
// Labels and annotations of the rendered objects.
inline constexpr char kPipelineLabel[] = "spanway.dev/pipeline";
inline constexpr char kComponentLabel[] = "spanway.dev/component";  // "ingress", "bridge", ...
inline constexpr char kExporterLabel[] = "spanway.dev/exporter";
inline constexpr char kTrackLabel[] = "spanway.dev/track";  // "stable" or "canary"
inline constexpr char kRevisionAnnotation[] = "spanway.dev/revision";
inline constexpr char kIntentAnnotation[] = "spanway.dev/intent";    // Hash of the applied object.
inline constexpr char kSecretsAnnotation[] = "spanway.dev/secrets";  // Identity, never data.

}  // namespace spanway::api
