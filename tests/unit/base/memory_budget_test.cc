#include "services/lib/base/memory_budget.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

#include "services/lib/base/random.h"
#include "services/lib/base/thread.h"

namespace spanway {
namespace {

TEST(MemoryBudget, GivesUpToItsLimit) {
  MemoryBudget budget(100);
  const auto first = budget.try_acquire(60);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->bytes(), 60U);
  EXPECT_FALSE(budget.try_acquire(41).has_value());
  EXPECT_TRUE(budget.try_acquire(40).has_value());
  EXPECT_EQ(budget.used(), 60U);
  EXPECT_EQ(budget.peak(), 100U);
  EXPECT_EQ(budget.limit(), 100U);
}

TEST(MemoryBudget, SurvivesHugeRequests) {
  MemoryBudget budget(100);
  auto permit = budget.try_acquire(10);
  ASSERT_TRUE(permit.has_value());
  EXPECT_FALSE(budget.try_acquire(static_cast<std::size_t>(-1)).has_value());
  EXPECT_FALSE(permit->grow_to(static_cast<std::size_t>(-1)));
  EXPECT_EQ(budget.used(), 10U);
}

TEST(Permit, GivesBackOnceWhenItGoes) {
  MemoryBudget budget(100);
  {
    auto permit = budget.try_acquire(30);
    ASSERT_TRUE(permit.has_value());
    Permit moved(std::move(*permit));
    EXPECT_EQ(permit->bytes(), 0U);
    EXPECT_EQ(budget.used(), 30U);
    moved.release();
    moved.release();
    EXPECT_EQ(budget.used(), 0U);
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(Permit, AssignmentGivesBackTheOldBytes) {
  MemoryBudget budget(100);
  auto a = budget.try_acquire(30);
  auto b = budget.try_acquire(20);
  ASSERT_TRUE(a && b);
  *a = std::move(*b);
  EXPECT_EQ(budget.used(), 20U);
  EXPECT_EQ(a->bytes(), 20U);
}

TEST(Permit, GrowsAndShrinksWithinTheBudget) {
  MemoryBudget budget(100);
  Permit permit = budget.empty_permit();
  EXPECT_TRUE(permit.grow_to(70));
  EXPECT_TRUE(permit.grow_to(10));
  EXPECT_EQ(permit.bytes(), 70U);
  EXPECT_FALSE(permit.grow_to(101));
  EXPECT_EQ(permit.bytes(), 70U);
  permit.shrink_to(80);
  EXPECT_EQ(budget.used(), 70U);
  permit.shrink_to(5);
  EXPECT_EQ(permit.bytes(), 5U);
  EXPECT_EQ(budget.used(), 5U);
}

TEST(Permit, AbsorbsAnotherOfItsBudget) {
  MemoryBudget budget(100);
  auto a = budget.try_acquire(30);
  auto b = budget.try_acquire(20);
  ASSERT_TRUE(a && b);
  a->absorb(std::move(*b));
  EXPECT_EQ(a->bytes(), 50U);
  b.reset();
  EXPECT_EQ(budget.used(), 50U);
  Permit none;
  none.absorb(std::move(*a));
  EXPECT_EQ(none.bytes(), 50U);
  none.release();
  EXPECT_EQ(budget.used(), 0U);
}

TEST(Permit, WithoutABudgetGrowsFreely) {
  Permit permit;
  EXPECT_TRUE(permit.grow_to(1 << 30));
  EXPECT_EQ(permit.bytes(), 1U << 30);
  permit.shrink_to(1);
  EXPECT_EQ(permit.bytes(), 1U);
}

TEST(PermitDeathTest, BytesOfAnotherBudgetAreABugOfOurs) {
  MemoryBudget one(100), two(100);
  auto a = one.try_acquire(30);
  auto b = two.try_acquire(20);
  ASSERT_TRUE(a && b);
  EXPECT_DEATH(a->absorb(std::move(*b)), "check failed");
}

TEST(MemoryBudget, AnOwnersBytesCountInTheWhole) {
  MemoryBudget parent(100);
  MemoryBudget owner(parent, 60);
  const Permit own = *owner.try_acquire(50);
  EXPECT_EQ(parent.used(), 50u);
  EXPECT_FALSE(owner.try_acquire(11));
  const Permit others = *parent.try_acquire(45);
  EXPECT_FALSE(owner.try_acquire(6)) << "the parent has no more";
  EXPECT_EQ(owner.used(), 50u);
  EXPECT_FALSE(owner.empty_permit().can_ever_hold(61));
  EXPECT_TRUE(owner.empty_permit().can_ever_hold(60));
}

TEST(MemoryBudget, GivesAnOwnersBytesBackToBoth) {
  MemoryBudget parent(100);
  MemoryBudget owner(parent, 1000);
  EXPECT_EQ(owner.limit(), 100u);
  { const Permit own = *owner.try_acquire(70); }
  EXPECT_EQ(owner.used(), 0u);
  EXPECT_EQ(parent.used(), 0u);
}

TEST(MemoryBudget, AnOwnersFirstBytesAreFree) {
  MemoryBudget parent(100);
  MemoryBudget owner(parent, 50, 10);
  const Permit all = *parent.try_acquire(100);
  Permit own = *owner.try_acquire(8);
  EXPECT_TRUE(own.grow_to(10)) << "although the parent has nothing left";
  EXPECT_FALSE(own.grow_to(11));
  EXPECT_EQ(owner.used(), 10u);
  EXPECT_EQ(owner.used_of_parent(), 0u);
  EXPECT_EQ(parent.used(), 100u);
}

TEST(MemoryBudget, WhatIsAboveTheFreeBytesCountsInTheWhole) {
  MemoryBudget parent(100);
  MemoryBudget owner(parent, 50, 10);
  std::optional<Permit> first = owner.try_acquire(30);
  std::optional<Permit> second = owner.try_acquire(30);
  EXPECT_EQ(owner.used(), 60u);
  EXPECT_EQ(owner.used_of_parent(), 50u);
  EXPECT_EQ(parent.used(), 50u);
  EXPECT_FALSE(owner.try_acquire(1));
  first.reset();
  EXPECT_EQ(parent.used(), 20u);
  second.reset();
  EXPECT_EQ(parent.used(), 0u);
}

TEST(MemoryBudget, ManyThreadsThatAreRefusedLeaveTheWholeAsItWas) {
  MemoryBudget parent(1000);
  MemoryBudget owner(parent, 800, 100);
  std::vector<std::thread> threads;
  for (std::size_t t = 1; t <= 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 20'000; ++i) {
        const auto one = owner.try_acquire((i * 7 * t) % 300);
        const auto two = parent.try_acquire((i * 11 * t) % 400);
        const auto three = owner.try_acquire((i * 13 * t) % 300);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(owner.used(), 0u);
  EXPECT_EQ(parent.used(), 0u);
}

TEST(MemoryBudget, AdmitsNothingNewWhileTheGateIsClosed) {
  MemoryGate gate(1000);
  MemoryBudget budget(100, &gate);
  EXPECT_TRUE(budget.admits());
  gate.measured(950, false);
  EXPECT_FALSE(budget.admits());
  EXPECT_FALSE(MemoryBudget(budget, 10).admits());
  EXPECT_TRUE(budget.try_acquire(10)) << "what was admitted may finish";
  gate.measured(500, true);
  EXPECT_TRUE(budget.admits());
  EXPECT_EQ(gate.peak(), 950u);
}

TEST(MemoryBudget, ManyThreadsNeverPassTheLimitAndLoseNothing) {
  constexpr std::size_t kLimit = 1000;
  MemoryBudget budget(kLimit);
  std::atomic<std::size_t> held{0};
  std::atomic<bool> passed{false};
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 4; ++t)
      threads.push_back(start_thread("budget", [&, t](const std::stop_token&) {
        Random random(t);
        for (int i = 0; i < 5000; ++i) {
          auto permit = budget.try_acquire(random.next_below(600));
          if (!permit) continue;
          std::size_t mine = permit->bytes();
          if (held.fetch_add(mine) + mine > kLimit) passed = true;
          if (permit->grow_to(mine + 100)) {
            if (held.fetch_add(100) + 100 > kLimit) passed = true;
            mine += 100;
          }
          held.fetch_sub(mine);
        }
      }));
  }
  EXPECT_FALSE(passed);
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_LE(budget.peak(), kLimit);
  EXPECT_GT(budget.peak(), 0U);
}

}  // namespace
}  // namespace spanway
