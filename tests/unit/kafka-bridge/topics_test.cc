#include "services/kafka-bridge/topics.h"

#include <gtest/gtest.h>

namespace spanway::kafka_bridge {
namespace {

TEST(Topics, EverySignalHasItsTopicAndItsDeadLetters) {
  BridgeConfig config;
  config.topics.partitions = 6;
  config.topics.retention = std::chrono::hours(2);
  config.topics.min_insync_replicas = 2;
  config.topics.replication_factor = 3;
  const auto specs = topic_specs(config, {otlp::Signal::kTraces, otlp::Signal::kLogs});
  ASSERT_EQ(specs.size(), 4u);
  EXPECT_EQ(specs[0].name, "otel.traces");
  EXPECT_EQ(specs[0].partitions, 6);
  EXPECT_EQ(specs[0].replication_factor, 3);
  EXPECT_EQ(specs[0].settings.at("retention.ms"), "7200000");
  EXPECT_EQ(specs[0].settings.at("min.insync.replicas"), "2");
  EXPECT_EQ(specs[0].settings.at("unclean.leader.election.enable"), "false");
  EXPECT_EQ(specs[0].settings.at("message.timestamp.type"), "LogAppendTime")
      << "the retention does not depend on the clocks of producers";
  EXPECT_EQ(specs[1].settings.at("message.timestamp.type"), "LogAppendTime");
  EXPECT_EQ(specs[1].name, "otel.traces.dlq");
  EXPECT_EQ(specs[1].partitions, 1);
  EXPECT_EQ(specs[3].name, "otel.logs.dlq");
}

TEST(Topics, WhatIsLeftToTheBrokerIsNotSet) {
  const auto specs = topic_specs(BridgeConfig(), {otlp::Signal::kTraces});
  EXPECT_EQ(specs[0].replication_factor, -1);
  EXPECT_EQ(specs[0].settings.count("min.insync.replicas"), 0u);
  EXPECT_EQ(specs[0].settings.count("max.message.bytes"), 0u) << "900 KiB fit by default";
}

TEST(Topics, LargerRecordsNeedLargerTopics) {
  BridgeConfig config;
  config.producer.kafka.record_bytes_max = {4u << 20};
  const auto specs = topic_specs(config, {otlp::Signal::kTraces});
  EXPECT_EQ(specs[0].settings.at("max.message.bytes"), std::to_string((4u << 20) + (64u << 10)));
}

TEST(Topics, TraceIdsAsKeysAreOfTheSignalsTopicsOnly) {
  BridgeConfig config;
  EXPECT_FALSE(topic_specs(config, {otlp::Signal::kTraces})[0].keyed);
  config.producer.record_key = ProduceConfig::RecordKey::kTraceId;
  EXPECT_TRUE(topic_specs(config, {otlp::Signal::kTraces})[0].keyed);
  EXPECT_FALSE(topic_specs(config, {otlp::Signal::kTraces})[1].keyed) << "dead letters";
}

TEST(Topics, WeaknessesNameTheirTopic) {
  kafka::TopicReport weak;
  weak.name = "a";
  weak.weaker = {"retention.bytes is 5"};
  weak.notes = {"max.message.bytes is 7"};
  weak.min_insync_replicas = 1;
  kafka::TopicReport strong;
  strong.name = "b";
  strong.min_insync_replicas = 2;
  const auto found = weaknesses({weak, strong});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0], "a: retention.bytes is 5");
  EXPECT_EQ(found[1], "a: max.message.bytes is 7");
  EXPECT_TRUE(found[2].starts_with("a: min.insync.replicas is 1")) << found[2];
}

TEST(Topics, ReportsAsJson) {
  kafka::TopicReport made;
  made.name = "a";
  made.action = kafka::TopicReport::Action::kCreated;
  made.partitions = 3;
  made.replication_factor = 1;
  EXPECT_EQ(to_json({made}),
            R"({"topics":[{"name":"a","action":"created","partitions":3,"replication_factor":1,)"
            R"("weaker":[],"error":""}],"ok":true})");
  made.weaker = {"min.insync.replicas is 1, configured 2"};
  EXPECT_NE(to_json({made}).find(R"("weaker":["min.insync.replicas is 1, configured 2"])"),
            std::string::npos);
  EXPECT_NE(to_json({made}).find(R"("ok":false)"), std::string::npos);
}

TEST(Topics, WhatIsKnownOfTheSettingsIsReported) {
  kafka::TopicReport found;
  found.name = "a";
  found.min_insync_replicas = 2;
  EXPECT_NE(to_json({found}).find(R"("replication_factor":0,"min_insync_replicas":2,"weaker")"),
            std::string::npos);
  found.min_insync_replicas.reset();
  found.unread = "not authorized";
  const std::string json = to_json({found});
  EXPECT_EQ(json.find("min_insync_replicas"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("error":"","unread":"not authorized"})"), std::string::npos) << json;
  EXPECT_TRUE(json.ends_with(R"("ok":true})")) << "a denied read is no fault: " << json;
}

TEST(Topics, TheTerminationReportIsCompleteWithoutSecretsAndShort) {
  kafka::TopicReport made;
  made.name = "otel.traces";
  made.action = kafka::TopicReport::Action::kCreated;
  made.partitions = 12;
  made.replication_factor = 3;
  EXPECT_EQ(termination_report({made}), to_json({made}));

  made.error = "sasl.password=hunter2 is wrong";
  made.unread = "token=hunter2 may not read";
  EXPECT_EQ(termination_report({made}).find("hunter2"), std::string::npos);

  // Six topics with the longest names that Kafka takes, and everything wrong with them.
  made.name = std::string(249, 'n');
  made.error = std::string(5'000, 'e');
  made.weaker = {std::string(5'000, 'w'), std::string(5'000, 'v'), std::string(5'000, 'u')};
  made.min_insync_replicas = 32;
  made.unread = std::string(5'000, 'n');
  const std::string report = termination_report(std::vector<kafka::TopicReport>(6, made));
  EXPECT_LT(report.size(), 4096u);
  EXPECT_TRUE(report.ends_with(R"("ok":true})") || report.ends_with(R"("ok":false})"));
  EXPECT_NE(report.find(made.name), std::string::npos);

  const std::string too_many = termination_report(std::vector<kafka::TopicReport>(60, made));
  EXPECT_LT(too_many.size(), 4096u);
  EXPECT_NE(too_many.find("too long"), std::string::npos);
}

}  // namespace
}  // namespace spanway::kafka_bridge
