#include "services/lib/base/closable_executor.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/fakes/manual_executor.h"

namespace spanway {
namespace {

TEST(ClosableExecutor, PostsUntilItIsClosed) {
  fakes::ManualClock clock;
  int runs = 0;
  std::optional<ClosableExecutor> closable;
  {
    fakes::ManualExecutor executor(clock);
    closable.emplace(executor);
    closable->post([&runs] { ++runs; });
    executor.run();
    EXPECT_EQ(runs, 1);
    closable->close();
  }
  closable->post([&runs] { ++runs; });  // The executor has gone.
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace spanway
