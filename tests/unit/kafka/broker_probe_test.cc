#include "services/lib/kafka/broker_probe.h"

#include <gtest/gtest.h>

namespace spanway::kafka {
namespace {

TEST(BrokerProbe, OneFailedRequestDoesNotMakeKafkaUnreachable) {
  BrokerProbe probe({"a"});
  EXPECT_FALSE(probe.reachable());
  probe.on_answer({{"a", "id", 3, 0}});
  EXPECT_TRUE(probe.reachable());
  for (int i = 1; i < BrokerProbe::kFailuresMax; ++i) {
    probe.on_failure();
    EXPECT_TRUE(probe.reachable());
  }
  probe.on_failure();
  EXPECT_FALSE(probe.reachable());
  EXPECT_TRUE(probe.connected_once()) << "latches";
  ASSERT_EQ(probe.topics().size(), 1u);
  EXPECT_EQ(probe.topics()[0].partitions, 3) << "what is known stays";
}

TEST(BrokerProbe, WhileRecordsArriveAFailedRequestIsNoEvidence) {
  BrokerProbe probe({"a"});
  probe.on_answer({});
  for (int i = 0; i < 10; ++i) {
    probe.on_traffic();
    probe.on_failure();
    EXPECT_TRUE(probe.reachable());
  }
}

TEST(BrokerProbe, AllBrokersDownIsReportedAtOnce) {
  BrokerProbe probe({"a"});
  probe.on_answer({});
  probe.on_all_brokers_down();
  EXPECT_FALSE(probe.reachable());
  probe.on_answer({});
  EXPECT_TRUE(probe.reachable());
}

}  // namespace
}  // namespace spanway::kafka
