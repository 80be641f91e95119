#include "operator/decide/topics_decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/decide/job_ending.h"

namespace spanway::decide {
namespace {

using testing::HasSubstr;
using State = TopicsView::State;

const SystemTime kNow{std::chrono::seconds(1'767'225'600)};  // 2026-01-01T00:00:00Z

class TopicsTest : public testing::Test {
 protected:
  static Json job(const char* condition, const char* since = "2026-01-01T00:00:00Z") {
    Json object = {
        {"metadata",
         {{"name", "p-topics-1"}, {"ownerReferences", Json::array({{{"kind", "Pipeline"}}})}}},
        {"status", Json::object()}};
    if (condition != nullptr)
      object["status"]["conditions"] =
          Json::array({{{"type", condition}, {"status", "True"}, {"lastTransitionTime", since}}});
    return object;
  }
  static Json pod(int exit_code, const std::string& message,
                  const char* created = "2026-01-01T00:00:00Z") {
    return {
        {"metadata",
         {{"name", "p-topics-1-x"},
          {"creationTimestamp", created},
          {"labels", {{"batch.kubernetes.io/job-name", "p-topics-1"}}}}},
        {"status",
         {{"containerStatuses",
           Json::array({{{"name", "topics"},
                         {"state",
                          {{"terminated", {{"exitCode", exit_code}, {"message", message}}}}}}})}}}};
  }
  TopicsJobDecision decide(std::optional<Json> live, std::vector<Json> pods = {},
                           Json status = Json::object(), int failures = 0) {
    return decide_topics_job({.desired = desired_,
                              .job = live,
                              .pods = pods,
                              .status = status,
                              .failures = failures,
                              .wall_now = kNow});
  }
  std::optional<render::Manifest> desired_ = render::Manifest{
      kube::kJobs, {{"metadata", {{"name", "p-topics-1"}, {"namespace", "team"}}}}};
};

TEST_F(TopicsTest, NothingIsManagedWithoutAJob) {
  desired_.reset();
  const auto decision = decide(std::nullopt);
  EXPECT_EQ(decision.view.state, State::kUnmanaged);
  EXPECT_FALSE(decision.create);
}

TEST_F(TopicsTest, StartsOneAndWaitsForIt) {
  EXPECT_TRUE(decide(std::nullopt).create);
  EXPECT_EQ(decide(std::nullopt).view.state, State::kPending);
  const auto running = decide(job(nullptr));
  EXPECT_FALSE(running.create);
  EXPECT_EQ(running.view.state, State::kPending);
}

TEST_F(TopicsTest, ReadsTheReport) {
  const auto decision =
      decide(job("Complete"),
             {pod(0, R"({"topics":[{"name":"otel.traces","action":"created","partitions":12,)"
                     R"("replication_factor":3,"weaker":[],"error":""}],"ok":true})")});
  EXPECT_EQ(decision.view.state, State::kReady);
  EXPECT_EQ(decision.view.topics[0]["name"], "otel.traces");
  EXPECT_EQ(decision.view.topics[0]["partitions"], 12);
  EXPECT_EQ(decision.view.topics[0]["state"], "Ready");
  EXPECT_EQ(decision.requeue_after, Duration::zero());
}

TEST_F(TopicsTest, FindsTheReportAmongTheLog) {
  const auto decision =
      decide(job("Failed"),
             {pod(3,
                  "level=warn msg=\"Topic promises less than desired\"\n"
                  R"({"topics":[{"name":"t","partitions":1,"replication_factor":1,)"
                  R"("weaker":["replication factor 1 instead of 3"],"error":""}],"ok":false})"
                  "\n")});
  EXPECT_EQ(decision.view.state, State::kWeak);
  EXPECT_EQ(decision.view.message, "topic t: replication factor 1 instead of 3");
  EXPECT_FALSE(decision.remove);
}

TEST_F(TopicsTest, ReportsMinInsyncReplicasWhenTheReportDoes) {
  const auto decision = decide(
      job("Complete"),
      {pod(0, R"({"topics":[{"name":"a","min_insync_replicas":2,"weaker":[],"error":""},)"
              R"({"name":"b","weaker":[],"error":"","unread":"not authorized"}],"ok":true})")});
  EXPECT_EQ(decision.view.topics[0]["minInsyncReplicas"], 2);
  EXPECT_FALSE(decision.view.topics[0].contains("message"));
  EXPECT_FALSE(decision.view.topics[1].contains("minInsyncReplicas"));
  EXPECT_EQ(decision.view.topics[1]["state"], "Ready");
  EXPECT_EQ(decision.view.topics[1]["message"], "not authorized");
  EXPECT_EQ(decision.view.message, "") << "nothing is wrong with it";
}

TEST_F(TopicsTest, ReportsEverythingThatIsWeakOfATopic) {
  const auto decision = decide(
      job("Failed"), {pod(3, R"({"topics":[{"name":"a","weaker":["x is 1","y is 2"],"error":""},)"
                             R"({"name":"b","weaker":["z is 3"],"error":""}],"ok":false})")});
  EXPECT_EQ(decision.view.message, "topic a: x is 1; y is 2");
  EXPECT_EQ(decision.view.topics[0]["message"], "x is 1; y is 2");
  EXPECT_EQ(decision.view.topics[1]["message"], "z is 3");
  const std::string endless = R"({"topics":[{"name":"a","weaker":[")" + std::string(9'000, 'x') +
                              R"("],"error":""}],"ok":false})";
  EXPECT_LE(
      decide(job("Failed"), {pod(3, endless)}).view.topics[0]["message"].get<std::string>().size(),
      512u);
}

