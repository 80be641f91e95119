// The messages of the configuration check and their fields, as `kubectl describe` shows them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_render/pipelines.h"

namespace spanway::render {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

// "path: message" of each.
std::vector<std::string> problems_of(const api::Pipeline& pipeline,
                                     const ClusterFacts& facts = sample_facts()) {
  config::Problems problems;
  check_configs(pipeline, facts, problems);
  std::vector<std::string> texts;
  for (const config::Problem& problem : problems.all())
    texts.push_back(problem.path + ": " + problem.message);
  return texts;
}

TEST(ConfigCheck, AWrongKeyNamesItsFieldAndTheNearestOne) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.ingress.config = {{"limits", {{"body_byte_max", "1MiB"}}}};
  pipeline.spec.produce.config = {{"producer", {{"lingr", "1ms"}}}};
  pipeline.spec.exporters[0].config = {{"destination", {{"otlp_grpc", {{"conections", 1}}}}}};
  pipeline.spec.exporters[0].consumer.config = {{"colour", "red"}};
  EXPECT_THAT(
      problems_of(pipeline),
      UnorderedElementsAre(
          "spec.ingress.config.limits.body_byte_max: unknown key (did you mean 'body_bytes_max'?)",
          "spec.bridge.produce.config.producer.lingr: unknown key (did you mean 'linger'?)",
          "spec.exporters[tempo].config.destination.otlp_grpc.conections: unknown key (did you "
          "mean 'connections'?)",
          StartsWith("spec.exporters[tempo].consumer.config.colour: unknown key")));
}

TEST(ConfigCheck, AWrongValueNamesItsFieldAndTheReason) {
  const auto with = [](Json config) {
    api::Pipeline pipeline = quickstart();
    pipeline.spec.ingress.config = std::move(config);
    return problems_of(pipeline);
  };
  EXPECT_THAT(with({{"limits", {{"body_bytes_max", "soon"}}}}),
              ElementsAre(StartsWith("spec.ingress.config.limits.body_bytes_max: ")));
  EXPECT_THAT(with({{"limits", {{"streams_max", -1}}}}),
              ElementsAre(StartsWith("spec.ingress.config.limits.streams_max: ")));
  EXPECT_THAT(with({{"merge", 5}}), ElementsAre(StartsWith("spec.ingress.config.merge: ")));
  EXPECT_THAT(with({{"merge", {{"linger", {{"a", 1}}}}}}),
              ElementsAre(StartsWith("spec.ingress.config.merge.linger")));
  EXPECT_THAT(with(Json::array({1})), ElementsAre("spec.ingress.config: must be an object"));
}

// Texts without a `$` of ours go through the same substitution as at the service's start.
TEST(ConfigCheck, ABrokenSubstitutionIsFound) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.exporters[0].config = {
      {"destination", {{"otlp_grpc", {{"connections", "${evn:X}"}}}}}};
  EXPECT_THAT(
      problems_of(pipeline),
      ElementsAre(StartsWith("spec.exporters[tempo].config.destination.otlp_grpc.connections: ")));
}

