#include "services/lib/kafka/broker_probe.h"

#include <gtest/gtest.h>

namespace spanway::kafka {
namespace {

TEST(BrokerProbe, OneFailedRequestDoesNotMakeKafkaUnreachable) {
  BrokerProbe probe({"a"});
  EXPECT_FALSE(probe.reachable());
  probe.answered({{"a", "id", 3, 0}});
  EXPECT_TRUE(probe.reachable());
  for (int i = 1; i < BrokerProbe::kFailuresMax; ++i) {
    probe.failed();
    EXPECT_TRUE(probe.reachable());
  }
  probe.failed();
  EXPECT_FALSE(probe.reachable());
  EXPECT_TRUE(probe.connected_once()) << "latches";
  ASSERT_EQ(probe.topics().size(), 1u);
  EXPECT_EQ(probe.topics()[0].partitions, 3) << "what is known stays";
}

TEST(BrokerProbe, WhileRecordsComeAFailedRequestSaysNothing) {
  BrokerProbe probe({"a"});
  probe.answered({});
  for (int i = 0; i < 10; ++i) {
    probe.heard();
    probe.failed();
    EXPECT_TRUE(probe.reachable());
  }
}

TEST(BrokerProbe, AllBrokersDownIsSaidAtOnce) {
  BrokerProbe probe({"a"});
  probe.answered({});
  probe.all_down();
  EXPECT_FALSE(probe.reachable());
  probe.answered({});
  EXPECT_TRUE(probe.reachable());
}

}  // namespace
}  // namespace spanway::kafka
