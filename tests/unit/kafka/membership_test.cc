#include "services/lib/kafka/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::kafka {
namespace {

using ::testing::HasSubstr;

const std::vector<TopicState> kTopics = {{"a", 6, ""}, {"b", 2, ""}, {"c", 0, "unknown"}};

TEST(Membership, NoPartitionAlthoughSomeExistHasAReason) {
  Membership membership;
  EXPECT_TRUE(membership.state({}).ok) << "nothing is known to exist";
  EXPECT_FALSE(membership.state(kTopics).ok);
  EXPECT_THAT(membership.state(kTopics).reason, HasSubstr("although 8 exist"));
  membership.assigned(3);
  EXPECT_TRUE(membership.state(kTopics).ok);
  EXPECT_EQ(membership.state(kTopics).reason, "");
  membership.lost();
  EXPECT_FALSE(membership.state(kTopics).ok);
}

TEST(Membership, AnIdleMemberIsOkAndReportsTheReason) {
  Membership membership;
  membership.assigned(0);
  EXPECT_TRUE(membership.state(kTopics).ok);
  EXPECT_THAT(membership.state(kTopics).reason, HasSubstr("other members"));
}

TEST(Membership, ARefusalStaysUntilTheGroupAdmitsTheConsumer) {
  Membership membership;
  membership.refused("grant READ on the group");
  EXPECT_FALSE(membership.state(kTopics).ok);
  EXPECT_THAT(membership.state(kTopics).reason, HasSubstr("grant READ"));
  EXPECT_TRUE(membership.never_admitted());
  membership.assigned(1);
  EXPECT_TRUE(membership.state(kTopics).ok);
  EXPECT_FALSE(membership.never_admitted());
  membership.refused("grant READ on the group");
  EXPECT_FALSE(membership.state(kTopics).ok);
  EXPECT_FALSE(membership.never_admitted()) << "readiness latches";
}

}  // namespace
}  // namespace spanway::kafka