TEST(ConfigCheck, KeysThatAFieldDecidesAreRefusedWithThatField) {
  const auto ingress = [](Json config) {
    api::Pipeline pipeline = quickstart();
    pipeline.spec.ingress.config = std::move(config);
    return problems_of(pipeline);
  };
  EXPECT_THAT(ingress({{"log", {{"level", "debug"}}}}),
              ElementsAre("spec.ingress.config.log.level: is decided by "
                          "spec.observability.logLevel; set that instead"));
  EXPECT_THAT(ingress({{"admin", {{"port", 1}}}}),
              ElementsAre("spec.ingress.config.admin: is decided by the operator; remove it"));
  EXPECT_THAT(ingress({{"next", {{"endpoint", "elsewhere:1"}}}}),
              ElementsAre("spec.ingress.config.next.endpoint: is decided by the operator; remove "
                          "it"));
  // A scalar in place of a section would take owned keys away with it.
  EXPECT_THAT(ingress({{"next", nullptr}}), Contains(HasSubstr("must be an object")));

  api::Pipeline pipeline = quickstart();
  pipeline.spec.exporters[0].consumer.config = {{"kafka", {{"brokers", Json::array({"x:1"})}}},
                                                {"consumer", {{"group", "theirs"}}}};
  pipeline.spec.exporters[0].config = {{"destination", {{"file", {{"path", "/etc/passwd"}}}}},
                                       {"trust_metadata", true}};
  const std::string exporter = "spec.exporters[tempo].";
  EXPECT_THAT(
      problems_of(pipeline),
      UnorderedElementsAre(
          exporter + "consumer.config.kafka.brokers: is decided by spec.kafka.bootstrapServers; "
                     "set that instead",
          exporter + "consumer.config.consumer.group: is decided by " + exporter +
              "name; set that instead",
          exporter + "config.destination.file: is decided by " + exporter +
              "destination.type; set that instead",
          exporter + "config.trust_metadata: is decided by the operator; remove it"));
}

TEST(ConfigCheck, AProblemOfASharedSectionIsReportedOnce) {
  api::Pipeline pipeline = sample("fan-out");
  pipeline.spec.kafka.bootstrap_servers = "kafka:99999";
  EXPECT_THAT(problems_of(pipeline), ElementsAre(StartsWith("spec.kafka.bootstrapServers: ")));
}

TEST(ConfigCheck, FieldsOfTheSpecAreNamedInTheirOwnWords) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.kafka.topics.traces = "no topic";
  EXPECT_THAT(problems_of(pipeline), ElementsAre(StartsWith("spec.kafka.topics: ")));
  pipeline = sample("secured");
  pipeline.spec.ingress.auth.tokens[1].tenant = "a/b";
  EXPECT_THAT(problems_of(pipeline), ElementsAre(StartsWith("spec.ingress.auth.tokens[batch]: ")));
}

TEST(ConfigCheck, AFloodOfProblemsIsTruncated) {
  Json flood = Json::object();
  for (int i = 0; i < 5000; ++i) flood["unknown" + std::to_string(i)] = 1;
  api::Pipeline pipeline = sample("fan-out");
  pipeline.spec.ingress.config = {{"limits", flood}};
  pipeline.spec.produce.config = flood;
  for (api::Exporter& exporter : pipeline.spec.exporters) {
    exporter.config = flood;
    exporter.consumer.config = {{"consumer", flood}};
  }
  EXPECT_EQ(problems_of(pipeline).size(), 100u);
}

TEST(ConfigCheck, ADeepOverlayIsRefused) {
  Json deep = 1;
  for (int i = 0; i < 60; ++i) deep = Json{{"a", std::move(deep)}};
  api::Pipeline pipeline = quickstart();
  pipeline.spec.ingress.config = {{"limits", deep}};
  EXPECT_THAT(problems_of(pipeline), Contains(HasSubstr("deep")));
}

TEST(ConfigCheck, LibrarySettingsOutsideTheListAreRefused) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.produce.config = {
      {"kafka", {{"librdkafka", {{"plugin.library.paths", "/tmp/evil.so"}}}}}};
  EXPECT_THAT(problems_of(pipeline),
              ElementsAre(HasSubstr("spec.bridge.produce.config.kafka.librdkafka")));
}

TEST(ConfigCheck, MemoryMustFitIntoTheContainer) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.ingress.pods.resources = {{"limits", {{"memory", "48Mi"}}}};
  EXPECT_THAT(problems_of(pipeline),
              Contains(StartsWith("spec.ingress.template.resources.limits.memory: is 48MiB, but")));

  pipeline = quickstart();
  pipeline.spec.produce.pods.resources = {{"limits", {{"memory", "64Mi"}}}};
  EXPECT_THAT(problems_of(pipeline),
              Contains(StartsWith("spec.bridge.produce.config.limits.body_bytes_max: is lower")));

  pipeline = quickstart();
  pipeline.spec.exporters[0].config = {{"memory_limit", "4GiB"}};
  EXPECT_THAT(problems_of(pipeline),
              Contains(StartsWith("spec.exporters[tempo].config.memory_limit")));
}

