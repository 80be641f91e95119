#include "operator/manager/starting_operator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/http/io_pool.h"
#include "tests/fakes/client_link.h"
#include "tests/fakes/eventually.h"
#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::manager {
namespace {

using fakes::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

// The API server refuses every request until a test lets it answer.
class StartingOperatorTest : public testing::Test {
 protected:
  StartingOperatorTest() { kube_.put(kube::kPipelines, reconcile::ControllerFixture::pipeline()); }

  Status before() {
    MutexLock lock(mutex_);
    ++requests_;
    return refusal_;
  }
  void refuse(Status refusal) {
    MutexLock lock(mutex_);
    refusal_ = std::move(refusal);
  }
  int requests() const {
    MutexLock lock(mutex_);
    return requests_;
  }
  std::ptrdiff_t count(const std::string& text) const {
    MutexLock lock(mutex_);
    return std::count_if(lines_.begin(), lines_.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }
  // As many further tries as that, all of them refused.
  bool tried(int times) {
    const int before = requests();
    return eventually([&] { return requests() >= before + times; });
  }
  std::unique_ptr<StartingOperator> make(BackoffOptions retry = {.initial = milliseconds(1),
                                                                 .max = milliseconds(5)}) {
    OperatorParts parts;
    parts.client = std::make_unique<fakes::ClientLink>(
        kube_, [this](std::string_view, const kube::ResourceType&) { return before(); });
    parts.statusz = std::make_unique<reconcile::FakeStatusz>();
    parts.server = "https://10.96.0.1:443";
    parts.identity = "a";
    parts.name_space = "spanway-system";
    parts.times = {.tick = milliseconds(5),
                   .lease = std::chrono::hours(2),
                   .lease_renew_deadline = std::chrono::hours(1),
                   .lease_retry = milliseconds(5)};
    return std::make_unique<StartingOperator>(
        settings_, std::move(parts), runtime::ServiceDeps{io_, {log_, metrics_}, clock_}, retry);
  }
  bool reconciles() {
    return eventually([this] {
      kube_.step();
      clock_.advance(seconds(1));
      return !kube_.at(kube::kDeployments, {"team", "p-ingress"}).is_null();
    });
  }

  mutable Mutex mutex_;
  Status refusal_ SPANWAY_GUARDED_BY(mutex_);
  int requests_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> lines_ SPANWAY_GUARDED_BY(mutex_);
  telemetry::Logger log_ = telemetry::Logger::create(
      {.level = telemetry::LogLevel::kInfo, .write = [this](std::string_view line) {
         MutexLock lock(mutex_);
         lines_.emplace_back(line);
       }});
  telemetry::Metrics metrics_;
  OperatorSettings settings_;
  fakes::ManualClock clock_;
  fakes::FakeKube kube_{clock_};
  http::IoPool io_{"test", 1};
};

TEST_F(StartingOperatorTest, WhateverTheApiServerAnswersAtTheStartItIsTriedAgain) {
  const std::vector<Error> refusals = {
      unavailable("GET /apis/spanway.dev/v1alpha1: Connection refused"),
      transient_error(Code::kDeadlineExceeded, "no answer in 4000 ms"),
      transient_error(Code::kResourceExhausted, "HTTP 429").with_retry_after(milliseconds(1)),
      unavailable("HTTP 503 ServiceUnavailable"),
      configuration_error(Code::kUnauthenticated, "HTTP 401 Unauthorized"),
      configuration_error(Code::kPermissionDenied, "HTTP 403 Forbidden"),
      configuration_error(Code::kFailedPrecondition, "HTTP 302: not an API server"),
  };
  refuse(refusals.front());
  const auto service = make();
  ASSERT_TRUE(service->start().ok());
  for (const Error& refusal : refusals) {
    refuse(refusal);
    ASSERT_TRUE(tried(3));
    EXPECT_TRUE(service->fatal().ok());
    EXPECT_FALSE(service->readiness().ready);
    EXPECT_THAT(service->readiness().reason, HasSubstr(refusal.message));
    EXPECT_THAT(service->readiness().reason, HasSubstr("https://10.96.0.1:443"));
    EXPECT_THAT(service->status_json(), HasSubstr(refusal.message));
    EXPECT_EQ(count(refusal.message), 1) << "once, however often it is tried";
  }
  refuse(ok_status());
  EXPECT_TRUE(reconciles());
  EXPECT_TRUE(eventually([&] { return service->readiness().ready; }));
  EXPECT_EQ(count("The API server can be used"), 1);
  EXPECT_TRUE(service->drain(Deadline::after(clock_, seconds(10))));
}

TEST_F(StartingOperatorTest, ACustomResourceDefinitionMayComeAfterTheOperator) {
  kube_.set_serves(kube::kPipelines, false);
  const auto service = make();
  ASSERT_TRUE(service->start().ok());
  ASSERT_TRUE(tried(3));
  EXPECT_THAT(service->readiness().reason, HasSubstr("spanway-operator crd"));
  kube_.set_serves(kube::kPipelines, true);
  EXPECT_TRUE(reconciles());
}

TEST_F(StartingOperatorTest, BacksOffAsLongAsTheServerAsks) {
  refuse(transient_error(Code::kResourceExhausted, "HTTP 429").with_retry_after(seconds(30)));
  const auto service = make();
  ASSERT_TRUE(service->start().ok());
  ASSERT_TRUE(eventually([&] { return count("retry_in_ms=30000") == 1; }));
  EXPECT_EQ(requests(), 1);
  // A server may ask for any time.
  const auto other = make();
  refuse(transient_error(Code::kResourceExhausted, "HTTP 429").with_retry_after(seconds(3600)));
  ASSERT_TRUE(other->start().ok());
  EXPECT_TRUE(eventually([&] { return count("retry_in_ms=60000") == 1; }));
}

TEST_F(StartingOperatorTest, StopsAtOnceWhileItWaits) {
  refuse(unavailable("Connection refused"));
  const auto service = make({.initial = std::chrono::hours(1), .max = std::chrono::hours(1)});
  ASSERT_TRUE(service->start().ok());
  ASSERT_TRUE(eventually([&] { return count("Connection refused") == 1; }));
  service->stop_accepting();
  EXPECT_EQ(service->readiness().reason, "draining");
  EXPECT_TRUE(service->drain(Deadline::after(clock_, seconds(10))));
  EXPECT_EQ(requests(), 1);
  EXPECT_TRUE(kube_.all(kube::kLeases).empty());
}

TEST_F(StartingOperatorTest, ABusyServerSaysNothingAboutTheRightToWatchAllNamespaces) {
  settings_.watch_namespaces = {"team", "b", "c", "d", "e"};
  kube_.fail("list", "", unavailable("HTTP 503"));
  const auto refused = discover(kube_, settings_, log_);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("503"));
  kube_.heal();
  EXPECT_EQ(discover(kube_, settings_, log_)->watches, reconcile::Stores::Watches::kClusterWide);
  kube_.fail("list", "", configuration_error(Code::kPermissionDenied, "HTTP 403"));
  EXPECT_EQ(discover(kube_, settings_, log_)->watches, reconcile::Stores::Watches::kPerNamespace);
}

}  // namespace
}  // namespace spanway::manager
