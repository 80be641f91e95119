#include "services/lib/kafka/client_config.h"

#include <gtest/gtest.h>

#include <string>

#include "services/lib/config/load.h"

namespace spanway::kafka {
namespace {

// The problems of `yaml` as section "kafka", one a line.
std::string problems_of(std::string_view yaml, ClientConfig& config) {
  const config::Describe describe_all = [&config](config::Binder& b) {
    b.section("kafka", config, "");
  };
  const auto report = config::load(yaml, "f.yaml", {}, describe_all,
                                   [&config](config::Problems& p) { validate(config, p); });
  return config::format(report.problems, "f.yaml");
}

std::string problems_of(std::string_view yaml) {
  ClientConfig config;
  return problems_of(yaml, config);
}

TEST(ClientConfig, DefaultsAreGood) { EXPECT_EQ(problems_of(""), ""); }

TEST(ClientConfig, TakesEverySetting) {
  ClientConfig c;
  EXPECT_EQ(problems_of(R"(
kafka:
  brokers: [a:1, b:65535]
  client_id: me
  tls: {enabled: true, ca_file: /ca, certificate_file: /crt, key_file: /key, key_password: pw}
  sasl: {mechanism: scram_sha_512, username: u, password: p}
  topics: {traces: t, metrics: m, logs: l}
  dead_letter_suffix: .dead
  librdkafka: {socket.timeout.ms: "1000"}
)",
                        c),
            "");
  EXPECT_EQ(c.brokers, (std::vector<std::string>{"a:1", "b:65535"}));
  EXPECT_EQ(c.sasl.mechanism, SaslConfig::Mechanism::kScramSha512);
  EXPECT_EQ(c.sasl.password.reveal(), "p");
  EXPECT_EQ(c.tls.key_password.reveal(), "pw");
  EXPECT_EQ(c.topics.logs, "l");
  EXPECT_EQ(c.dead_letter_suffix, ".dead");
  EXPECT_EQ(c.librdkafka.at("socket.timeout.ms"), "1000");
}

TEST(ClientConfig, TakesTheWellKnownNamesFromTheEnvironment) {
  ClientConfig config;
  config::Sources sources;
  sources.environment = {{"KAFKA_BROKERS", "k1:9092,k2:9092"}, {"KAFKA_TOPIC", "spans"}};
  const auto report = config::load(
      "", "f.yaml", sources, [&config](config::Binder& b) { b.section("kafka", config, ""); },
      [](config::Problems&) {});
  EXPECT_TRUE(report.problems.empty());
  EXPECT_EQ(config.brokers, (std::vector<std::string>{"k1:9092", "k2:9092"}));
  EXPECT_EQ(config.topics.traces, "spans");
}

struct Mistake {
  const char* yaml;
  const char* says;
};

TEST(ClientConfig, NamesEachMistake) {
  const Mistake mistakes[] = {
      {"kafka: {brokers: []}", "at least one host:port"},
      {"kafka: {brokers: [localhost]}", "'localhost' must be host:port"},
      {"kafka: {brokers: ['a:0']}", "the port is a number from 1 to 65535"},
      {"kafka: {brokers: ['a:70000']}", "the port is a number from 1 to 65535"},
      {"kafka: {brokers: [':9092']}", "has no host"},
      {"kafka: {brokers: ['kafka://a:9092']}", "without a scheme"},
      {"kafka: {topics: {traces: 'a b'}}", "'a b' is not a valid topic name"},
      {"kafka: {topics: {traces: ..}}", "is not a valid topic name"},
      {"kafka: {topics: {traces: x, logs: x}}", "the same topic as another signal"},
      {"kafka: {topics: {traces: x, logs: x.dlq}}",
       "'x.dlq' is the dead-letter topic of kafka.topics.traces"},
      {"kafka: {dead_letter_suffix: ''}", "must not be empty"},
      {"kafka: {tls: {enabled: true, certificate_file: /c}}", "belong together"},
      {"kafka: {tls: {ca_file: /c}}", "is false although other TLS settings"},
      {"kafka: {sasl: {mechanism: plain}}", "needs username and password"},
      {"kafka: {sasl: {username: u}}", "is none although a username"},
      {"kafka: {librdkafka: {enable.idempotence: 'false'}}", "is not among the raw settings"},
      {"kafka: {librdkafka: {acks: '1'}}", "is not among the raw settings"},
      {"kafka: {librdkafka: {sasl.password: x}}", "is not among the raw settings"},
  };
  for (const Mistake& mistake : mistakes) {
    EXPECT_NE(problems_of(mistake.yaml).find(mistake.says), std::string::npos)
        << mistake.yaml << "\n gives: " << problems_of(mistake.yaml);
  }
}

TEST(ClientConfig, APasswordComesFromTheConfigurationOrFromAFileThatIsReadAgain) {
  EXPECT_EQ(problems_of("kafka: {sasl: {mechanism: plain, username: u, password_file: /p}}"), "");
  EXPECT_NE(problems_of("kafka: {sasl: {mechanism: plain, username: u}}"), "");
  EXPECT_NE(
      problems_of("kafka: {sasl: {mechanism: plain, username: u, password: p, password_file: /p}}"),
      "");
}

}  // namespace
}  // namespace spanway::kafka
