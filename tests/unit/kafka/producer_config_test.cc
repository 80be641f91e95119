#include "services/lib/kafka/producer_config.h"

#include <gtest/gtest.h>

#include "services/lib/config/load.h"

namespace spanway::kafka {
namespace {

TEST(ProducerConfig, TakesEverySetting) {
  ProducerConfig c;
  const auto report = config::load(
      "producer: {linger: 1ms, queue_bytes_max: 2MiB, record_bytes_max: 128KiB, compression: lz4, "
      "message_timeout: 4s, partition_refresh: 3s}",
      "f.yaml", {}, [&c](config::Binder& b) { b.section("producer", c, ""); },
      [](config::Problems&) {});
  EXPECT_EQ(config::format(report.problems, "f.yaml"), "");
  EXPECT_EQ(c.linger, std::chrono::milliseconds(1));
  EXPECT_EQ(c.queue_bytes_max.bytes, 2u << 20);
  EXPECT_EQ(c.record_bytes_max.bytes, 128u << 10);
  EXPECT_EQ(c.compression, ProducerConfig::Compression::kLz4);
  EXPECT_EQ(c.message_timeout, std::chrono::seconds(4));
  EXPECT_EQ(c.partition_refresh, std::chrono::seconds(3));
}

TEST(ProducerConfig, ARecordNeverOutlivesTheLongestRequest) {
  ProducerConfig c;
  const auto report = config::load(
      "producer: {message_timeout: 30s}", "f.yaml", {},
      [&c](config::Binder& b) { b.section("producer", c, ""); }, [](config::Problems&) {});
  EXPECT_EQ(report.problems.all().size(), 1u);
}

}  // namespace
}  // namespace spanway::kafka
