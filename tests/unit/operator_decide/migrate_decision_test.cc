#include "operator/decide/migrate_decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::decide {
namespace {

using testing::HasSubstr;
using State = SchemaView::State;

const SystemTime kNow{std::chrono::seconds(1'767'225'600)};  // 2026-01-01T00:00:00Z

class MigrateDecisionTest : public testing::Test {
 protected:
  static Json job(const char* condition, const char* since = "2026-01-01T00:00:00Z") {
    Json object = {
        {"metadata",
         {{"name", "p-ch-migrate-1"}, {"ownerReferences", Json::array({{{"kind", "Pipeline"}}})}}},
        {"status", Json::object()}};
    if (condition != nullptr)
      object["status"]["conditions"] =
          Json::array({{{"type", condition}, {"status", "True"}, {"lastTransitionTime", since}}});
    return object;
  }
  static Json pod(int exit_code, const std::string& message) {
    const Json ended = {{"exitCode", exit_code}, {"message", message}};
    return {{"metadata",
             {{"name", "x"}, {"labels", {{"batch.kubernetes.io/job-name", "p-ch-migrate-1"}}}}},
            {"status",
             {{"phase", exit_code == 0 ? "Succeeded" : "Failed"},
              {"containerStatuses",
               Json::array({{{"name", "migrate"}, {"state", {{"terminated", ended}}}}})}}}};
  }
  MigrateJobDecision decide(const std::optional<Json>& live, const std::vector<Json>& pods = {},
                            const std::string& held = "", int failures = 1) {
    return decide_migrate_job({.desired = desired_,
                               .job = live,
                               .pods = pods,
                               .failures = failures,
                               .refused = refused_,
                               .held = held,
                               .wall_now = kNow});
  }
  std::string refused_;
  render::MigrateJob desired_{
      "ch", {kube::kJobs, {{"metadata", {{"name", "p-ch-migrate-1"}, {"namespace", "team"}}}}}};
};

TEST_F(MigrateDecisionTest, StartsTheJobAndWaitsForIt) {
  EXPECT_TRUE(decide(std::nullopt).create);
  EXPECT_EQ(decide(std::nullopt).view.state, State::kPending);
  const auto running = decide(job(nullptr));
  EXPECT_FALSE(running.create);
  EXPECT_EQ(running.view.state, State::kPending);
  const auto done = decide(job("Complete"), {pod(0, "applied 001")});
  EXPECT_EQ(done.view.state, State::kReady);
  EXPECT_EQ(done.view.message, "");
  EXPECT_EQ(done.view.exporter, "ch");
}

TEST_F(MigrateDecisionTest, ReportsTheLastLineOfAFailureAndTriesAgainLater) {
  const std::string words = "starting\nuser writer may not CREATE TABLE";
  const auto failed = decide(job("Failed"), {pod(3, words)});
  EXPECT_EQ(failed.view.state, State::kFailed);
  EXPECT_EQ(failed.view.message, "user writer may not CREATE TABLE");
  EXPECT_FALSE(failed.remove);
  EXPECT_EQ(failed.requeue_after, Duration(std::chrono::seconds(30)));
  EXPECT_TRUE(decide(job("Failed", "2025-12-31T23:59:30Z"), {pod(3, words)}).remove);
  // Backed off.
  EXPECT_FALSE(decide(job("Failed", "2025-12-31T23:59:30Z"), {pod(3, words)}, "", 2).remove);
}

// The deadline of a Job deletes its pods, and their termination messages with them.
TEST_F(MigrateDecisionTest, NamesTheJobsOwnReasonWhereNoPodIsLeft) {
  Json ended = job("Failed");
  ended["status"]["conditions"][0]["reason"] = "DeadlineExceeded";
  ended["status"]["conditions"][0]["message"] = "Job was active longer than specified deadline";
  EXPECT_THAT(decide(ended).view.message, HasSubstr("longer than specified deadline"));
}

TEST_F(MigrateDecisionTest, ReportsWhatKeepsThePodFromStarting) {
  refused_ = "pods cannot be created: exceeded quota";
  const auto blocked = decide(job(nullptr));
  EXPECT_EQ(blocked.view.state, State::kBlocked);
  EXPECT_THAT(blocked.view.message, HasSubstr("exceeded quota"));
}

TEST_F(MigrateDecisionTest, TheEndOfItsOwnContainerIsTheEndOfTheJob) {
  Json meshed = pod(0, "");
  meshed["status"]["phase"] = "Running";
  meshed["status"]["containerStatuses"].push_back(
      {{"name", "mesh"}, {"state", {{"running", Json::object()}}}});
  EXPECT_EQ(decide(job(nullptr), {meshed}).view.state, State::kReady);
}

TEST_F(MigrateDecisionTest, TheDeadlineThatEndsContainersOfOthersIsNoFailure) {
  Json ended = job("Failed");
  ended["status"]["conditions"][0]["reason"] = "DeadlineExceeded";
  const auto decide_with = [&](const char* schema, const std::vector<Json>& pods = {}) {
    const Json status = {{"storage", Json::array({{{"exporter", "other"}, {"schema", "Ready"}},
                                                  {{"exporter", "ch"}, {"schema", schema}}})}};
    return decide_migrate_job(
        {.desired = desired_, .job = ended, .pods = pods, .status = &status, .wall_now = kNow});
  };
  EXPECT_EQ(decide_with("Ready").view.state, State::kReady);
  EXPECT_FALSE(decide_with("Ready").remove);
  EXPECT_EQ(decide_with("Pending").view.state, State::kFailed) << "it has not ended well";
  EXPECT_EQ(decide_with("Pending", {pod(0, "")}).view.state, State::kReady)
      << "its pod is not deleted yet";
  EXPECT_EQ(decide_with("Ready", {pod(3, "no")}).view.state, State::kFailed);
  ended["status"]["conditions"][0]["reason"] = "BackoffLimitExceeded";
  EXPECT_EQ(decide_with("Ready").view.state, State::kFailed);
}

TEST_F(MigrateDecisionTest, StartsNothingWhileItIsHeld) {
  const auto held = decide(std::nullopt, {}, "the migrate Job waits for a Secret");
  EXPECT_FALSE(held.create);
  EXPECT_EQ(held.view.state, State::kHeld);
  EXPECT_FALSE(decide(job("Failed", "2025-12-31T23:00:00Z"), {}, "waits").remove);
}

}  // namespace
}  // namespace spanway::decide
