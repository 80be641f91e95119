#include "services/lib/config/environment.h"

#include <gtest/gtest.h>

#include "tests/unit/config/sample_config.h"

namespace spanway::config {
namespace {

using Variables = std::map<std::string, std::string>;

LoadReport load_with(SampleConfig& config, Variables environment, std::string_view yaml = "") {
  Sources sources;
  sources.environment = std::move(environment);
  return load_sample(config, yaml, sources);
}

TEST(EnvironmentName, JoinsSectionsByTwoUnderscores) {
  EXPECT_EQ(environment_name("SPANWAY", "kafka"), "SPANWAY_KAFKA");
  EXPECT_EQ(environment_name("SPANWAY_KAFKA", "topics"), "SPANWAY_KAFKA__TOPICS");
}

TEST(Environment, SetsEveryTypeOfKey) {
  SampleConfig config;
  const LoadReport report = load_with(config, {{"SPANWAY_KAFKA__BROKERS", "a:1, b:2"},
                                               {"SPANWAY_KAFKA__TOPICS__TRACES", "t"},
                                               {"SPANWAY_KAFKA__PASSWORD", "pa$$${env:X}"},
                                               {"SPANWAY_KAFKA__COMPRESSION", "gzip"},
                                               {"SPANWAY_LISTEN__HOST", ""},
                                               {"SPANWAY_LISTEN__PORT", "1"},
                                               {"SPANWAY_LIMITS__TIMEOUT", "2m"},
                                               {"SPANWAY_LIMITS__BODY", "1MiB"},
                                               {"SPANWAY_LIMITS__RATIO", "0.75"},
                                               {"SPANWAY_LIMITS__WORKERS", "8"},
                                               {"SPANWAY_LIMITS__STRICT", "true"},
                                               {"SPANWAY_LABELS", "a=1, b=x=y"}});
  EXPECT_EQ(format(report.problems, "f"), "");
  EXPECT_TRUE(report.warnings.empty());
  EXPECT_EQ(config.kafka.brokers, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(config.kafka.topics.traces, "t");
  EXPECT_EQ(config.kafka.password.reveal(), "pa$$${env:X}");
  EXPECT_EQ(config.kafka.compression, Compression::kGzip);
  EXPECT_EQ(config.listen.host, "");
  EXPECT_EQ(config.listen.port, 1);
  EXPECT_EQ(config.limits.timeout, Duration(std::chrono::minutes(2)));
  EXPECT_EQ(config.limits.body, 1_MiB);
  EXPECT_EQ(config.limits.ratio, 0.75);
  EXPECT_EQ(config.limits.workers, 8);
  EXPECT_TRUE(config.limits.strict);
  EXPECT_EQ(config.labels, (Variables{{"a", "1"}, {"b", "x=y"}}));
}

TEST(Environment, OwnNameBeatsAliasBeatsFile) {
  const std::string_view yaml = "listen: {port: 1}\n";
  SampleConfig from_file, from_alias, from_first_alias, from_name;
  load_with(from_file, {}, yaml);
  load_with(from_alias, {{"SERVER_PORT", "3"}}, yaml);
  load_with(from_first_alias, {{"SERVER_PORT", "3"}, {"GRPC_PORT", "2"}}, yaml);
  load_with(from_name, {{"SERVER_PORT", "3"}, {"GRPC_PORT", "2"}, {"SPANWAY_LISTEN__PORT", "4"}},
            yaml);
  EXPECT_EQ(from_file.listen.port, 1);
  EXPECT_EQ(from_alias.listen.port, 3);
  EXPECT_EQ(from_first_alias.listen.port, 2);
  EXPECT_EQ(from_name.listen.port, 4);
}

TEST(Environment, EmptyAliasCountsAsNotSet) {
  SampleConfig config;
  EXPECT_TRUE(load_with(config, {{"SERVER_HOST", ""}, {"GRPC_PORT", ""}}).problems.empty());
  EXPECT_EQ(config.listen.host, "0.0.0.0");
  EXPECT_EQ(config.listen.port, 4317);
}

TEST(Environment, ServiceLinksAreNotPorts) {
  SampleConfig config;
  const LoadReport report =
      load_with(config, {{"GRPC_PORT", "tcp://10.0.0.1:4317"}, {"SERVER_PORT", "5"}});
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(config.listen.port, 5);
  ASSERT_EQ(report.warnings.size(), 1U);
  EXPECT_NE(report.warnings[0].find("GRPC_PORT is ignored"), std::string::npos);
}

TEST(Environment, MistakesNameTheVariable) {
  SampleConfig config;
  const LoadReport report = load_with(config, {{"GRPC_PORT", "http"},
                                               {"SPANWAY_LIMITS__STRICT", "yes"},
                                               {"SPANWAY_LABELS", "a"},
                                               {"SPANWAY_KAFKA__TOPICS__LOGS", "a\xff"}});
  EXPECT_EQ(format(report.problems, "f.yaml"),
            "f.yaml: kafka.topics.logs: SPANWAY_KAFKA__TOPICS__LOGS is not valid UTF-8\n"
            "f.yaml: listen.port: GRPC_PORT must be a port from 0 to 65535, not 'http'\n"
            "f.yaml: limits.strict: SPANWAY_LIMITS__STRICT must be true or false, not 'yes'\n"
            "f.yaml: labels: SPANWAY_LABELS must be a map written as k=v,k2=v2\n");
}

TEST(Environment, OverridesItemsOfListsByIndex) {
  const std::string_view yaml = "destinations: [{name: a}, {name: b}]\n";
  SampleConfig config;
  const LoadReport report = load_with(
      config,
      {{"SPANWAY_DESTINATIONS__1__URL", "http://b"}, {"SPANWAY_DESTINATIONS__2__NAME", "c"}}, yaml);
  EXPECT_EQ(format(report.problems, "f"), "");
  EXPECT_TRUE(report.warnings.empty());
  ASSERT_EQ(config.destinations.size(), 3U);
  EXPECT_EQ(config.destinations[0].url, "http://localhost");
  EXPECT_EQ(config.destinations[1].url, "http://b");
  EXPECT_EQ(config.destinations[2].name, "c");
}

TEST(Environment, WarnsOfVariablesThatMatchNoKey) {
  SampleConfig config;
  const LoadReport report = load_with(config, {{"SPANWAY_KAFKA__BROKER", "a:1"},
                                               {"SPANWAY_DESTINATIONS__99999__NAME", "a"},
                                               {"SPANWAY_INGRESS_SERVICE_HOST", "10.0.0.1"},
                                               {"SPANWAY_INGRESS_PORT", "tcp://10.0.0.1:4317"},
                                               {"SPANWAY_INGRESS_PORT_4317_TCP_ADDR", "10.0.0.1"},
                                               {"OTHER", "1"}});
  EXPECT_TRUE(report.problems.empty());
  EXPECT_TRUE(config.destinations.empty());
  ASSERT_EQ(report.warnings.size(), 2U);
  EXPECT_NE(report.warnings[0].find("SPANWAY_DESTINATIONS__99999__NAME"), std::string::npos);
  EXPECT_EQ(report.warnings[1],
            "the environment variable SPANWAY_KAFKA__BROKER matches no key and is ignored (did you "
            "mean 'SPANWAY_KAFKA__BROKERS'?)");
}

TEST(Environment, WarningsAreBounded) {
  Variables variables;
  for (int i = 0; i < 500; ++i) variables["SPANWAY_NONSENSE_" + std::to_string(i)] = "1";
  SampleConfig config;
  EXPECT_EQ(load_with(config, variables).warnings.size(), 100U);
}

}  // namespace
}  // namespace spanway::config
