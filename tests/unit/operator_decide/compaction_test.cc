#include "operator/decide/compaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::decide {
namespace {

using State = CompactionView::State;

Json cron_job(const char* scheduled, const char* succeeded, bool runs) {
  Json object = {
      {"metadata", {{"name", "p-s3-compact"}, {"labels", {{"spanway.dev/exporter", "s3"}}}}},
      {"status", Json::object()}};
  if (scheduled != nullptr) object["status"]["lastScheduleTime"] = scheduled;
  if (succeeded != nullptr) object["status"]["lastSuccessfulTime"] = succeeded;
  if (runs) object["status"]["active"] = Json::array({{{"name", "p-s3-compact-1"}}});
  return object;
}

Json failed_pod(const char* created, const std::string& message) {
  return {
      {"metadata",
       {{"creationTimestamp", created},
        {"labels", {{"spanway.dev/component", "compact"}, {"spanway.dev/exporter", "s3"}}}}},
      {"status",
       {{"phase", "Failed"},
        {"containerStatuses",
         Json::array({{{"name", "compact"},
                       {"state", {{"terminated", {{"exitCode", 1}, {"message", message}}}}}}})}}}};
}

// Our container has ended, and a container of a service mesh, listed first, runs on.
Json beside_a_mesh(Json pod, int exit_code) {
  pod["status"]["phase"] = "Running";
  Json& containers = pod["status"]["containerStatuses"];
  containers[0]["state"]["terminated"]["exitCode"] = exit_code;
  containers.insert(containers.begin(),
                    Json{{"name", "a-mesh"}, {"state", {{"running", Json::object()}}}});
  return pod;
}

CompactionView view(const Json& job, const std::vector<Json>& pods = {}, GoodRuns good_runs = {}) {
  const auto all = observe_compactions({job}, pods, good_runs);
  EXPECT_EQ(all.size(), 1u);
  return all.at(0);
}

TEST(Compaction, WaitsUntilItsFirstRunHasEnded) {
  EXPECT_EQ(view(cron_job(nullptr, nullptr, false)).state, State::kWaiting);
  EXPECT_EQ(view(cron_job("2026-01-01T01:17:00Z", nullptr, true)).state, State::kWaiting);
  EXPECT_EQ(view(cron_job(nullptr, nullptr, false)).exporter, "s3");
}

TEST(Compaction, IsAsItsLastRunHasEnded) {
  const char* first = "2026-01-01T01:17:00Z";
  const char* done = "2026-01-01T01:18:00Z";
  const char* second = "2026-01-01T02:17:00Z";
  EXPECT_EQ(view(cron_job(first, done, false)).state, State::kSucceeded);
  // The next one is under way: a status that changed twice an hour would be two writes.
  EXPECT_EQ(view(cron_job(second, done, true)).state, State::kSucceeded);
  const auto lost = view(cron_job(second, done, false));
  EXPECT_EQ(lost.state, State::kFailed);
  EXPECT_NE(lost.message, "");
}

TEST(Compaction, ReportsTheLastLineOfTheNewestFailure) {
  const std::vector<Json> pods = {failed_pod("2026-01-01T02:18:00Z", "a\nthe bucket is gone\n"),
                                  failed_pod("2026-01-01T02:17:00Z", "cannot connect")};
  const auto failed = view(cron_job("2026-01-01T02:17:00Z", "2026-01-01T01:18:00Z", true), pods);
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_EQ(failed.message, "the bucket is gone");
  // A later run has succeeded: that pod is history.
  EXPECT_EQ(view(cron_job("2026-01-01T03:17:00Z", "2026-01-01T03:18:00Z", false), pods).state,
            State::kSucceeded);
}

TEST(Compaction, EndsWithItsOwnContainerBesideOneThatRunsOn) {
  const char* scheduled = "2026-01-01T02:17:00Z";
  const Json pod = failed_pod("2026-01-01T02:17:01Z", "cannot connect");
  GoodRuns good_runs;
  const auto good =
      observe_compactions({cron_job(scheduled, nullptr, true)}, {beside_a_mesh(pod, 0)}, good_runs);
  EXPECT_EQ(good.at(0).state, State::kSucceeded);
  // The deadline of the Job fails it and deletes the pod, at times with a moment between.
  Json ended = beside_a_mesh(pod, 0);
  ended["status"]["phase"] = "Failed";
  const Json missed = cron_job(scheduled, nullptr, false);
  EXPECT_EQ(view(missed, {ended}).state, State::kSucceeded);
  EXPECT_EQ(view(missed, {}, good_runs).state, State::kSucceeded);
  // The next run is lost.
  EXPECT_EQ(view(cron_job("2026-01-01T03:17:00Z", nullptr, false), {}, good_runs).state,
            State::kFailed);

  const auto failed = view(cron_job(scheduled, nullptr, true), {beside_a_mesh(pod, 1)});
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_EQ(failed.message, "cannot connect");
}

}  // namespace
}  // namespace spanway::decide
