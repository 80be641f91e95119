#include "operator/reconcile/topic_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TopicClaimsTest : public testing::Test {
 protected:
  static Json pipeline(const std::string& name, const std::string& brokers,
                       const Json& topics = Json::object(),
                       const std::string& name_space = "team") {
    Json made = ControllerFixture::pipeline(name, name_space);
    made["spec"]["kafka"] = {{"bootstrapServers", brokers}, {"topics", topics}};
    return made;
  }
  void put(const Json& object) {
    fixture_.kube.put(kube::kPipelines, object);
    fixture_.clock.advance(std::chrono::seconds(1));
  }
  // True when the second is refused because of the first.
  bool taken(const Json& first, const Json& second) {
    fixture_.kube.put(kube::kPipelines, first);
    fixture_.clock.advance(std::chrono::seconds(1));
    fixture_.kube.put(kube::kPipelines, second);
    fixture_.sync();
    TopicClaims claims(*fixture_.stores);
    std::set<kube::ObjectKey> changed;
    const bool is_taken = claims
                              .sharing_of({kube::string_at(second, "metadata/namespace"),
                                           kube::string_at(second, "metadata/name")},
                                          changed)
                              .taken_by.has_value();
    for (const Json& one : {first, second})
      fixture_.kube.erase(kube::kPipelines, {kube::string_at(one, "metadata/namespace"),
                                             kube::string_at(one, "metadata/name")});
    return is_taken;
  }
  void settle() { fixture_.pass(std::chrono::seconds(30)); }

  ControllerFixture fixture_;
};

TEST_F(TopicClaimsTest, BrokersAreTheSameWhateverPartOfAServiceNameIsWritten) {
  const Json first = pipeline("a", "kafka:9092");
  EXPECT_TRUE(taken(first, pipeline("b", "kafka:9092")));
  EXPECT_TRUE(taken(first, pipeline("b", "x:1,KAFKA.team.svc.cluster.local:9092")));
  EXPECT_TRUE(taken(first, pipeline("b", "kafka.team:9092", {}, "other")));
  EXPECT_FALSE(taken(first, pipeline("b", "kafka:9092", {}, "other")));
  EXPECT_FALSE(taken(first, pipeline("b", "kafka:9093")));
  EXPECT_FALSE(taken(first, pipeline("b", "kafka:9092", {{"prefix", "b."}})));
  EXPECT_TRUE(taken(pipeline("a", "kafka:9092", {{"prefix", "b."}}),
                    pipeline("b", "kafka:9092", {{"names", {{"logs", "b.otel.logs"}}}})));
}

TEST_F(TopicClaimsTest, DeadLettersOfOneAreNotDataOfAnother) {
  const auto named = [](const char* traces) -> Json {
    return {{"names", {{"traces", traces}, {"metrics", "m"}, {"logs", "l"}}}};
  };
  EXPECT_TRUE(
      taken(pipeline("a", "kafka:9092"), pipeline("b", "kafka:9092", named("otel.traces.dlq"))));
  EXPECT_TRUE(
      taken(pipeline("a", "kafka:9092", named("otel.traces.dlq")), pipeline("b", "kafka:9092")));
}

TEST_F(TopicClaimsTest, TheLaterPipelineIsRefusedAndNothingIsCreatedOfIt) {
  put(pipeline("z-first", "kafka:9092"));
  put(pipeline("a-second", "kafka:9092"));
  settle();
  EXPECT_EQ(fixture_.condition("ConfigValid", "z-first"), "True: Valid");
  EXPECT_EQ(fixture_.condition("ConfigValid", "a-second"), "False: TopicsTaken");
  EXPECT_THAT(fixture_.message("ConfigValid", "a-second"), HasSubstr("team/z-first"));
  for (const char* type : {"Ready", "Progressing", "Reconciling"})
    EXPECT_EQ(fixture_.condition(type, "a-second"), "False: TopicsTaken") << type;
  for (const char* type : {"Degraded", "Stalled"})
    EXPECT_EQ(fixture_.condition(type, "a-second"), "True: TopicsTaken") << type;
  EXPECT_TRUE(fixture_.kube.at(kube::kDeployments, {"team", "a-second-ingress"}).is_null());
  fixture_.kube.forget_writes();
  settle();
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
}