TEST(ConfigCheck, TheGracePeriodMustFitTheDrain) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.ingress.pods.termination_grace_period_seconds = 20;
  pipeline.spec.ingress.config = {{"runtime", {{"drain_timeout", "30s"}}}};
  EXPECT_THAT(problems_of(pipeline),
              ElementsAre(StartsWith("spec.ingress.template.terminationGracePeriodSeconds: must be "
                                     "at least 40s")));
  // Without a drain of its own it is made to fit.
  pipeline.spec.ingress.config = {};
  EXPECT_THAT(problems_of(pipeline), IsEmpty());
}

TEST(ConfigCheck, VariablesThatAreSettingsAreRefused) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.produce.pods.env = {{"KAFKA_BROKERS", "elsewhere:9092"}, {"TZ", "UTC"}};
  // Means nothing to the ingress.
  pipeline.spec.ingress.pods.env = {{"KAFKA_BROKERS", "elsewhere:9092"}};
  EXPECT_THAT(problems_of(pipeline),
              ElementsAre("spec.bridge.produce.template.env[KAFKA_BROKERS]: would override the "
                          "configuration file; use spec.bridge.produce.config"));
}

TEST(ConfigCheck, ScalingByCpuNeedsARequest) {
  api::Pipeline pipeline = sample("autoscaled");
  pipeline.spec.ingress.pods.resources = {{"limits", {{"memory", "512Mi"}}}};
  EXPECT_THAT(problems_of(pipeline),
              ElementsAre("spec.ingress.template.resources.requests.cpu: is needed by "
                          "spec.ingress.autoscaling"));
  pipeline.spec.ingress.pods.resources["limits"]["cpu"] = "1";  // Stands for the request too.
  EXPECT_THAT(problems_of(pipeline), IsEmpty());
}

TEST(ConfigCheck, TheBridgeAcceptsWhatTheIngressAccepts) {
  api::Pipeline pipeline = quickstart();
  pipeline.spec.produce.config = {{"limits", {{"body_bytes_max", "1MiB"}}}};
  EXPECT_THAT(problems_of(pipeline),
              Contains(StartsWith("spec.bridge.produce.config.limits.body_bytes_max: is lower than "
                                  "in spec.ingress")));
}

TEST(ConfigCheck, FilesMustBePutAsideBeforeTheVolumeIsFull) {
  api::Pipeline pipeline = sample("file");
  pipeline.spec.exporters[0].config = {
      {"destination", {{"file", {{"rotate", {{"bytes_max", 0}}}}}}}};
  EXPECT_THAT(problems_of(pipeline),
              ElementsAre(StartsWith("spec.exporters[archive].config.destination.file.rotate."
                                     "bytes_max: must not be 0")));
}

TEST(ConfigCheck, TenantsRequirePortsThatNoOtherClientReaches) {
  const auto with_rule = [](const Json& rule) {
    api::Pipeline pipeline = sample("basic");
    pipeline.spec.network_policy.extra_ingress = Json::array({rule});
    return problems_of(pipeline);
  };
  const Json from = Json::array({Json{{"podSelector", Json::object()}}});
  const auto tcp = [](const Json& port) { return Json::array({Json{{"port", port}}}); };
  for (const Json& open : {Json{{"from", from}}, Json{{"from", from}, {"ports", Json::array()}},
                           Json{{"ports", tcp(4327)}}, Json{{"ports", tcp("otlp-grpc")}},
                           Json{{"ports", Json::array({Json{{"port", 4000}, {"endPort", 5000}}})}},
                           Json{{"ports", Json::array({Json{{"protocol", "TCP"}}})}}}) {
    EXPECT_THAT(with_rule(open),
                Contains("spec.networkPolicy.extraIngress: opens port 4327, where other "
                         "clients could name any tenant: list other `ports`"))
        << open;
  }
  for (const Json& closed :
       {Json{{"ports", tcp(8080)}}, Json{{"ports", tcp("admin")}},
        Json{{"ports", Json::array({Json{{"port", 4317}, {"endPort", 4318}}})}},
        Json{{"ports", Json::array({Json{{"protocol", "UDP"}, {"port", 4327}}})}}})
    EXPECT_THAT(with_rule(closed), IsEmpty()) << closed;
}

