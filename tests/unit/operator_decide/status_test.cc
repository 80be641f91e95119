#include "operator/decide/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "operator/api/schema.h"
#include "operator/decide/wall_time.h"
#include "tests/unit/operator_decide/status_fixture.h"

namespace spanway::decide {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Phase = RolloutDecision::Phase;

TEST_F(StatusTest, HasThirteenConditionsOfWhichNoneIsWrong) {
  const Json status = scene_.update();
  std::vector<std::string> types;
  for (const Json& one : status["conditions"]) {
    types.push_back(kube::string_at(one, "type"));
    EXPECT_EQ(kube::int_at(one, "observedGeneration"), 3);
    EXPECT_EQ(kube::string_at(one, "lastTransitionTime"), wall_time_text(kSceneStartMs));
    EXPECT_FALSE(kube::string_at(one, "message").empty());
  }
  EXPECT_THAT(types,
              ElementsAre("Ready", "Progressing", "ConfigValid", "KafkaReachable", "TopicsReady",
                          "ExportersHealthy", "Degraded", "RolledBack", "ScalingLimited",
                          "RetentionAtRisk", "Paused", "Reconciling", "Stalled"));
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Progressing"), "False: Complete");
  EXPECT_EQ(scene_.condition("ConfigValid"), "True: Valid");
  EXPECT_EQ(scene_.condition("KafkaReachable"), "True: Reachable");
  EXPECT_EQ(scene_.condition("TopicsReady"), "True: Ready");
  EXPECT_EQ(scene_.condition("ExportersHealthy"), "True: Delivering");
  EXPECT_EQ(scene_.condition("Degraded"), "False: AsExpected");
  EXPECT_EQ(scene_.condition("RolledBack"), "False: NotRolledBack");
  EXPECT_EQ(scene_.condition("ScalingLimited"), "False: NotLimited");
  EXPECT_EQ(scene_.condition("RetentionAtRisk"), "False: LagWithinRetention");
  EXPECT_EQ(scene_.condition("Paused"), "False: NotPaused");
  EXPECT_EQ(kube::int_at(status, "observedGeneration"), 3);
}

// ---- ConfigValid --------------------------------------------------------------------------------

TEST_F(StatusTest, WithARefusedSpecTheLastGoodOneIsObservedOn) {
  scene_.update();
  scene_.pipeline.generation = 4;
  scene_.problems.add("spec.ingress.config", "has no such key");
  scene_.keeps_desired = true;
  scene_.update();
  EXPECT_EQ(scene_.condition("ConfigValid"), "False: ConfigInvalid");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Stalled"), "True: ConfigInvalid");
  EXPECT_EQ(scene_.condition("Progressing"), "False: ConfigInvalid");
  EXPECT_EQ(kstatus(scene_.status, 4), "Failed");
  scene_.report(kSceneBridge).kafka_reachable = false;
  EXPECT_EQ(condition_after_update("Ready"), "False: KafkaUnreachable")
      << "its conditions are fresh";
  EXPECT_THAT(scene_.message("Degraded"), AllOf(HasSubstr("has no such key"), HasSubstr("broker")));
}

TEST_F(StatusTest, AMissingSecretIsInTheConditions) {
  scene_.secret_problems.add("spec.ingress.tls.secretName", "there is no Secret \"x\"");
  EXPECT_EQ(condition_after_update("ConfigValid"), "False: SecretMissing");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running");
  EXPECT_EQ(scene_.condition("Degraded"), "True: SecretMissing");
  scene_.views[kSceneIngress].stable.exists = false;
  scene_.views[kSceneIngress].pods.clear();
  EXPECT_EQ(condition_after_update("Ready"), "False: SecretMissing")
      << "nothing was made of it yet";
}

TEST_F(StatusTest, APausedPipelineIsObserved) {
  const Json config = scene_.update()["config"];
  scene_.paused = true;
  scene_.pipeline.generation = 4;
  scene_.set_rollout(Phase::kRolling, "CanaryStarting", "not now");
  scene_.report(kSceneBridge).kafka_reachable = false;
  EXPECT_EQ(condition_after_update("Ready"), "False: KafkaUnreachable");
  EXPECT_EQ(scene_.condition("Progressing"), "False: Paused");
  EXPECT_EQ(scene_.condition("Reconciling"), "False: Paused");
  EXPECT_EQ(scene_.condition("Stalled"), "False: Paused");
  EXPECT_EQ(scene_.status["config"], config) << "nothing is decided";
}

TEST_F(StatusTest, AnInvalidConfigurationNamesTheFieldAndChangesNothingElse) {
  const Json before = scene_.update();
  scene_.pass(60);
  scene_.pipeline.generation = 4;
  scene_.problems.add("spec.exporters[a].destination.endpoint", "is no address");
  scene_.problems.add("spec.ingress.config", "has no such key");
  scene_.has_rollout = false;
  const Json after = scene_.update();
  EXPECT_EQ(scene_.condition("ConfigValid"), "False: ConfigInvalid");
  EXPECT_EQ(scene_.message("ConfigValid"),
            "2 problems, the first: spec.exporters[a].destination.endpoint: is no address");
  EXPECT_EQ(scene_.condition("Progressing"), "False: ConfigInvalid");
  EXPECT_EQ(scene_.condition("Degraded"), "True: ConfigInvalid");
  EXPECT_EQ(scene_.condition("Ready"), "True: Running") << "running pods continue";
  EXPECT_EQ(scene_.at("summary/config"), "Invalid");
  for (const char* part : {"components", "exporters", "topics", "config", "replicas", "selector"}) {
    EXPECT_EQ(after[part], before[part]) << part;
  }
  EXPECT_EQ(kube::int_at(after, "observedGeneration"), 4);
  EXPECT_EQ(rollout_memory(after), rollout_memory(before));
}

TEST_F(StatusTest, OneProblemIsReportedWithoutACount) {
  scene_.problems.add("spec", "has no exporter");
  scene_.has_rollout = false;
  EXPECT_EQ(condition_after_update("ConfigValid"), "False: ConfigInvalid");
  EXPECT_EQ(scene_.message("ConfigValid"), "spec: has no exporter");
  EXPECT_EQ(scene_.condition("Ready"), "False: ConfigInvalid") << "nothing was ever made of it";
  EXPECT_EQ(scene_.condition("KafkaReachable"), "Unknown: ConfigInvalid");
  EXPECT_EQ(scene_.condition("RolledBack"), "Unknown: ConfigInvalid");
  scene_.problems = {};
  scene_.has_rollout = true;
  EXPECT_EQ(condition_after_update("ConfigValid"), "True: Valid");
}

// ---- When it is written -------------------------------------------------------------------------

TEST_F(StatusTest, TheTimeOfATransitionMovesWithTheStatusOnly) {
  scene_.update();
  const std::string start = wall_time_text(kSceneStartMs);
  scene_.pass(100);
  scene_.set_rollout(Phase::kRolling, "CanaryStarting", "one");
  scene_.update();
  const std::string later = wall_time_text(scene_.now_ms);
  EXPECT_EQ(scene_.since("Progressing"), later);
  EXPECT_EQ(scene_.since("Ready"), start);
  scene_.pass(100);
  scene_.set_rollout(Phase::kRolling, "CanaryProving", "two");
  scene_.pipeline.generation = 9;
  scene_.update();
  EXPECT_EQ(scene_.condition("Progressing"), "True: CanaryProving");
  EXPECT_EQ(scene_.since("Progressing"), later) << "reason, message and generation may move";
  EXPECT_EQ(scene_.since("Ready"), start);
}

TEST_F(StatusTest, WhileIdleEveryByteStaysAsItIs) {
  const std::string before = kube::to_text(scene_.update());
  Json stored = *kube::parse_json(before);
  for (int round = 0; round < 100; ++round) {
    scene_.pass(37);
    // These always move: lag within its bucket, messages, the order of pods in a map of reports.
    scene_.set_lag(0.1 * (round % 50));
    scene_.report(kSceneConsumer).partitions[0].lag_messages = round;
    scene_.status = stored;
    ASSERT_EQ(kube::to_text(scene_.update()), before);
    ASSERT_EQ(scene_.requeue_after(), Duration::zero());
  }
}

TEST_F(StatusTest, ABrokenPipelineIsIdleToo) {
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_reachable = false;
  sender.destination_error = "refused";
  scene_.set_pod(kSceneIngress, crashed_pod("p-ingress-x1", "ingress"));
  scene_.set_rollout(Phase::kRolledBack, "CrashLoopBackOff", "p-ingress: pod c");
  scene_.topics = {.state = TopicsView::State::kWeak, .message = "topic t: weaker"};
  const std::string before = kube::to_text(scene_.update());
  for (int round = 0; round < 20; ++round) {
    scene_.pass(1000);
    ASSERT_EQ(kube::to_text(scene_.update()), before);
  }
}

TEST_F(StatusTest, LagIsABucketThatMovesAtMostEvery30Seconds) {
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<10s");
  scene_.pass(100);
  scene_.set_lag(30);
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1m");
  EXPECT_EQ(scene_.requeue_after(), Duration::zero());
  scene_.pass(29);
  scene_.set_lag(4000);
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1m") << "held back";
  EXPECT_EQ(scene_.requeue_after(), Duration(std::chrono::seconds(30)))
      << "and it is requeued for it";
  scene_.pass(1);
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), ">1h");
  EXPECT_EQ(scene_.at("summary/lag"), ">1h");
  EXPECT_EQ(scene_.requeue_after(), Duration::zero());
}

