#include "services/kafka-bridge/config.h"

#include <gtest/gtest.h>

#include <string>

#include "services/lib/config/load.h"
#include "services/lib/config/memory_limit.h"

namespace spanway::kafka_bridge {
namespace {

std::string problems_of(std::string_view yaml, BridgeConfig& config) {
  const auto report = config::load(
      yaml, "f.yaml", {}, [&config](config::Binder& b) { describe(b, config); },
      [&config](config::Problems& p) { validate(config, p); });
  return config::format(report.problems, "f.yaml");
}
std::string problems_of(std::string_view yaml) {
  BridgeConfig config;
  return problems_of(yaml, config);
}

TEST(BridgeConfig, DefaultsAreGoodInEveryMode) {
  for (const char* mode : {"mode: produce", "mode: consume", "mode: both"}) {
    EXPECT_EQ(problems_of(mode), "") << mode;
  }
}

TEST(BridgeConfig, TheFallbackOfDeadLettersIsOneAndNoTopicOfASignal) {
  const auto with = [](const std::string& fallback) {
    return problems_of("mode: consume\nconsumer: {dead_letters: {fallback: " + fallback + "}}");
  };
  EXPECT_EQ(with("{topic: otel.fallback}"), "");
  EXPECT_EQ(with("{file: /letters, file_bytes_max: 10MiB}"), "");
  EXPECT_NE(with("{topic: t, file: /letters}").find("not both"), std::string::npos);
  EXPECT_NE(with("{topic: otel.logs}").find("dead-letter topic"), std::string::npos);
  EXPECT_NE(with("{topic: otel.traces.dlq}").find("dead-letter topic"), std::string::npos);
}

TEST(BridgeConfig, TakesAWholeFile) {
  BridgeConfig c;
  EXPECT_EQ(problems_of(R"(
mode: consume
kafka: {brokers: [k:9092]}
create_topics: true
consumer:
  destination: jaeger
  signals: [traces, logs]
  start_from: earliest
  group_instance_id: pod-0
  max_in_flight_per_partition: 1
  batch_identity: true
  batch: {bytes_max: 8MiB, items_max: 10, linger: 20ms}
  retry: {initial: 1s, max: 2s, unknown_tries: 3}
  dead_letters: {partial: count}
destination:
  endpoint: exporter:4337
  tls: {enabled: true, ca_file: /ca}
  headers: [{name: authorization, value: Bearer x}]
  timeout: 5s
topics: {partitions: 6, replication_factor: 3, min_insync_replicas: 2, retention: 48h}
memory_limit: 1024MiB
)",
                        c),
            "");
  EXPECT_EQ(c.mode, Mode::kConsume);
  EXPECT_EQ(c.consumer.group(), "spanway-jaeger");
  EXPECT_EQ(c.consumer.kafka.start_from, kafka::ConsumerConfig::StartFrom::kEarliest);
  EXPECT_EQ(c.consumer.batch.bytes_max.bytes, 8u << 20);
  EXPECT_EQ(c.consumer.dead_letters.partial, DeadLetterConfig::Partial::kCount);
  EXPECT_EQ(c.destination.headers[0].value.reveal(), "Bearer x");
  EXPECT_TRUE(c.consumes());
  EXPECT_FALSE(c.produces());
}

TEST(BridgeConfig, AnExplicitGroupWins) {
  BridgeConfig c;
  EXPECT_EQ(problems_of("consumer: {group: mine, destination: d}", c), "");
  EXPECT_EQ(c.consumer.group(), "mine");
}

TEST(BridgeConfig, PrintsNoSecrets) {
  BridgeConfig c;
  ASSERT_EQ(problems_of("mode: consume\n"
                        "destination: {headers: [{name: authorization, value: hush-hush}]}\n"
                        "kafka: {sasl: {mechanism: plain, username: u, password: hush-hush}}",
                        c),
            "");
  const std::string printed = config::print([&c](config::Binder& b) { describe(b, c); });
  EXPECT_EQ(printed.find("hush"), std::string::npos) << printed;
}

struct Mistake {
  const char* yaml;
  const char* says;
};

TEST(BridgeConfig, NamesEachMistake) {
  const Mistake mistakes[] = {
      {"mode: consume\nconsumer: {signals: []}", "at least one signal"},
      {"mode: consume\nconsumer: {signals: [traces, traces]}", "is listed twice"},
      {"mode: consume\nconsumer: {signals: [profiles]}", "profiles"},
      {"mode: consume\nconsumer: {destination: 'a b'}", "consumer.destination"},
      {"mode: consume\ndestination: {endpoint: exporter}", "must be host:port"},
      {"mode: consume\ndestination: {endpoint: 'exporter:99999'}", "must be host:port"},
      {"mode: consume\ndestination: {headers: [{name: te, value: x}]}", "set by the sender"},
      {"mode: consume\ndestination: {headers: [{name: a, value: \"x\\ny\"}]}", "printable ASCII"},
      {"mode: consume\ndestination: {endpoint: 'http://e:1'}", "must be host:port"},
      {"mode: consume\ndestination: {tls: {ca_file: /x}}", "destination.tls.enabled"},
      {"mode: consume\nconsumer: {retry: {initial: 10s, max: 1s}}", "must not be larger"},
      {"mode: consume\nconsumer: {max_in_flight_per_partition: 8}\ndestination: {in_flight_max: 4}",
       "must not be smaller"},
      {"mode: consume\nconsumer: {batch: {bytes_max: 200MiB}}", "three consumer.batch.bytes_max"},
      {"mode: consume\nconsumer: {partitions_max: 1000}", "memory_limit"},
      {"mode: produce\nlimits: {body_bytes_max: 300MiB}", "twice limits.body_bytes_max"},
      {"memory_limit: 128MiB", "32 MiB for the process"},
      {"memory: {limit: 128MiB}", "memory"},
      {"limits: {item_bytes_max: 2MiB}", "one item must fit a record"},
      {"limits: {request_timeout: 9s}", "must be smaller than limits.request_timeout"},
      {"otlp: {tls: {certificate_file: /c}}", "go together"},
      {"topics: {replication_factor: 2, min_insync_replicas: 3}", "must not be larger"},
      {"kafka: {brokers: [x]}", "kafka.brokers"},
      {"consumre: {}", "did you mean"},
  };
  for (const Mistake& mistake : mistakes) {
    EXPECT_NE(problems_of(mistake.yaml).find(mistake.says), std::string::npos)
        << mistake.yaml << "\n gives: " << problems_of(mistake.yaml);
  }
}

TEST(BridgeConfig, OnlyTheSharesOfItsModeCount) {
  EXPECT_EQ(problems_of("mode: produce\nconsumer: {partitions_max: 1000}"), "");
  EXPECT_EQ(problems_of("mode: consume\nlimits: {body_bytes_max: 300MiB}"), "");
}

TEST(BridgeConfig, TheBudgetIsWhatTheLimitLeaves) {
  BridgeConfig c;
  ASSERT_EQ(problems_of("mode: both\nmemory_limit: 1GiB", c), "");
  EXPECT_GT(budget_bytes(c), 512u << 20);
  EXPECT_LE(budget_bytes(c) + kafka_bytes(c) + config::kProcessBytes, c.memory_limit.bytes);
}

}  // namespace
}  // namespace spanway::kafka_bridge
