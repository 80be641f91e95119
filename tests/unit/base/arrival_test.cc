#include "services/lib/base/arrival.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway {
namespace {

TEST(Arrival, APeerThatHasSentLittleGetsLittle) {
  EXPECT_LE(arrival_capacity(100, 64u << 20), kArrivalTrustBytes);
  EXPECT_EQ(arrival_capacity(100, 200), 200u);
  EXPECT_EQ(arrival_capacity(100, 0), kArrivalTrustBytes);
}

TEST(Arrival, OrdinaryMessagesGetTheirSizeAtOnce) {
  EXPECT_EQ(arrival_capacity(16'384, 400'000), 400'000u);
  EXPECT_EQ(arrival_capacity(400'000, 400'000), 400'000u);
}

TEST(Arrival, LargeOnesDouble) {
  EXPECT_EQ(arrival_capacity(16'384, 64u << 20), kReserveBytes);
  EXPECT_EQ(arrival_capacity((1u << 20) + 1, 64u << 20), (2u << 20) + 2);
  EXPECT_EQ(arrival_capacity(40u << 20, 64u << 20), 64u << 20);
  EXPECT_GE(arrival_capacity(500, 400), 500u) << "a peer that sends more than it said";
}

TEST(Arrival, ThePermitCoversBothBuffersWhileOneIsMoved) {
  MemoryBudget budget(1u << 20);
  Permit permit = budget.empty_permit();
  Bytes buffer;
  const std::string piece(10'000, 'x');
  while (buffer.size() < 100'000) {
    ASSERT_TRUE(make_room(buffer, piece.size(), 0, permit));
    EXPECT_GE(permit.bytes(), buffer.size() + piece.size());
    buffer.append(piece);
  }
  EXPECT_LE(permit.bytes(), 4 * buffer.size());
}

TEST(Arrival, AsksForNoMoreThanItNeedsWhenLittleIsLeft) {
  MemoryBudget budget(1000);
  Permit permit = budget.empty_permit();
  Bytes buffer;
  EXPECT_TRUE(make_room(buffer, 900, 5000, permit));
  buffer.append(std::string(900, 'x'));
  EXPECT_TRUE(make_room(buffer, 100, 5000, permit));
  EXPECT_FALSE(make_room(buffer, 101, 5000, permit));
}

}  // namespace
}  // namespace spanway
