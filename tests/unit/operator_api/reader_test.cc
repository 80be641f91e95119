#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_api/pipeline_files.h"

namespace spanway::api {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

Pipeline valid(const std::string& yaml) {
  config::Problems problems;
  Pipeline pipeline = read(documents(yaml).at(0), problems);
  EXPECT_THAT(texts(problems), IsEmpty());
  return pipeline;
}

TEST(Reader, FillsInDefaults) {
  const Pipeline p = valid(pipeline_yaml());
  EXPECT_EQ(p.name, "p");
  EXPECT_EQ(p.name_space, "team");
  EXPECT_EQ(p.spec.ingress.grpc_port, 4317);
  EXPECT_EQ(p.spec.kafka.topics.partitions, 12);
  EXPECT_EQ(p.spec.kafka.topics.retention, std::chrono::hours(24));
  EXPECT_EQ(p.spec.rollout.strategy, Rollout::Strategy::kCanary);
  EXPECT_FALSE(p.spec.ingress.autoscaling);
  EXPECT_FALSE(p.spec.ingress.tls);
  ASSERT_EQ(p.spec.exporters.size(), 1u);
  EXPECT_EQ(p.spec.exporters[0].consumer.start_from, Consumer::StartFrom::kEarliest);
  EXPECT_TRUE(p.spec.ingress.pods.affinity.is_null());
}

TEST(Reader, HeaderNamesTakeAnyCase) {
  const Pipeline p = valid(R"(
apiVersion: spanway.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  kafka: {bootstrapServers: "kafka:9092"}
  ingress: {tenant: {from: Header, header: X-Scope-OrgID}}
  exporters:
  - name: x
    destination:
      type: OtlpHttp
      endpoint: http://tempo:4318
      headers: [{name: X-Scope-OrgID, value: a}, {name: x-other_one, value: b}]
)");
  EXPECT_EQ(p.spec.ingress.tenant.header, "X-Scope-OrgID");
  EXPECT_EQ(p.spec.exporters[0].destination.headers[0].name, "X-Scope-OrgID");
}

TEST(Reader, ReadsMetadata) {
  kube::Json object = documents(pipeline_yaml()).at(0);
  object["metadata"]["uid"] = "u-1";
  object["metadata"]["generation"] = 7;
  object["metadata"]["deletionTimestamp"] = "2024-01-01T00:00:00Z";
  object["metadata"]["annotations"] = {{kRestartAnnotation, "1"}};
  object["status"] = {{"anything", 1}};
  config::Problems problems;
  const Pipeline p = read(object, problems);
  EXPECT_THAT(texts(problems), IsEmpty());
  EXPECT_EQ(p.uid, "u-1");
  EXPECT_EQ(p.generation, 7);
  EXPECT_TRUE(p.deleting);
  EXPECT_EQ(p.annotations.at(kRestartAnnotation), "1");
}

TEST(Reader, ReadsEverySection) {
  const Pipeline p = valid(R"(
apiVersion: spanway.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  paused: true
  image: {repository: registry.example.com:5000/a, tag: "1.2", pullPolicy: Always, pullSecrets: [{name: r}]}
  ingress:
    replicas: 3
    grpc: {port: 14317}
    http: {enabled: false, corsAllowedOrigins: ["https://*.example.com"]}
    tls: {secretName: s, clientCASecretName: ca}
    auth:
      mode: Basic
      users: [{name: u, passwordSecretKeyRef: {name: s, key: k}, tenant: t}]
    tenant: {from: Token, default: d, required: true}
    limits: {itemsPerSecond: 5, bytesPerSecond: 10Mi}
    service: {type: LoadBalancer, annotations: {a/b: c}, labels: {d: e}}
    autoscaling: {minReplicas: 2, maxReplicas: 4, targetCPUUtilizationPercentage: 50}
    template:
      resources: {limits: {memory: 1Gi}}
      tolerations: [{operator: Exists}]
      env: [{name: A, value: ""}]
      terminationGracePeriodSeconds: 30
    config: {limits: {body_bytes_max: 1MiB}}
  bridge: {produce: {recordKey: None, compression: Zstd}}
  kafka:
    bootstrapServers: "a:9092,[::1]:9092"
    tls: {enabled: true, caSecretName: c, caKey: k}
    authentication: {type: ScramSha512, username: u, passwordSecretKeyRef: {name: s, key: k}}
    topics: {management: Verify, names: {traces: t}, replicationFactor: 3, minInsyncReplicas: 2, retention: 90m}
  exporters:
  - name: tempo
    paused: true
    signals: [Traces, Logs]
    destination:
      type: OtlpGrpc
      endpoint: https://tempo:4317
      headers: [{name: a, value: b}, {name: c, secretKeyRef: {name: s, key: k}}]
      tls: {caSecretName: ca, serverName: x.y}
      compression: Gzip
      timeout: 500ms
    consumer:
      replicas: 2
      startFrom: Latest
      autoscaling: {maxReplicas: 12, targetLagSeconds: 5}
  rollout: {strategy: RollingUpdate, onFailure: Pause, progressDeadline: 10m, healthyAfter: 1m}
  networkPolicy: {extraIngress: [{}]}
  observability: {logLevel: Warn, serviceMonitor: {enabled: false, labels: {a: b}}, prometheusRule: {enabled: false}}
)");
  EXPECT_TRUE(p.spec.paused);
  EXPECT_EQ(p.spec.image.pull_secrets, std::vector<std::string>{"r"});
  EXPECT_EQ(p.spec.image.pull_policy, Image::PullPolicy::kAlways);
  EXPECT_EQ(p.spec.ingress.grpc_port, 14317);
  EXPECT_FALSE(p.spec.ingress.http_enabled);
  EXPECT_EQ(p.spec.ingress.tls->client_ca_secret_name, "ca");
  EXPECT_EQ(p.spec.ingress.auth.users.at(0).password.key, "k");
  EXPECT_EQ(p.spec.ingress.limits.bytes_per_second, "10Mi");
  EXPECT_EQ(p.spec.ingress.service.annotations.at("a/b"), "c");
  EXPECT_EQ(p.spec.ingress.autoscaling->target_cpu_utilization_percentage, 50);
  EXPECT_EQ(p.spec.ingress.pods.resources, kube::Json({{"limits", {{"memory", "1Gi"}}}}));
  EXPECT_EQ(p.spec.ingress.pods.env.at(0).first, "A");
  EXPECT_EQ(kube::string_at(p.spec.ingress.config, "limits/body_bytes_max"), "1MiB");
  EXPECT_EQ(p.spec.produce.compression, Produce::Compression::kZstd);
  EXPECT_EQ(p.spec.kafka.authentication.password.name, "s");
  EXPECT_EQ(p.spec.kafka.topics.traces, "t");
  EXPECT_EQ(p.spec.kafka.topics.retention, std::chrono::minutes(90));
  const Exporter& tempo = p.spec.exporters.at(0);
  EXPECT_EQ(tempo.signals, (std::vector<std::string>{"Traces", "Logs"}));
  EXPECT_EQ(tempo.destination.headers.at(1).secret->key, "k");
  EXPECT_EQ(tempo.destination.timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(tempo.consumer.autoscaling->target_lag_seconds, 5);
  EXPECT_EQ(p.spec.rollout.on_failure, Rollout::OnFailure::kPause);
  EXPECT_FALSE(p.spec.observability.service_monitor);
  EXPECT_EQ(p.spec.observability.monitor_labels.at("a"), "b");
}

TEST(Reader, ANullIsAMissingField) {
  const Pipeline p = valid(pipeline_yaml("  ingress:\n  image: ~\n"));
  EXPECT_EQ(p.spec.ingress.grpc_port, 4317);
}

TEST(Reader, MissingFieldsAreNamed) {
  EXPECT_THAT(
      problems_of("{apiVersion: spanway.dev/v1alpha1, kind: Pipeline, metadata: {name: p}}"),
      ElementsAre("spec: is required"));
  EXPECT_THAT(problems_of("{apiVersion: spanway.dev/v1alpha1, kind: Pipeline, metadata: {name: p}, "
                          "spec: {kafka: {}, exporters: []}}"),
              ElementsAre("spec.kafka.bootstrapServers: is required",
                          "spec.exporters: must have at least 1 item"));
  EXPECT_THAT(problems_of(pipeline_yaml("  ingress: {autoscaling: {}}\n")),
              ElementsAre("spec.ingress.autoscaling.maxReplicas: is required"));
}

TEST(Reader, OtherKindsAreRefused) {
  EXPECT_THAT(problems_of("[1]"), ElementsAre(HasSubstr("must be a mapping")));
  EXPECT_THAT(problems_of("{apiVersion: v1, kind: Pod, spec: {}}"),
              testing::AllOf(Contains("apiVersion: must be spanway.dev/v1alpha1"),
                             Contains("kind: must be Pipeline")));
}

TEST(Reader, AllProblemsAreReportedAtOnceWithTheirPaths) {
  EXPECT_THAT(
      problems_of(R"(
apiVersion: spanway.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  paused: "yes"
  ingress: {replicas: -1, grpc: {port: 0}, tenant: {from: Haeder}, colour: red}
  kafka: {bootstrapServers: "kafka :1", topics: {retention: 1s, partitions: 1.5}}
  exporters:
  - {name: tempo, destination: {type: Debug, timeout: soon}, consumer: {autoscaling: {minReplicas: 3, maxReplicas: 2}}}
  - {name: tempo, destination: {type: Debug}, signals: [Traces, Traces]}
  - 7
)"),
      UnorderedElementsAre(
          "spec.paused: must be true or false", "spec.ingress.replicas: must be from 0 to 1000",
          "spec.ingress.grpc.port: must be from 1 to 65535",
          "spec.ingress.tenant.from: must be one of None, Header, Token, Certificate (did you "
          "mean 'Header'?)",
          HasSubstr("spec.ingress.colour: is no field; there are replicas"),
          HasSubstr("spec.kafka.bootstrapServers: 'kafka :1' must match"),
          "spec.kafka.topics.retention: must be from 1m to 87840h",
          "spec.kafka.topics.partitions: must be a whole number",
          "spec.exporters[tempo].destination.timeout: must be a duration such as 30s, 5m or "
          "24h",
          "spec.exporters[tempo].consumer.autoscaling.minReplicas: must not be above "
          "maxReplicas",
          "spec.exporters[tempo]: occurs twice; each needs its own name",
          "spec.exporters[tempo].signals[1]: is listed twice",
          "spec.exporters[2]: must be a mapping"));
}

TEST(Reader, UnknownFieldsAreRefusedWithAHint) {
  EXPECT_THAT(problems_of(pipeline_yaml("  ingres: {}\n")),
              ElementsAre("spec.ingres: is no field (did you mean 'ingress'?)"));
  EXPECT_THAT(problems_of(pipeline_yaml("  rollout: {xyzzy: 1}\n")),
              ElementsAre("spec.rollout.xyzzy: is no field; there are strategy, onFailure, "
                          "progressDeadline, healthyAfter"));
}

// Attempts to gain privileges on the node.
TEST(Reader, NothingPrivilegedCanBeSet) {
  for (const char* field :
       {"hostNetwork: true", "hostPath: /", "volumes: []", "securityContext: {privileged: true}",
        "initContainers: []", "extraContainers: []", "hostPID: true", "envFrom: []",
        "automountServiceAccountToken: true"})
    EXPECT_THAT(problems_of(pipeline_yaml(std::string("  ingress: {template: {") + field + "}}\n")),
                ElementsAre(HasSubstr("is no field")))
        << field;
  EXPECT_THAT(problems_of(pipeline_yaml(
                  "  ingress: {tls: {secretName: s, secretNamespace: kube-system}}\n")),
              ElementsAre(HasSubstr("is no field")));
  for (const char* name : {"../other/secret", "other/secret", "UPPER", "a_b"})
    EXPECT_THAT(problems_of(pipeline_yaml(std::string("  ingress: {tls: {secretName: \"") + name +
                                          "\"}}\n")),
                ElementsAre(HasSubstr("must match")))
        << name;
}

TEST(Reader, TextsAreBounded) {
  EXPECT_THAT(problems_of(pipeline_yaml("  image: {tag: \"\"}\n")),
              ElementsAre("spec.image.tag: must not be empty; leave it out instead"));
  EXPECT_THAT(problems_of(pipeline_yaml("  image: {tag: " + std::string(129, 'a') + "}\n")),
              ElementsAre("spec.image.tag: must be at most 128 long"));
  EXPECT_THAT(problems_of(pipeline_yaml("  image: {tag: 1}\n")),
              ElementsAre("spec.image.tag: must be a text; write it in quotes"));
}

TEST(Reader, ListsAndMapsAreBounded) {
  std::string exporters;
  for (int i = 0; i < 17; ++i)
    exporters += "  - {name: e" + std::to_string(i) + ", destination: {type: Debug}}\n";
  EXPECT_THAT(problems_of("{apiVersion: spanway.dev/v1alpha1, kind: Pipeline}\n").size(), 1u);
  EXPECT_THAT(problems_of("apiVersion: spanway.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\n"
                          "spec:\n  kafka: {bootstrapServers: 'a:1'}\n  exporters:\n" +
                          exporters),
              ElementsAre("spec.exporters: must have at most 16 items"));
  std::string labels;
  for (int i = 0; i < 33; ++i) labels += "l" + std::to_string(i) + ": a, ";
  EXPECT_THAT(problems_of(pipeline_yaml("  ingress: {template: {labels: {" + labels + "}}}\n")),
              ElementsAre("spec.ingress.template.labels: must have at most 32 entries"));
}

// Values that the API server would refuse in an Ingress or an HTTPRoute are refused in the
// Pipeline.
TEST(Reader, RoutesOfQueryAreChecked) {
  const auto problems = [](const std::string& fields) {
    return problems_of(pipeline_yaml(
        "  query: {stores: {clickhouse: {endpoint: 'http://clickhouse:8123'}}, " + fields + "}\n"));
  };
  EXPECT_THAT(problems("ingress: {host: '*.example.com', path: /loki/api, className: nginx, "
                       "tlsSecretName: tls}, httpRoute: {parentRefs: [{name: public, namespace: "
                       "infra, sectionName: https}], hostnames: [a.example.com]}"),
              IsEmpty());
  for (const char* host : {"Shop.example.com", "a..b", "a_b", "*", "-a", "a/b"})
    EXPECT_THAT(problems(std::string("ingress: {host: '") + host + "'}"),
                ElementsAre(HasSubstr("spec.query.ingress.host: '")))
        << host;
  for (const char* path : {"loki", "/a//b", "/a/", "/..", "/a/./b", "/a?b", "/a b"})
    EXPECT_THAT(problems(std::string("ingress: {path: '") + path + "'}"),
                ElementsAre(HasSubstr("spec.query.ingress.path: '")))
        << path;
  EXPECT_THAT(problems("httpRoute: {hostnames: [a.example.com]}"),
              ElementsAre(HasSubstr("spec.query.httpRoute.parentRefs: ")));
  EXPECT_THAT(problems("httpRoute: {parentRefs: []}"),
              ElementsAre(HasSubstr("spec.query.httpRoute.parentRefs: ")));
  EXPECT_THAT(problems("allowedFrom: [{podSelectors: {}}]"),
              ElementsAre(HasSubstr("spec.query.allowedFrom[0]")));
}

TEST(Reader, RawValuesAreBounded) {
  EXPECT_THAT(
      problems_of(pipeline_yaml("  ingress: {config: {a: " + std::string(70'000, 'x') + "}}\n")),
      ElementsAre("spec.ingress.config: must be at most 64 KiB of JSON"));
  EXPECT_THAT(
      problems_of(pipeline_yaml("  ingress: {config: [1], template: {tolerations: [1]}}\n")),
      UnorderedElementsAre("spec.ingress.config: must be a mapping",
                           "spec.ingress.template.tolerations: must be a list of mappings"));
}

TEST(Reader, NamesOfLabelsAreChecked) {
  EXPECT_THAT(
      problems_of(
          pipeline_yaml("  ingress: {template: {labels: {\"a b\": c, \"/x\": c, x/y: d e}}}\n")),
      UnorderedElementsAre("spec.ingress.template.labels[a b]: is no name of a label or annotation",
                           "spec.ingress.template.labels[/x]: is no name of a label or annotation",
                           HasSubstr("spec.ingress.template.labels[x/y]: 'd e' must match")));
}

TEST(Reader, QuantitiesAreNumbersOrTexts) {
  EXPECT_EQ(valid(pipeline_yaml("  ingress: {limits: {bytesPerSecond: 5000}}\n"))
                .spec.ingress.limits.bytes_per_second,
            "5000");
  for (const char* text : {"-1", "1.5Mi", "10MiB", "Mi", "99999999999", "true"})
    EXPECT_THAT(problems_of(pipeline_yaml(std::string("  ingress: {limits: {bytesPerSecond: ") +
                                          text + "}}\n")),
                ElementsAre(HasSubstr("must be a number such as")))
        << text;
}

TEST(Reader, NumbersBeyondAllBoundsAreRefused) {
  for (const char* text : {"9223372036854775807", "-9223372036854775808", "1e300"})
    EXPECT_THAT(problems_of(pipeline_yaml(std::string("  ingress: {replicas: ") + text + "}\n")),
                ElementsAre(HasSubstr("spec.ingress.replicas: must be")))
        << text;
  kube::Json object = documents(pipeline_yaml()).at(0);
  object["spec"]["ingress"]["replicas"] = 18446744073709551615u;
  config::Problems problems;
  read(object, problems);
  EXPECT_THAT(texts(problems), ElementsAre("spec.ingress.replicas: must be from 0 to 1000"));
}

TEST(Reader, AFloodOfProblemsIsTruncated) {
  kube::Json object = documents(pipeline_yaml()).at(0);
  for (int i = 0; i < 5000; ++i) object["spec"]["unknown" + std::to_string(i)] = 1;
  config::Problems problems;
  read(object, problems);
  EXPECT_EQ(problems.all().size(), 100u);
}

TEST(Reader, KeysAreShownAsTheyWereWrittenUnlessTheyCannotBeSeen) {
  EXPECT_THAT(problems_of(pipeline_yaml("  größe: 1\n")),
              ElementsAre(StartsWith("spec.größe: is no field")));
  EXPECT_THAT(problems_of(pipeline_yaml("  \"数据\": 1\n")),
              ElementsAre(StartsWith("spec.数据: is no field")));
  EXPECT_THAT(problems_of(pipeline_yaml("  ingress: {tenant: {default: münchen}}\n")),
              ElementsAre(HasSubstr("'münchen' must match")));
  // Zero width, right-to-left, a control character, a byte order mark, a no-break space.
  EXPECT_THAT(
      problems_of(pipeline_yaml("  \"a\\u200bb\\u202ec\\u0007d\\ufeffe\\u00a0\": 1\n")),
      ElementsAre(StartsWith("spec.a\\u200bb\\u202ec\\u0007d\\ufeffe\\u00a0: is no field")));
  // Truncated between two characters.
  std::string name = "a";
  for (int i = 0; i < 40; ++i) name += "ö";
  EXPECT_THAT(problems_of(pipeline_yaml("  " + name + ": 1\n")),
              ElementsAre(StartsWith("spec." + name.substr(0, 63) + "...: is no field")));
}

}  // namespace
}  // namespace spanway::api
