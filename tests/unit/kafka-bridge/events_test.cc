#include "services/kafka-bridge/events.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "services/lib/kafka/error_map.h"

namespace spanway::kafka_bridge {
namespace {

TEST(Events, NamesAreUniqueAndOfThisComponent) {
  std::set<std::string> names;
  for (const auto& spec : metric_specs()) {
    EXPECT_TRUE(std::string(spec.name).starts_with("spanway_kafka_bridge_")) << spec.name;
    EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
  }
}

TEST(ProduceEvents, CountsRefusalsByReason) {
  const auto log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  const ProduceEvents events({log, metrics});
  events.refused(kafka::error_from_code(-184, "writing"));
  events.refused(invalid_argument("x").with_reason("malformed_request"));
  events.refused(invalid_argument("x"));
  constexpr auto kName = "spanway_kafka_bridge_refused_requests_total";
  EXPECT_EQ(metrics.value(kName, {{"reason", "kafka_queue_full"}}), 1);
  EXPECT_EQ(metrics.value(kName, {{"reason", "malformed_request"}}), 1);
  EXPECT_EQ(metrics.value(kName, {{"reason", "other"}}), 1);
}

TEST(ConsumeEvents, ForgetsTheLagOfPartitionsThatWentAway) {
  const auto log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ConsumeEvents events({log, metrics}, "d");
  events.lag("t", 3, 17, 1.5);
  EXPECT_EQ(
      metrics.value("spanway_kafka_bridge_lag_messages", {{"topic", "t"}, {"partition", "3"}}), 17);
  events.forget_lag("t", 3);
  EXPECT_EQ(metrics.expose().find("partition=\"3\""), std::string::npos);
}

}  // namespace
}  // namespace spanway::kafka_bridge