TEST_F(StatusTest, ALagThatNoneReportsAnyMoreIsUnknown) {
  scene_.report(kSceneConsumer).answered = false;
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "") << "a consumer that is starting";
  scene_.report(kSceneConsumer).answered = true;
  scene_.set_lag(1);
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<10s");
  scene_.report(kSceneConsumer).answered = false;
  scene_.pass(31);
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "unknown");
  EXPECT_EQ(scene_.at("summary/lag"), "unknown");
  scene_.report(kSceneConsumer).answered = true;
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<10s") << "not held back";
}

TEST_F(StatusTest, ALagThatWobblesAroundABorderIsNoNews) {
  scene_.set_lag(61);
  const Json before = scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<10m");
  for (const double lag : {59.0, 61.0, 49.0, 75.0, 58.0}) {
    scene_.pass(60);
    scene_.set_lag(lag);
    EXPECT_EQ(scene_.update(), before) << lag;
  }
  scene_.pass(60);
  scene_.set_lag(47);
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1m");
}

TEST_F(StatusTest, TheLagOfWhoDoesNotAnswerIsNotForgotten) {
  PodView other = scene_.views[kSceneConsumer].pods[0];
  other.name = "other";
  scene_.views[kSceneConsumer].pods.push_back(other);
  scene_.reports["other"] = scene_.report(kSceneConsumer);
  scene_.reports["other"].partitions[0].lag_seconds = 1000;
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1h");
  scene_.reports["other"] = {.error = "timed out"};
  scene_.pass(60);
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lag"), "<1h");
}

