#include "services/query/store/cancel_token.h"

#include <gtest/gtest.h>

#include <optional>

namespace spanway::query {
namespace {

TEST(CancelToken, RunsItsCallbacksOnceAndLateOnesAtOnce) {
  const CancelToken token;
  int calls = 0;
  const auto first = token.on_cancel([&] { ++calls; });
  EXPECT_FALSE(token.cancelled());
  token.cancel();
  token.cancel();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(CancelToken(token).cancelled());
  const auto late = token.on_cancel([&] { ++calls; });
  EXPECT_EQ(calls, 2);
}

TEST(CancelToken, ACallbackThatIsGoneDoesNotRun) {
  const CancelToken token;
  int calls = 0;
  {
    const auto registration = token.on_cancel([&] { ++calls; });
  }
  token.cancel();
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace spanway::query
