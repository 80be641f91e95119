#include "services/lib/base/secret.h"

#include <gtest/gtest.h>

namespace spanway {
namespace {

TEST(Secret, ShowsItselfOnlyWhenRequested) {
  const Secret secret("hunter2");
  EXPECT_EQ(secret.redacted(), "***");
  EXPECT_EQ(secret.reveal(), "hunter2");
  EXPECT_FALSE(secret.empty());
  EXPECT_EQ(secret, Secret("hunter2"));
  EXPECT_NE(secret, Secret("other"));
}

TEST(Secret, EmptyIsNotHidden) {
  EXPECT_TRUE(Secret().empty());
  EXPECT_EQ(Secret().redacted(), "");
}

}  // namespace
}  // namespace spanway