TEST_F(StatusTest, TextOfTheSameErrorMoveAtMostEvery30Seconds) {
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_reachable = false;
  sender.destination_error_reason = "http_503";
  sender.destination_error = "request 1: 503";
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lastError/message"), "request 1: 503");
  EXPECT_EQ(scene_.at("exporters/0/lastError/reason"), "Http503");
  scene_.pass(10);
  sender.destination_error = "request 2: 503";
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lastError/message"), "request 1: 503");
  // Another kind of error is reported at once, and so is the end of it.
  sender.destination_error_reason = "tls";
  sender.destination_error = "bad certificate";
  scene_.update();
  EXPECT_EQ(scene_.at("exporters/0/lastError/message"), "bad certificate");
  sender.destination_reachable = true;
  scene_.update();
  EXPECT_EQ(kube::find(scene_.status, "exporters/0/lastError"), nullptr);
}

// ---- The other fields ---------------------------------------------------------------------------

TEST_F(StatusTest, ComponentsReportPodsRevisionsAndTheLastRestart) {
  ComponentView& bridge = scene_.views[kSceneBridge];
  bridge.stable = {
      .exists = true, .revision = "r1", .replicas = 3, .ready = 2, .updated = 1, .settled = false};
  bridge.pods[0].last_restart_reason = "container bridge: OOMKilled, exit code 137";
  bridge.pods[0].last_restart = at_ms(kSceneStartMs - 9000);
  PodView newer = bridge.pods[0];
  newer.name = "newer";
  newer.last_restart_reason = "container bridge: Error, exit code 1";
  newer.last_restart = at_ms(kSceneStartMs - 1000);
  bridge.pods.push_back(newer);
  scene_.update();
  EXPECT_EQ(scene_.status["components"][kSceneBridge],
            Json({{"name", "p-bridge"},
                  {"role", "bridge"},
                  {"desired", 3},
                  {"ready", 2},
                  {"updated", 1},
                  {"revision", "r1"},
                  {"lastRestartReason", "container bridge: Error, exit code 1"}}));
  EXPECT_EQ(scene_.at("components/0/exporter"), "a");
}