TEST_F(TopicsTest, AFailureReportsWhyAndIsTriedAgainLater) {
  const auto failed = job("Failed", "2026-01-01T00:00:00Z");
  auto decision = decide(failed, {pod(1, "cannot reach kafka:9092\n")}, {}, 1);
  EXPECT_EQ(decision.view.state, State::kFailed);
  EXPECT_THAT(decision.view.message, HasSubstr("cannot reach kafka"));
  EXPECT_FALSE(decision.remove);
  EXPECT_EQ(decision.requeue_after, std::chrono::seconds(30));
  decision = decide(job("Failed", "2025-12-31T23:59:00Z"), {}, {}, 1);
  EXPECT_TRUE(decision.remove);
  decision = decide(job("Failed", "2025-12-31T23:59:00Z"), {}, {}, 4);
  EXPECT_FALSE(decision.remove);
}

TEST_F(TopicsTest, AJobThatCannotStartReportsWhy) {
  const auto refused = decide_topics_job({.desired = desired_,
                                          .job = job(nullptr),
                                          .pods = {},
                                          .status = Json::object(),
                                          .refused = "pods cannot be created: exceeded quota",
                                          .wall_now = kNow});
  EXPECT_EQ(refused.view.state, State::kBlocked);
  EXPECT_THAT(refused.view.message, HasSubstr("exceeded quota"));
  Json waiting = pod(0, "");
  waiting["spec"]["containers"] = Json::array({{{"name", "topics"}, {"image", "nowhere:1"}}});
  waiting["status"] = {
      {"phase", "Pending"},
      {"containerStatuses",
       Json::array(
           {{{"name", "topics"}, {"state", {{"waiting", {{"reason", "ImagePullBackOff"}}}}}}})}};
  const auto without_image = decide(job(nullptr), {waiting});
  EXPECT_EQ(without_image.view.state, State::kBlocked);
  EXPECT_THAT(without_image.view.message, HasSubstr("cannot pull nowhere:1"));
  waiting["status"]["containerStatuses"][0]["state"] = {{"running", Json::object()}};
  EXPECT_EQ(decide(job(nullptr), {waiting}).view.state, State::kPending) << "it runs";
}

TEST_F(TopicsTest, TheEndOfItsOwnContainerIsTheEndOfTheJob) {
  // Between the end of the container and that of the pod.
  Json done =
      pod(0, R"({"topics":[{"name":"a","partitions":2,"weaker":[],"error":""}],"ok":true})");
  done["status"]["phase"] = "Running";
  EXPECT_EQ(decide(job(nullptr), {done}).view.state, State::kReady);
  EXPECT_TRUE(decide(job(nullptr), {done}).is_well);
  // A service mesh has put a container beside it, which never ends.
  Json meshed = done;
  Json mesh = {{"name", "mesh"}, {"state", {{"running", Json::object()}}}};
  meshed["status"]["containerStatuses"].insert(meshed["status"]["containerStatuses"].begin(), mesh);
  EXPECT_EQ(decide(job(nullptr), {meshed}).view.state, State::kReady);
  EXPECT_EQ(decide(job(nullptr), {meshed}).view.topics.size(), 1U);
  // The deadline of the Job ends that one, and its pods are deleted.
  Json ended = job("Failed");
  ended["status"]["conditions"][0]["reason"] = "DeadlineExceeded";
  const auto status = [](const char* reason) -> Json {
    return {{"conditions",
             Json::array({{{"type", "TopicsReady"}, {"status", "True"}, {"reason", reason}}})}};
  };
  EXPECT_EQ(decide(ended, {}, status("Ready")).view.state, State::kReady);
  EXPECT_EQ(decide(ended, {}, status("Updating")).view.state, State::kFailed)
      << "of an earlier Job";
  // It has run, and failed: nothing keeps it from starting.
  Json weaker = pod(3, R"({"topics":[{"name":"a","weaker":["x"],"error":""}],"ok":false})");
  weaker["status"]["phase"] = "Running";
  EXPECT_EQ(decide(job(nullptr), {weaker}).view.state, State::kPending);
}

