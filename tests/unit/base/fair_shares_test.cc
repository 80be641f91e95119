#include "services/lib/base/fair_shares.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/manual_clock.h"

namespace spanway {
namespace {

using std::chrono::seconds;

struct Fixture {
  explicit Fixture(std::size_t slots) : shares(slots) {}
  // Takes what `key` gets.
  std::size_t take_all(const std::string& key) {
    std::size_t taken = 0;
    for (; shares.has_room(key, clock.now()); ++taken) shares.take(key, clock.now());
    return taken;
  }
  void answer(const std::string& key) {
    ASSERT_TRUE(shares.has_room(key, clock.now()));
    shares.take(key, clock.now());
    shares.give_back(key, true, clock.now());
  }
  fakes::ManualClock clock;
  FairShares shares;
};

TEST(FairShares, AKeyThatAnswersLeavesAsManyAsItHolds) {
  Fixture fixture(16);
  fixture.answer("a");
  EXPECT_EQ(fixture.take_all("a"), 8u);
  fixture.answer("b");
  EXPECT_EQ(fixture.take_all("b"), 4u);
}

TEST(FairShares, WithoutNamesOneStreamMayHaveAll) {
  Fixture fixture(16);
  EXPECT_EQ(fixture.take_all(""), 16u);
  EXPECT_FALSE(fixture.shares.has_room("a", fixture.clock.now()));
}

TEST(FairShares, KeysThatAreNotAnsweredHoldAtMostHalf) {
  for (const int hanging : {1, 20, 50, 1000}) {
    Fixture fixture(16);
    fixture.answer("good");
    std::size_t held = 0;
    for (int i = 0; i < hanging; ++i) held += fixture.take_all("hanging-" + std::to_string(i));
    EXPECT_LE(held, 8u);
    EXPECT_EQ(fixture.shares.held(), held);
    EXPECT_GE(fixture.take_all("good"), 4u) << hanging;
  }
}

TEST(FairShares, AKeyOfWhichNothingIsKnownIsTriedAlthoughOthersHang) {
  Fixture fixture(16);
  for (int i = 0; i < 20; ++i) {
    const std::string key = "hanging-" + std::to_string(i);
    fixture.shares.take(key, fixture.clock.now());
    fixture.shares.give_back(key, false, fixture.clock.now());
  }
  std::size_t held = 0;
  for (int i = 0; i < 20; ++i) held += fixture.take_all("hanging-" + std::to_string(i));
  EXPECT_EQ(held, 6u) << "a quarter of the half is left";
  fixture.answer("new");
  EXPECT_GE(fixture.take_all("new"), 4u) << "it answers";
}

TEST(FairShares, AKeyThatStopsAnsweringCountsAmongThem) {
  Fixture fixture(16);
  for (const char* key : {"a", "b"}) fixture.answer(key);
  EXPECT_EQ(fixture.take_all("a"), 8u);
  fixture.clock.advance(FairShares::kSilentAfter);
  EXPECT_FALSE(fixture.shares.has_room("a", fixture.clock.now()));
  EXPECT_FALSE(fixture.shares.has_room("new", fixture.clock.now()));
  EXPECT_EQ(fixture.take_all("b"), 4u);
  fixture.shares.give_back("a", true, fixture.clock.now());
  EXPECT_TRUE(fixture.shares.has_room("new", fixture.clock.now())) << "an answer makes it prompt";
}

TEST(FairShares, ALateAnswerOfOneRequestIsAnAnswerOfTheKey) {
  Fixture fixture(16);
  fixture.answer("a");
  fixture.shares.take("a", fixture.clock.now());
  fixture.shares.take("a", fixture.clock.now());
  fixture.clock.advance(seconds(5));
  fixture.shares.give_back("a", true, fixture.clock.now());
  EXPECT_EQ(fixture.take_all("a"), 7u);
}

TEST(FairShares, OneSlotServesEachInTurn) {
  Fixture fixture(1);
  fixture.answer("a");
  fixture.shares.take("b", fixture.clock.now());
  EXPECT_FALSE(fixture.shares.has_room("a", fixture.clock.now()));
  fixture.shares.give_back("b", false, fixture.clock.now());
  EXPECT_TRUE(fixture.shares.has_room("a", fixture.clock.now()));
  EXPECT_TRUE(fixture.shares.has_room("b", fixture.clock.now()));
}

TEST(FairShares, WhatWasNeverSentSaysNothingOfTheKey) {
  Fixture fixture(16);
  fixture.answer("a");
  fixture.shares.take("a", fixture.clock.now());
  fixture.shares.give_back_unused("a");
  EXPECT_EQ(fixture.shares.held(), 0u);
  EXPECT_EQ(fixture.take_all("a"), 8u);
}

TEST(FairShares, RemembersABoundedNumberOfKeys) {
  Fixture fixture(16);
  fixture.answer("first");
  for (std::size_t i = 0; i < FairShares::kRememberedMax; ++i) {
    fixture.clock.advance(std::chrono::milliseconds(1));
    fixture.answer("key-" + std::to_string(i));
  }
  EXPECT_EQ(fixture.take_all("first"), 4u) << "forgotten: nothing is known of it";
}

}  // namespace
}  // namespace spanway