TEST_F(StatusTest, ColumnsAndScaleAreThoseOfTheIngress) {
  scene_.views[kSceneIngress].stable.replicas = 5;
  scene_.views[kSceneIngress].stable.ready = 4;
  scene_.update();
  EXPECT_EQ(scene_.at("summary/ingress"), "4/5");
  EXPECT_EQ(scene_.at("summary/exporters"), "1/1");
  EXPECT_EQ(scene_.at("summary/lag"), "<10s");
  EXPECT_EQ(scene_.at("version"), "1.2.3");
  EXPECT_EQ(kube::int_at(scene_.status, "replicas"), 5);
  EXPECT_EQ(scene_.at("selector"), "spanway.dev/component=ingress,spanway.dev/pipeline=p");
}

TEST_F(StatusTest, TheMemoryOfARolloutIsReadAsItWasWritten) {
  scene_.rollout.memory = {.last_good_revision = "g",
                           .failed_revision = "f",
                           .failed_reason = "OOMKilled: p-a: pod x",
                           .failed_secrets = "s",
                           .rolling_revision = "r",
                           .rolling_since_ms = 17,
                           .rolling_component = "p-a",
                           .rolling_promoted = true,
                           .available_since_ms = {{"p-a", 18}, {"p-b", 19}},
                           .unproven = {"p-a", "p-b"},
                           .force_check = "2026-11-21 17:00"};
  EXPECT_EQ(rollout_memory(scene_.update()), scene_.rollout.memory);
  EXPECT_EQ(rollout_memory(Json::object()), RolloutMemory());
}

TEST_F(StatusTest, AStoredStatusThatIsNoneIsSurvived) {
  for (
      const char* text :
      {"null", "[]", "3", R"({"conditions":{},"exporters":3,"config":[],"summary":"x"})",
       R"({"conditions":[1,{"type":"Ready"},{"type":7,"status":false}],"exporters":[{"name":1},)"
       R"({"name":"a","since":9,"lag":[]}],"config":{"rollingSince":-5,"availableSince":{"p-a":"x"}}})"}) {
    scene_.status = *kube::parse_json(text);
    scene_.update();
    EXPECT_EQ(scene_.condition("Ready"), "True: Running") << text;
    scene_.status = *kube::parse_json(text);
    EXPECT_EQ(rollout_memory(scene_.status), RolloutMemory()) << text;
    // A kept status stays as it is.
    scene_.paused = true;
    scene_.has_rollout = scene_.checks_schema = false;
    EXPECT_EQ(condition_after_update("Paused"), "True: Paused");
    scene_.paused = false;
    scene_.has_rollout = scene_.checks_schema = true;
  }
}

