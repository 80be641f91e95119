#include "services/lib/kafka/events.h"

#include <gtest/gtest.h>

#include "services/lib/kafka/error_map.h"

namespace spanway::kafka {
namespace {

TEST(ProducerEvents, CountsFailuresByReason) {
  const auto log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ProducerEvents events({log, metrics});
  EXPECT_NE(metrics.expose().find("reason=\"kafka_queue_full\"} 0"), std::string::npos)
      << "every series is zero from the start";
  events.failed(error_from_code(-184, "writing"));
  events.failed(unknown_error(Code::kInternal, "without a reason"));
  EXPECT_EQ(metrics.value("spanway_kafka_produce_errors_total", {{"reason", "kafka_queue_full"}}),
            1);
  EXPECT_EQ(metrics.value("spanway_kafka_produce_errors_total", {{"reason", "kafka_other"}}), 1);
}

TEST(ProducerEvents, CountsWhatIsConfirmed) {
  const auto log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ProducerEvents events({log, metrics});
  events.delivered(1000, std::chrono::milliseconds(3));
  events.delivered(500, std::chrono::milliseconds(3));
  EXPECT_EQ(metrics.value("spanway_kafka_produced_records_total"), 2);
  EXPECT_EQ(metrics.value("spanway_kafka_produced_bytes_total"), 1500);
}

TEST(ProducerEvents, ReportsCredentialsUntilTheyCanBeUsed) {
  const auto log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  const telemetry::Telemetry telemetry{log, metrics};
  ProducerEvents producer(telemetry);
  ConsumerEvents consumer(telemetry);
  const Error unusable =
      configuration_error(Code::kFailedPrecondition, "kafka.sasl.password_file: is empty");
  producer.credentials_read(unusable);
  consumer.credentials_read(unusable);
  EXPECT_EQ(telemetry.credentials.list(),
            std::vector<std::string>{"kafka.sasl.password_file: is empty"});
  producer.credentials_read(false);
  EXPECT_EQ(telemetry.credentials.list().size(), 1u) << "the consumer's";
  consumer.credentials_read(true);
  EXPECT_TRUE(telemetry.credentials.list().empty());
}

TEST(ConsumerEvents, ReportsTheNumberOfAssignedPartitions) {
  const auto log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  ConsumerEvents events({log, metrics});
  events.assigned(3, 3);
  events.revoked(1, 2);
  EXPECT_EQ(metrics.value("spanway_kafka_assigned_partitions"), 2);
  EXPECT_EQ(metrics.value("spanway_kafka_partitions_lost_total"), 0);
  events.lost(2, 0);
  EXPECT_EQ(metrics.value("spanway_kafka_partitions_lost_total"), 2);
  EXPECT_EQ(metrics.value("spanway_kafka_rebalances_total"), 3);
}

TEST(ConsumerEvents, SaysWhyPartitionsWereLost) {
  std::string line;
  const auto log =
      telemetry::Logger::create({.write = [&line](std::string_view text) { line = text; }});
  telemetry::Metrics metrics;
  ConsumerEvents events({log, metrics});
  events.loss_explained(2, "");
  EXPECT_NE(line.find("after the session timed out"), std::string::npos) << line;
  events.loss_explained(2, "otel.traces");
  EXPECT_NE(line.find("their topic was deleted"), std::string::npos) << line;
  EXPECT_NE(line.find("otel.traces"), std::string::npos) << line;
  EXPECT_EQ(line.find("session"), std::string::npos) << line;
}

}  // namespace
}  // namespace spanway::kafka