TEST_F(TopicsTest, AJobWithoutAnOwnerIsAdopted) {
  Json orphan = job("Complete");
  orphan["metadata"].erase("ownerReferences");
  const auto decision = decide(orphan);
  EXPECT_TRUE(decision.create);
  EXPECT_EQ(decision.view.state, State::kReady);
  EXPECT_FALSE(decide(job("Complete")).create);
}

TEST_F(TopicsTest, RunsAgainWhenPodsMissATopic) {
  const auto decide_at = [this](const char* since, int failures) {
    return decide_topics_job({.desired = desired_,
                              .job = job("Complete", since),
                              .pods = {},
                              .status = Json::object(),
                              .failures = failures,
                              .missing = true,
                              .wall_now = kNow});
  };
  auto decision = decide_at("2025-12-31T23:59:50Z", 1);
  EXPECT_FALSE(decision.remove) << "pods know a new topic only some seconds later";
  EXPECT_FALSE(decision.is_well);
  EXPECT_EQ(decision.requeue_after, std::chrono::seconds(20));
  EXPECT_TRUE(decide_at("2025-12-31T23:59:30Z", 1).remove);
  EXPECT_FALSE(decide_at("2025-12-31T23:59:30Z", 2).remove) << "backed off";
  EXPECT_TRUE(decide(job("Complete")).is_well);
}

TEST_F(TopicsTest, RunsAgainWhenABridgeFindsATopicWeakerSince) {
  const auto decide_at = [this](const char* since) {
    const Json status = {{"topics", Json::array({{{"name", "t"}, {"state", "Ready"}},
                                                 {{"name", "other"}, {"state", "Ready"}}})}};
    return decide_topics_job({.desired = desired_,
                              .job = job("Complete", since),
                              .pods = {},
                              .status = status,
                              .weaker = "t: retention.ms is 60000, the spec requires 86400000",
                              .wall_now = kNow});
  };
  auto decision = decide_at("2025-12-31T23:55:00Z");
  EXPECT_EQ(decision.view.state, State::kReady) << "the report may be older than the Job's end";
  EXPECT_TRUE(decision.is_well);
  EXPECT_FALSE(decision.remove);
  EXPECT_EQ(decision.requeue_after, std::chrono::minutes(1));
  decision = decide_at("2025-12-31T23:53:00Z");
  EXPECT_EQ(decision.view.state, State::kWeak);
  EXPECT_EQ(decision.view.message, "topic t: retention.ms is 60000, the spec requires 86400000");
  EXPECT_EQ(decision.view.topics[0]["state"], "Weak");
  EXPECT_THAT(decision.view.topics[0]["message"].get<std::string>(), HasSubstr("60000"));
  EXPECT_EQ(decision.view.topics[1]["state"], "Ready");
  EXPECT_FALSE(decision.is_well);
  EXPECT_FALSE(decision.remove) << "another manager may lower it each time";
  EXPECT_EQ(decision.requeue_after, std::chrono::minutes(3));
  decision = decide_at("2025-12-31T23:50:00Z");
  EXPECT_EQ(decision.view.state, State::kWeak);
  EXPECT_TRUE(decision.remove);
}

TEST_F(TopicsTest, KeepsTheLastReportWhenItsPodIsGone) {
  const Json status = {{"topics", Json::array({{{"name", "t"}}})}};
  EXPECT_EQ(decide(job("Complete"), {}, status).view.topics[0]["name"], "t");
  EXPECT_EQ(decide(std::nullopt, {}, status).view.topics[0]["name"], "t");
}

TEST_F(TopicsTest, TheNewestPodCounts) {
  const auto decision = decide(job("Failed"), {pod(1, "old", "2026-01-01T00:00:00Z"),
                                               pod(1, "new", "2026-01-01T00:01:00Z")});
  EXPECT_EQ(decision.view.message, "new");
}

TEST_F(TopicsTest, SurvivesReportsThatMakeNoSense) {
  for (const char* text : {"{\"topics\":5}", "{", "{\"topics\":[1,null,{}]}", "\n\n",
                           R"({"topics":[{"weaker":[5,{}],"min_insync_replicas":"x"}]})"}) {
    const auto decision = decide(job("Complete"), {pod(0, text)});
    EXPECT_EQ(decision.view.state, State::kReady) << text;
  }
}

TEST(TopicsRetryWait, DoublesUpToTenMinutes) {
  EXPECT_EQ(job_retry_wait(1), std::chrono::seconds(30));
  EXPECT_EQ(job_retry_wait(2), std::chrono::seconds(60));
  EXPECT_EQ(job_retry_wait(100), std::chrono::minutes(10));
}

}  // namespace
}  // namespace spanway::decide