TEST_F(StatusTest, TextFromOutsideIsCutAndStaysText) {
  std::string endless(100'000, 'x');
  for (std::size_t i = 0; i < endless.size(); i += 7) endless[i] = static_cast<char>(0xe2);
  StatuszReport& sender = scene_.report(kSceneExporter);
  sender.destination_reachable = false;
  sender.destination_error = endless;
  scene_.report(kSceneBridge).kafka_reachable = false;
  scene_.report(kSceneBridge).last_error = endless;
  scene_.topics = {.state = TopicsView::State::kFailed, .message = endless};
  scene_.problems.add("spec", endless);
  scene_.has_rollout = false;
  scene_.update();
  scene_.problems = {};
  scene_.has_rollout = true;
  scene_.update();
  for (const Json& one : scene_.status["conditions"]) {
    EXPECT_LE(kube::string_at(one, "message").size(), 512u);
  }
}

TEST_F(StatusTest, TablesAreReportedByTheWorstExporter) {
  const auto is_reported = [this] {
    return kube::to_text(scene_.update()["conditions"]).find("SchemaReady") != std::string::npos;
  };
  EXPECT_FALSE(is_reported()) << "no tables are managed";
  using State = SchemaView::State;
  scene_.schemas = {{"a", State::kReady}, {"b", State::kPending, "the migrate Job runs"}};
  EXPECT_EQ(condition_after_update("SchemaReady"), "Unknown: MigratePending");
  EXPECT_EQ(scene_.condition("Degraded"), "False: AsExpected");
  scene_.schemas.push_back({"c", State::kFailed, "user c may not CREATE TABLE"});
  EXPECT_EQ(condition_after_update("SchemaReady"), "False: MigrateFailed");
  EXPECT_EQ(scene_.message("SchemaReady"), "exporter c: user c may not CREATE TABLE");
  EXPECT_EQ(scene_.condition("Degraded"), "True: MigrateFailed");
  scene_.schemas = {{"a", State::kReady}};
  EXPECT_EQ(condition_after_update("SchemaReady"), "True: Migrated");
  scene_.schemas.clear();
  EXPECT_FALSE(is_reported()) << "the exporter is gone";
}

// The API server prunes fields that the schema lacks; a field that is never written is no promise.
TEST_F(StatusTest, TheSchemaHasExactlyWhatIsWritten) {
  scene_.report(kSceneExporter).destination_reachable = false;
  scene_.report(kSceneExporter).destination_error = "refused";
  scene_.report(kSceneExporter).destination_degraded = true;
  scene_.add_query();
  scene_.report(kSceneQuery).store = ActivityReport{.ok = false, .error = "refused"};
  scene_.views[kSceneBridge].pods[0].last_restart_reason = "container bridge: Error, exit code 1";
  scene_.rollout.memory = {"g",   "f",  "OOMKilled: x", "s",     "r", 17,
                           "p-a", true, {{"p-a", 18}},  {"p-a"}, "1"};
  scene_.schemas = {{"ch", SchemaView::State::kFailed, "denied"}};
  scene_.compactions = {{"s3", CompactionView::State::kFailed, "denied"}};
  scene_.update();
  std::set<std::string> missing;
  for (const std::string& field : fields_of(api::status_schema(), "")) {
    // The topics are those of the Job's report; what concerns other Pipelines and other releases of
    // the operator is not in the scene.
    const bool is_elsewhere = field.starts_with("topics[].") ||
                              field.starts_with("topicsSharedWith") || field == "upgrade" ||
                              field == "operator" || field == "contender";
    if (!scene_.findings.seen.contains(field) && !is_elsewhere) {
      missing.insert(field);
    }
  }
  EXPECT_THAT(missing, ::testing::IsEmpty());
}

TEST(SchemaCheck, FindsWhatTheApiServerWouldNotKeep) {
  const Json good = {{"observedGeneration", 1},
                     {"conditions", Json::array({Json{{"type", "Ready"}, {"status", "True"}}})}};
  const auto problems_of = [](const Json& status) {
    SchemaFindings findings;
    check_schema(status, api::status_schema(), "", findings);
    return findings.problems.size();
  };
  EXPECT_EQ(problems_of(good), 0u);
  for (const auto& [path, value] :
       std::map<std::string, Json>{{"/observedGeneration", "1"},
                                   {"/unknown", 1},
                                   {"/version", std::string(5000, 'x')},
                                   {"/conditions/0/status", "Maybe"},
                                   {"/conditions/1", Json{{"type", "Ready"}, {"status", "True"}}},
                                   {"/conditions/0/type", nullptr}}) {
    Json bad = good;
    bad[Json::json_pointer(path)] = value;
    EXPECT_GE(problems_of(bad), 1u) << path;
  }
}

}  // namespace
}  // namespace spanway::decide