TEST_F(TopicClaimsTest, OneThatRunsAndIsRefusedReportsSoInEveryCondition) {
  put(pipeline("first", "kafka:9092"));
  put(pipeline("second", "kafka:9092", {{"prefix", "second."}}));
  fixture_.pass(std::chrono::seconds(60));
  ASSERT_EQ(fixture_.condition("Progressing", "second"), "False: Complete");
  fixture_.change({{"kafka", {{"topics", {{"prefix", nullptr}}}}}}, "second");
  settle();
  for (const char* type : {"ConfigValid", "Progressing", "Reconciling"})
    EXPECT_EQ(fixture_.condition(type, "second"), "False: TopicsTaken") << type;
  for (const char* type : {"Degraded", "Stalled"})
    EXPECT_EQ(fixture_.condition(type, "second"), "True: TopicsTaken") << type;
  EXPECT_EQ(fixture_.condition("Ready", "second"), "True: Running") << "of the last good spec";
}

TEST_F(TopicClaimsTest, APrefixIsTheWayOut) {
  put(pipeline("first", "kafka:9092"));
  put(pipeline("second", "kafka:9092"));
  settle();
  fixture_.change({{"kafka", {{"topics", {{"prefix", "second."}}}}}}, "second");
  settle();
  EXPECT_EQ(fixture_.condition("ConfigValid", "second"), "True: Valid");
  bool is_named = false;
  for (const Json& config_map : fixture_.kube.all(kube::kConfigMaps))
    is_named =
        is_named || kube::to_text(config_map).find("second.otel.traces") != std::string::npos;
  EXPECT_TRUE(is_named);
}

TEST_F(TopicClaimsTest, TheTopicsAreFreeOnceTheEarlierIsGone) {
  put(pipeline("first", "kafka:9092"));
  put(pipeline("second", "kafka:9092"));
  settle();
  fixture_.kube.erase(kube::kPipelines, {"team", "first"});
  settle();
  EXPECT_EQ(fixture_.condition("ConfigValid", "second"), "True: Valid");
}

TEST_F(TopicClaimsTest, WhenBothShareTheLongerRetentionCountsAndBothSayWithWhom) {
  const auto jobs_with = [&](const std::string& retention) {
    int count = 0;
    for (const Json& config_map : fixture_.kube.all(kube::kConfigMaps))
      count +=
          kube::to_text(config_map).find("retention: " + retention) != std::string::npos ||
                  kube::to_text(config_map).find("retention: \\\"" + retention) != std::string::npos
              ? 1
              : 0;
    return count;
  };
  put(pipeline("first", "kafka:9092", {{"shared", true}, {"retention", "48h"}}));
  put(pipeline("second", "kafka:9092", {{"shared", true}, {"retention", "12h"}}));
  settle();
  for (const char* name : {"first", "second"})
    EXPECT_EQ(fixture_.condition("ConfigValid", name), "True: Valid");
  EXPECT_EQ(fixture_.status("first")["topicsSharedWith"], Json::array({"team/second"}));
  EXPECT_EQ(fixture_.status("second")["topicsSharedWith"], Json::array({"team/first"}));
  EXPECT_EQ(jobs_with("12h"), 0);
  EXPECT_GE(jobs_with("2d") + jobs_with("48h"), 2);
  fixture_.change({{"kafka", {{"topics", {{"shared", false}}}}}}, "first");
  settle();
  EXPECT_EQ(fixture_.condition("ConfigValid", "second"), "False: TopicsTaken");
}

}  // namespace
}  // namespace spanway::reconcile
