#include "operator/decide/topic_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_decide/renderings.h"

namespace spanway::decide {
namespace {

using testing::HasSubstr;

class TopicSettingsTest : public testing::Test {
 protected:
  TopicSettingsTest() {
    topics_.prefix = "a.";
    topics_.partitions = 12;
    topics_.replication_factor = 3;
    topics_.min_insync_replicas = 2;
    const ComponentView bridge =
        healthy_view({.id = {render::Role::kBridge, ""}, .revision = "r"}, 0);
    pod_ = bridge.pods.at(0).name;
    views_ = {bridge};
    report_.answered = true;
    settings_ = {.name = "a.otel.traces",
                 .partitions = 12,
                 .replication_factor = 3,
                 .min_insync_replicas = 2,
                 .retention_ms = 86'400'000,
                 .retention_bytes = -1,
                 .unclean_leader_election = false,
                 .cleanup_policy = "delete"};
  }
  std::string weaker() {
    report_.topic_settings = {settings_};
    return weaker_topic(topics_, views_, {{pod_, report_}});
  }

  api::Topics topics_;
  std::string pod_;
  std::vector<ComponentView> views_;
  StatuszReport report_;
  TopicSettingsReport settings_;
};

TEST_F(TopicSettingsTest, ATopicAsItsSpecOrStrongerIsNotWeaker) {
  EXPECT_EQ(weaker(), "");
  settings_.partitions = 24;
  settings_.replication_factor = 5;
  settings_.min_insync_replicas = 3;
  settings_.retention_ms = -1;
  settings_.retention_bytes = std::int64_t{1} << 30;
  EXPECT_EQ(weaker(), "");
}

TEST_F(TopicSettingsTest, NamesTopicSettingAndBothValues) {
  settings_.retention_ms = 60'000;
  EXPECT_EQ(weaker(), "a.otel.traces: retention.ms is 60000, the spec requires 86400000");
  settings_.min_insync_replicas = 1;
  EXPECT_THAT(weaker(), HasSubstr("; min.insync.replicas is 1, the spec requires 2"));
}

TEST_F(TopicSettingsTest, FindsEverySettingThatCanLoseRecords) {
  const TopicSettingsReport good = settings_;
  settings_.replication_factor = 1;
  EXPECT_THAT(weaker(), HasSubstr("replication factor is 1, the spec requires 3"));
  settings_ = good;
  settings_.partitions = 6;
  EXPECT_THAT(weaker(), HasSubstr("number of partitions is 6, the spec requires 12"));
  settings_ = good;
  settings_.unclean_leader_election = true;
  EXPECT_THAT(weaker(), HasSubstr("unclean.leader.election.enable is true"));
  settings_ = good;
  settings_.cleanup_policy = "compact,delete";
  EXPECT_THAT(weaker(), HasSubstr("cleanup.policy is compact,delete"));
  settings_ = good;
  settings_.retention_bytes = 1'000'000;
  EXPECT_THAT(weaker(), HasSubstr("retention.bytes is 1000000"));
}

TEST_F(TopicSettingsTest, WhatIsNotKnownIsNotWeaker) {
  settings_ = {.name = "a.otel.traces"};
  EXPECT_EQ(weaker(), "");
  topics_.min_insync_replicas = 0;
  topics_.replication_factor = 0;
  settings_.replication_factor = 1;
  settings_.min_insync_replicas = 1;
  EXPECT_EQ(weaker(), "") << "the broker's default";
}

TEST_F(TopicSettingsTest, DeadLettersHaveARetentionOfTheirOwn) {
  settings_.name = "a.otel.logs.dlq";
  settings_.partitions = 1;
  EXPECT_THAT(weaker(), HasSubstr("retention.ms is 86400000, the spec requires 1209600000"));
  settings_.retention_ms = 1'209'600'000;
  EXPECT_EQ(weaker(), "");
}

TEST_F(TopicSettingsTest, TopicsOfOthersAndPodsThatDoNotCountAreLeftOut) {
  settings_.retention_ms = 1;
  settings_.name = "otel.traces";
  EXPECT_EQ(weaker(), "");
  settings_.name = "a.otel.traces";
  report_.answered = false;
  EXPECT_EQ(weaker(), "");
  report_.answered = true;
  views_[0].pods[0].canary = true;
  EXPECT_EQ(weaker(), "") << "a canary belongs to the rollout";
}

}  // namespace
}  // namespace spanway::decide
