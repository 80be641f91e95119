#include "services/lib/base/repeating_task.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/fakes/manual_executor.h"

namespace spanway {
namespace {

constexpr Duration kInterval = std::chrono::seconds(5);

class RepeatingTaskTest : public testing::Test {
 protected:
  void pass(Duration time) {
    clock_.advance(time);
    executor_.run();
  }

  fakes::ManualClock clock_;
  fakes::ManualExecutor executor_{clock_};
  int calls_ = 0;
  std::optional<RepeatingTask> task_;
};

TEST_F(RepeatingTaskTest, RunsAfterTheDelayAndThenAtEveryInterval) {
  task_.emplace([this] { ++calls_; }, executor_, kInterval, std::chrono::seconds(1));
  executor_.run();
  EXPECT_EQ(calls_, 0) << "not in the constructor";
  pass(std::chrono::seconds(1));
  EXPECT_EQ(calls_, 1);
  pass(kInterval - std::chrono::seconds(1));
  EXPECT_EQ(calls_, 1);
  pass(std::chrono::seconds(1));
  EXPECT_EQ(calls_, 2);
  pass(kInterval);
  EXPECT_EQ(calls_, 3);
}

TEST_F(RepeatingTaskTest, DoesNotRunOnceItIsDestroyed) {
  task_.emplace([this] { ++calls_; }, executor_, kInterval, Duration::zero());
  executor_.run();
  EXPECT_EQ(calls_, 1);
  task_.reset();
  pass(kInterval);
  EXPECT_EQ(calls_, 1);
}

}  // namespace
}  // namespace spanway
