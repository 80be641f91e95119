#include "operator/reconcile/upgrade_pacer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// Thursday, 1 January 1970.
SystemTime at(int days, int hours, int minutes = 0) {
  return SystemTime(std::chrono::hours(24 * days + hours) + std::chrono::minutes(minutes));
}

TEST(MaintenanceWindow, IsReadOrRefused) {
  for (const char* bad : {"", "2:00-6:00", "02:00", "02:00-02:00", "24:00-25:00", "Sat", "Sat ",
                          "Sab 02:00-03:00", "02:60-03:00", " 02:00-03:00"})
    EXPECT_FALSE(MaintenanceWindow::parse(bad)) << bad;
  for (const char* good : {"02:00-06:00", "22:00-06:00", "Sat,Sun 00:00-23:59"})
    EXPECT_TRUE(MaintenanceWindow::parse(good)) << good;
}

TEST(MaintenanceWindow, IsOpenOnItsDaysAndOverMidnight) {
  const auto daily = *MaintenanceWindow::parse("02:00-06:00");
  EXPECT_FALSE(daily.is_open(at(0, 1, 59)));
  EXPECT_TRUE(daily.is_open(at(0, 2)));
  EXPECT_FALSE(daily.is_open(at(0, 6)));
  const auto weekend = *MaintenanceWindow::parse("Sat 22:00-03:00");
  EXPECT_FALSE(weekend.is_open(at(1, 23))) << "Friday";
  EXPECT_TRUE(weekend.is_open(at(2, 23))) << "Saturday";
  EXPECT_TRUE(weekend.is_open(at(3, 2))) << "Sunday, of Saturday's window";
  EXPECT_FALSE(weekend.is_open(at(3, 23)));
}

class UpgradeTest : public testing::Test {
 protected:
  void upgrade(UpgradeRules rules) {
    fixture_.operator_version = "2.0.0";
    fixture_.upgrade_rules = rules;
    fixture_.restart();
  }
  std::string image_of(const std::string& pipeline) const {
    return kube::string_at(fixture_.kube.at(kube::kDeployments, {"team", pipeline + "-ingress"}),
                           "spec/template/spec/containers/0/image");
  }
  int upgraded() const {
    int count = 0;
    for (const char* name : {"a", "b", "c"}) count += image_of(name).ends_with(":2.0.0") ? 1 : 0;
    return count;
  }
  void install_three() {
    for (const char* name : {"a", "b", "c"}) fixture_.install(ControllerFixture::pipeline(name));
  }
  ControllerFixture fixture_;
};

TEST_F(UpgradeTest, GoesThroughThePipelinesAFewAtATime) {
  install_three();
  upgrade({.concurrent_max = 1});
  int seen_at_once = 0;
  for (int i = 0; i < 400 && upgraded() < 3; ++i) {
    fixture_.pass(std::chrono::seconds(5));
    int canaries = 0;
    for (const std::string& name : fixture_.kube.names(kube::kDeployments))
      canaries += name.ends_with("-canary") ? 1 : 0;
    seen_at_once = std::max(seen_at_once, canaries);
  }
  EXPECT_EQ(upgraded(), 3);
  EXPECT_EQ(seen_at_once, 1);
}

TEST_F(UpgradeTest, WaitsForTheWindowAndRepairsMeanwhile) {
  install_three();
  const auto now =
      std::chrono::floor<std::chrono::minutes>(fixture_.clock.system_now().time_since_epoch())
          .count() %
      (24 * 60);
  MaintenanceWindow window;
  window.days = 0x7f;
  window.begin_minute = static_cast<int>((now + 120) % (24 * 60));
  window.end_minute = static_cast<int>((now + 360) % (24 * 60));
  upgrade({.concurrent_max = 0, .window = window});
  fixture_.pass(std::chrono::minutes(5), std::chrono::seconds(30));
  EXPECT_EQ(upgraded(), 0);
  EXPECT_THAT(kube::string_at(fixture_.status("a"), "upgrade"), HasSubstr("maintenance window"));
  fixture_.kube.erase(kube::kDeployments, {"team", "a-ingress"});
  fixture_.pass(std::chrono::seconds(30));
  EXPECT_THAT(image_of("a"), HasSubstr(":1.0.0"));
  fixture_.kube.forget_writes();
  fixture_.pass(std::chrono::minutes(5), std::chrono::seconds(30));
  EXPECT_THAT(fixture_.kube.writes(), IsEmpty());
  fixture_.pass(std::chrono::hours(2), std::chrono::seconds(60));
  fixture_.pass(std::chrono::minutes(10), std::chrono::seconds(5));
  EXPECT_EQ(upgraded(), 3);
  EXPECT_EQ(kube::string_at(fixture_.status("a"), "upgrade"), "");
}

// As when the registry moves: the same version, from another repository.
TEST_F(UpgradeTest, AnotherRepositoryOfTheImageIsPacedLikeANewVersion) {
  for (const char* name : {"a", "b"}) fixture_.install(ControllerFixture::pipeline(name));
  Json own = ControllerFixture::pipeline("c");
  own["spec"]["image"] = {{"repository", "own.example.com/spanway"}};
  fixture_.install(own);
  fixture_.kube.edit(kube::kPipelines, {"team", "b"},
                     {{"metadata", {{"annotations", {{"spanway.dev/hold-version", "true"}}}}}},
                     "kubectl-annotate");
  fixture_.settle();
  fixture_.image_repository = "mirror.example.com/spanway";
  fixture_.upgrade_rules = {.concurrent_max = 1};
  fixture_.restart();
  fixture_.pass(std::chrono::minutes(10), std::chrono::seconds(5));
  EXPECT_THAT(image_of("a"), HasSubstr("mirror.example.com/spanway"));
  EXPECT_EQ(image_of("b"), "spanway:1.0.0");
  EXPECT_THAT(kube::string_at(fixture_.status("b"), "upgrade"),
              HasSubstr("from spanway to mirror.example.com/spanway: held by"));
  EXPECT_THAT(image_of("c"), HasSubstr("own.example.com/spanway"))
      << "it has its own, and no place";
}

TEST_F(UpgradeTest, AnAnnotationHoldsOnePipelineAtItsVersion) {
  install_three();
  fixture_.kube.edit(kube::kPipelines, {"team", "b"},
                     {{"metadata", {{"annotations", {{"spanway.dev/hold-version", "true"}}}}}},
                     "kubectl-annotate");
  fixture_.settle();
  upgrade({});
  fixture_.pass(std::chrono::minutes(10), std::chrono::seconds(5));
  EXPECT_EQ(upgraded(), 2);
  EXPECT_THAT(image_of("b"), HasSubstr(":1.0.0"));
  // An edit of the spec is rolled out, at the version that is held.
  fixture_.change({{"ingress", {{"replicas", 3}}}}, "b");
  fixture_.pass(std::chrono::minutes(2), std::chrono::seconds(5));
  EXPECT_EQ(
      kube::int_at(fixture_.kube.at(kube::kDeployments, {"team", "b-ingress"}), "spec/replicas"),
      3);
  EXPECT_THAT(image_of("b"), HasSubstr(":1.0.0"));
}

}  // namespace
}  // namespace spanway::reconcile
