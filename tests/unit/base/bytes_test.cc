#include "services/lib/base/bytes.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway {
namespace {

TEST(Bytes, StartsEmptyWithoutMemory) {
  const Bytes bytes;
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(bytes.capacity(), 0U);
  EXPECT_EQ(bytes.view(), "");
}

TEST(Bytes, AppendsAndGrows) {
  Bytes bytes("ab");
  bytes.append("");
  bytes.append("cd");
  bytes.push_back('e');
  EXPECT_EQ(bytes.view(), "abcde");
  EXPECT_EQ(bytes.slice(1, 3), "bcd");
  std::string expected = "abcde";
  for (int i = 0; i < 10'000; ++i) {
    bytes.push_back('x');
    expected += 'x';
  }
  EXPECT_EQ(bytes.view(), expected);
  EXPECT_LE(bytes.capacity(), 2 * bytes.size() + 2);
}

TEST(Bytes, ReservesOnceAndNeverShrinks) {
  Bytes bytes = Bytes::with_capacity(100);
  EXPECT_EQ(bytes.capacity(), 100U);
  EXPECT_TRUE(bytes.empty());
  const char* const before = bytes.data();
  bytes.append(std::string(100, 'x'));
  EXPECT_EQ(bytes.data(), before);
  bytes.reserve(10);
  bytes.clear();
  EXPECT_EQ(bytes.capacity(), 100U);
  EXPECT_EQ(bytes.size(), 0U);
}

TEST(Bytes, ResizeKeepsWhatIsThere) {
  Bytes bytes("abc");
  bytes.resize(2);
  EXPECT_EQ(bytes.view(), "ab");
  bytes.resize(1000);
  EXPECT_EQ(bytes.size(), 1000U);
  EXPECT_EQ(bytes.slice(0, 2), "ab");
}

TEST(Bytes, MovedFromIsEmptyAndUsable) {
  Bytes from("abc");
  Bytes to(std::move(from));
  EXPECT_EQ(to.view(), "abc");
  EXPECT_TRUE(from.empty());  // NOLINT: the state after a move is promised.
  EXPECT_EQ(from.capacity(), 0U);
  from.append("x");
  EXPECT_EQ(from.view(), "x");
  to = std::move(from);
  EXPECT_EQ(to.view(), "x");
}

TEST(Bytes, CloneIsIndependent) {
  Bytes bytes("abc");
  Bytes copy = bytes.clone();
  copy.data()[0] = 'x';
  EXPECT_EQ(bytes.view(), "abc");
  EXPECT_EQ(copy.view(), "xbc");
}

}  // namespace
}  // namespace spanway
