#include "services/lib/kafka/topic_promises.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::kafka {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TopicReport report_of(std::int32_t partitions, std::int32_t replication_factor) {
  TopicReport report;
  report.name = "otel.traces";
  report.partitions = partitions;
  report.replication_factor = replication_factor;
  return report;
}

TopicReport compared(const std::map<std::string, std::string>& configured,
                     const std::map<std::string, std::string>& actual,
                     std::int32_t replication_factor = 3) {
  TopicSpec spec;
  spec.settings = configured;
  TopicReport report = report_of(12, replication_factor);
  compare_settings(spec, actual, report);
  return report;
}

TEST(TopicPromises, FewerCopiesAndPartitionsAreWeaker) {
  TopicSpec spec;
  spec.partitions = 12;
  spec.replication_factor = 3;
  TopicReport report = report_of(6, 1);
  compare_numbers(spec, report);
  EXPECT_THAT(report.weaker, ElementsAre("replication factor is 1, configured 3",
                                         "has 6 partitions, configured 12"));
  report = report_of(24, 4);
  compare_numbers(spec, report);
  EXPECT_THAT(report.weaker, IsEmpty());
  spec.replication_factor = -1;
  report = report_of(12, 1);
  compare_numbers(spec, report);
  EXPECT_THAT(report.weaker, IsEmpty()) << "the broker's default is what was requested";
}

TEST(TopicPromises, TimestampsOfProducersAreNotedAndNoFailure) {
  const std::map<std::string, std::string> ours = {{"message.timestamp.type", "LogAppendTime"}};
  const TopicReport found = compared(ours, {{"message.timestamp.type", "CreateTime"}});
  EXPECT_THAT(found.weaker, IsEmpty()) << "topics of others have it: the broker's default";
  EXPECT_THAT(found.notes, ElementsAre(HasSubstr("message.timestamp.type is CreateTime")));
  EXPECT_THAT(compared(ours, ours).notes, IsEmpty());
}

