#include "services/lib/base/backoff.h"

#include <gtest/gtest.h>

namespace spanway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Backoff, DoublesUpToItsBound) {
  Backoff backoff({.initial = milliseconds(100), .max = milliseconds(350), .jitter = 0}, Random(1));
  EXPECT_EQ(backoff.next(), Duration(milliseconds(100)));
  EXPECT_EQ(backoff.next(), Duration(milliseconds(200)));
  EXPECT_EQ(backoff.next(), Duration(milliseconds(350)));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(backoff.next(), Duration(milliseconds(350)));
  EXPECT_EQ(backoff.attempts(), 1003);
}

TEST(Backoff, JitterStaysWithinItsShareAndVaries) {
  Backoff backoff({.initial = seconds(1), .max = seconds(1), .jitter = 0.5}, Random(7));
  Duration least = Duration::max(), most = Duration::zero();
  for (int i = 0; i < 1000; ++i) {
    const Duration wait = backoff.next();
    EXPECT_GE(wait, Duration(milliseconds(500)));
    EXPECT_LE(wait, Duration(seconds(1)));
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  EXPECT_LT(least, Duration(milliseconds(550)));
  EXPECT_GT(most, Duration(milliseconds(950)));
}

TEST(Backoff, StartsAgainAfterReset) {
  Backoff backoff({.initial = milliseconds(100), .jitter = 0}, Random(1));
  static_cast<void>(backoff.next());
  static_cast<void>(backoff.next());
  backoff.reset();
  EXPECT_EQ(backoff.attempts(), 0);
  EXPECT_EQ(backoff.next(), Duration(milliseconds(100)));
}

TEST(Backoff, IsRepeatableFromItsSeed) {
  Backoff a({}, Random(42)), b({}, Random(42));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(a.next(), b.next());
}

}  // namespace
}  // namespace spanway
