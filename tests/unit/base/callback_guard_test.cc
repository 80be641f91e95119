#include "services/lib/base/callback_guard.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

namespace spanway {
namespace {

TEST(CallbackGuard, RunsFunctionsWhileTheObjectLives) {
  CallbackGuard guard;
  int sum = 0;
  const std::function<void(int, std::unique_ptr<int>)> add =
      guard.wrap([&sum](int a, std::unique_ptr<int> b) { sum += a + *b; });
  add(1, std::make_unique<int>(2));
  add(3, std::make_unique<int>(4));
  EXPECT_EQ(sum, 10);
}

TEST(CallbackGuard, FunctionsDoNothingAfterDestructionOrReset) {
  int calls = 0;
  std::optional<CallbackGuard> guard(std::in_place);
  const std::function<void()> one = guard->wrap([&calls] { ++calls; });
  const std::function<void()> copy = one;
  guard->reset();
  one();
  copy();
  guard.reset();
  one();
  EXPECT_EQ(calls, 0);
}

TEST(CallbackGuard, AFunctionMayDestroyTheObject) {
  std::optional<CallbackGuard> guard(std::in_place);
  int calls = 0;
  const std::function<void()> end = guard->wrap([&] {
    guard.reset();
    ++calls;
  });
  end();
  end();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace spanway