class PublicOnly : public testing::Test {
 protected:
  PublicOnly() {
    facts_.deny_private_endpoints = true;
    using Type = api::Destination::Type;
    pipeline_ = quickstart();
    pipeline_.spec.exporters[0].destination.type = Type::kOtlpHttp;
    pipeline_.spec.exporters[0].destination.endpoint = "https://otlp.example.com";
  }
  std::vector<std::string> problems() const { return problems_of(pipeline_, facts_); }

  ClusterFacts facts_ = sample_facts();
  api::Pipeline pipeline_;
};

TEST_F(PublicOnly, LetsPublicEndpointsThrough) { EXPECT_THAT(problems(), IsEmpty()); }

TEST_F(PublicOnly, RefusesInnerEndpoints) {
  for (const char* endpoint :
       {"http://169.254.169.254/latest/meta-data", "http://2852039166/", "http://0xa9fea9fe/",
        "http://[::ffff:a9fe:a9fe]/", "http://tempo:4318", "http://10.0.0.1", "http://localhost"}) {
    pipeline_.spec.exporters[0].destination.endpoint = endpoint;
    EXPECT_THAT(problems(), ElementsAre(testing::AllOf(
                                StartsWith("spec.exporters[tempo].destination.endpoint: "),
                                HasSubstr("public addresses only"))))
        << endpoint;
  }
}

TEST_F(PublicOnly, RefusesInnerEndpointsOfTheOverlay) {
  for (const char* endpoint : {"http://169.254.169.254/", "${env:X}", "http://${file:/x}/"}) {
    pipeline_.spec.exporters[0].config = {
        {"destination", {{"otlp_http", {{"traces_endpoint", endpoint}}}}}};
    EXPECT_THAT(problems(), Contains(StartsWith("spec.exporters[tempo].config.destination.otlp_http"
                                                ".traces_endpoint: ")))
        << endpoint;
  }
}

TEST_F(PublicOnly, NeedsTheNetworkPolicyAsItIs) {
  pipeline_.spec.network_policy.enabled = false;
  pipeline_.spec.network_policy.extra_egress = Json::array({Json::object()});
  EXPECT_THAT(problems(),
              ElementsAre(StartsWith("spec.networkPolicy.enabled: must be true; this operator"),
                          StartsWith("spec.networkPolicy.extraEgress: must be empty; this")));
}

TEST_F(PublicOnly, LeavesKafkaInTheClusterButNotOnTheNode) {
  pipeline_.spec.kafka.bootstrap_servers = "kafka:9092,10.0.0.1:9092,kafka-0.kafka.svc:9092";
  EXPECT_THAT(problems(), IsEmpty());
  pipeline_.spec.kafka.bootstrap_servers = "kafka:9092,169.254.169.254:80";
  EXPECT_THAT(problems(), ElementsAre("spec.kafka.bootstrapServers: 169.254.169.254 is a "
                                      "link-local address"));
}

TEST_F(PublicOnly, IsOffUnlessTheOperatorEnablesIt) {
  facts_.deny_private_endpoints = false;
  pipeline_.spec.exporters[0].destination.endpoint = "http://10.0.0.1:4318";
  EXPECT_THAT(problems(), IsEmpty());
}

}  // namespace
}  // namespace spanway::render
