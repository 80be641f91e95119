#include "services/lib/kafka/last_error.h"

#include <gtest/gtest.h>

#include "services/lib/kafka/error_map.h"

namespace spanway::kafka {
namespace {

// librdkafka's numbers.
constexpr int kAuthentication = -169;
constexpr int kAllBrokersDown = -187;
constexpr int kTimedOut = -185;
constexpr int kGroupAuthorizationFailed = 30;

const Error kLogin = error_from_code(kAuthentication, "SASL login");
const Error kDown = error_from_code(kAllBrokersDown, "2/2 brokers are down");
const Error kTimeout = error_from_code(kTimedOut, "metadata");

TEST(LastError, ARefusedLoginIsNotHiddenByBrokersThatAreDown) {
  LastError last;
  EXPECT_TRUE(last.note(kDown));
  EXPECT_TRUE(last.note(kLogin));
  EXPECT_FALSE(last.note(kDown));
  EXPECT_FALSE(last.note(kTimeout));
  EXPECT_EQ(last.message(), kLogin.message);
}

TEST(LastError, OfTwoEquallySpecificTheLaterOneIsKept) {
  LastError last;
  last.note(kLogin);
  const Error rights = error_from_code(kGroupAuthorizationFailed, "group");
  EXPECT_TRUE(last.note(rights));
  EXPECT_EQ(last.message(), rights.message);
}

TEST(LastError, AnAnswerOfABrokerClearsIt) {
  LastError last;
  EXPECT_EQ(last.message(), "");
  last.note(kLogin);
  last.clear();
  EXPECT_TRUE(last.get().ok());
  EXPECT_TRUE(last.note(kDown));
  EXPECT_EQ(last.message(), kDown.message);
}

}  // namespace
}  // namespace spanway::kafka