TEST(TopicPromises, ATopicThatTakesLessThanIsWrittenIsNoted) {
  TopicSpec spec;
  spec.record_bytes = 985'600;
  TopicReport report = report_of(12, 3);
  compare_settings(spec, {{"max.message.bytes", "200000"}}, report);
  EXPECT_EQ(report.message_bytes_max, 200'000u);
  EXPECT_THAT(report.notes, ElementsAre(AllOf(HasSubstr("max.message.bytes is 200000"),
                                              HasSubstr("producer.record_bytes_max"))));
  report = report_of(12, 3);
  compare_settings(spec, {{"max.message.bytes", "1048588"}}, report);
  EXPECT_THAT(report.notes, IsEmpty());
}

TEST(TopicPromises, MinInsyncReplicasInEffectAreReportedConfiguredOrNot) {
  EXPECT_EQ(compared({}, {{"min.insync.replicas", "2"}}).min_insync_replicas, 2);
  EXPECT_THAT(compared({}, {{"min.insync.replicas", "1"}}).weaker, IsEmpty());
  EXPECT_EQ(compared({}, {{"retention.ms", "1"}}).min_insync_replicas, std::nullopt);
  EXPECT_EQ(compared({}, {{"min.insync.replicas", "many"}}).min_insync_replicas, std::nullopt);
  EXPECT_EQ(compared({}, {{"min.insync.replicas", ""}}).min_insync_replicas, std::nullopt);
}

TEST(TopicPromises, FewerInSyncThanRequestedIsWeaker) {
  const std::map<std::string, std::string> configured = {{"min.insync.replicas", "2"}};
  const TopicReport weak = compared(configured, {{"min.insync.replicas", "1"}});
  EXPECT_EQ(weak.min_insync_replicas, 1);
  EXPECT_THAT(weak.weaker, ElementsAre("min.insync.replicas is 1, configured 2"));
  EXPECT_THAT(compared(configured, {{"min.insync.replicas", "2"}}).weaker, IsEmpty());
  EXPECT_THAT(compared(configured, {{"min.insync.replicas", "3"}}).weaker, IsEmpty());
}

TEST(TopicPromises, MoreInSyncThanReplicasReportsTheEffectAndTheRemedy) {
  const TopicReport report = compared({}, {{"min.insync.replicas", "2"}}, 1);
  EXPECT_EQ(report.min_insync_replicas, 2);
  EXPECT_THAT(
      report.weaker,
      ElementsAre(AllOf(HasSubstr("min.insync.replicas is 2 but the replication factor is 1"),
                        HasSubstr("refuse every record"),
                        HasSubstr("raise the factor or lower the setting"))));
  // The termination message cuts longer texts.
  EXPECT_LE(compared({}, {{"min.insync.replicas", "32"}}, 10).weaker.at(0).size(), 256u);
  EXPECT_THAT(compared({}, {{"min.insync.replicas", "2"}}, 2).weaker, IsEmpty());
  EXPECT_THAT(compared({}, {{"min.insync.replicas", "2"}}, 0).weaker, IsEmpty())
      << "how many copies there are is not known";
}

TEST(TopicPromises, OtherSettingsAreComparedByWhatTheyMean) {
  EXPECT_THAT(compared({{"retention.ms", "1000"}}, {{"retention.ms", "-1"}}).weaker, IsEmpty());
  EXPECT_THAT(compared({{"retention.ms", "-1"}}, {{"retention.ms", "1000"}}).weaker,
              ElementsAre("retention.ms is 1000, configured -1"));
  EXPECT_THAT(compared({{"unclean.leader.election.enable", "false"}},
                       {{"unclean.leader.election.enable", "true"}})
                  .weaker,
              ElementsAre("unclean.leader.election.enable is true, configured false"));
  EXPECT_THAT(compared({{"max.message.bytes", "10"}}, {{"max.message.bytes", "9"}}).weaker,
              ElementsAre("max.message.bytes is 9, configured 10"));
  EXPECT_THAT(compared({{"max.message.bytes", "10"}}, {}).weaker, IsEmpty())
      << "not reported is not weaker";
}

TEST(TopicPromises, WhatDeletesUnreadRecordsEarlyIsWeaker) {
  const TopicReport compacted = compared({}, {{"cleanup.policy", "delete,compact"}});
  EXPECT_TRUE(compacted.compacted);
  EXPECT_THAT(compacted.weaker, ElementsAre(HasSubstr("cleanup.policy is delete,compact")));
  EXPECT_NE(compacted.action, TopicReport::Action::kFailed) << "records without keys are refused";
  const TopicReport kept = compared({}, {{"cleanup.policy", "delete"}, {"retention.bytes", "-1"}});
  EXPECT_FALSE(kept.compacted);
  EXPECT_THAT(kept.weaker, IsEmpty());
  EXPECT_THAT(compared({}, {{"retention.bytes", "1000000"}}).weaker,
              ElementsAre(HasSubstr("retention.bytes is 1000000")));
  EXPECT_THAT(compared({}, {{"retention.bytes", "1073741824"}}).weaker, IsEmpty());
}

TEST(TopicPromises, ACompactedTopicIsRefusedForRecordsWithKeys) {
  TopicSpec spec;
  spec.name = "t";
  spec.keyed = true;
  TopicReport report = report_of(1, 1);
  compare_settings(spec, {{"cleanup.policy", "compact"}}, report);
  EXPECT_EQ(report.action, TopicReport::Action::kFailed);
  EXPECT_THAT(report.error, HasSubstr("cleanup.policy=compact"));
  EXPECT_THAT(report.error, HasSubstr("record_key: none"));
  report = report_of(1, 1);
  compare_settings(spec, {{"cleanup.policy", "delete"}}, report);
  EXPECT_EQ(report.action, TopicReport::Action::kUnchanged);
}

TEST(TopicPromises, TheReportHasTheSettingsInEffect) {
  const TopicReport report = compared({}, {{"retention.ms", "60000"},
                                           {"retention.bytes", "-1"},
                                           {"cleanup.policy", "delete"},
                                           {"unclean.leader.election.enable", "true"}});
  EXPECT_EQ(report.retention_ms, 60'000);
  EXPECT_EQ(report.retention_bytes, -1);
  EXPECT_EQ(report.cleanup_policy, "delete");
  EXPECT_EQ(report.unclean_leader_election, true);
  const TopicReport unknown = compared({}, {});
  EXPECT_EQ(unknown.retention_ms, std::nullopt);
  EXPECT_EQ(unknown.unclean_leader_election, std::nullopt);
}

TEST(TopicPromises, OnlyWhatIsWeakerIsChanged) {
  TopicSpec spec;
  spec.settings = {{"retention.ms", "1000"},
                   {"max.message.bytes", "500"},
                   {"min.insync.replicas", "2"},
                   {"message.timestamp.type", "LogAppendTime"}};
  std::map<std::string, std::string> settings = {{"retention.ms", "999"},
                                                 {"max.message.bytes", "501"},
                                                 {"min.insync.replicas", "1"},
                                                 {"message.timestamp.type", "CreateTime"}};
  EXPECT_THAT(weaker_settings(spec, settings, 3),
              UnorderedElementsAre(Pair("retention.ms", "1000"), Pair("min.insync.replicas", "2")));
  EXPECT_THAT(weaker_settings(spec, settings, 1), ElementsAre(Pair("retention.ms", "1000")))
      << "one copy cannot keep two in sync";
  settings["retention.ms"] = "-1";
  EXPECT_THAT(weaker_settings(spec, settings, 1), IsEmpty()) << "for ever is kept";
}

}  // namespace
}  // namespace spanway::kafka
