#include "services/lib/kafka/consumer_config.h"

#include <gtest/gtest.h>

#include "services/lib/config/load.h"

namespace spanway::kafka {
namespace {

std::string problems_of(std::string_view yaml) {
  ConsumerConfig config;
  const auto report = config::load(
      yaml, "f.yaml", {}, [&config](config::Binder& b) { b.section("consumer", config, ""); },
      [&config](config::Problems& p) { validate(config, p); });
  return config::format(report.problems, "f.yaml");
}

TEST(ConsumerConfig, DefaultsAreGood) { EXPECT_EQ(problems_of(""), ""); }

TEST(ConsumerConfig, HeartbeatsFitTheSession) {
  EXPECT_NE(problems_of("consumer: {session_timeout: 6s, heartbeat_interval: 2001ms}")
                .find("at most a third"),
            std::string::npos);
  EXPECT_EQ(problems_of("consumer: {session_timeout: 6s, heartbeat_interval: 2s}"), "");
}

TEST(ConsumerConfig, OneFetchHoldsAPartition) {
  EXPECT_NE(problems_of("consumer: {fetch_bytes_max: 1MiB, partition_fetch_bytes_max: 2MiB}")
                .find("must not be smaller"),
            std::string::npos);
}

TEST(ConsumerConfig, CountsWhatThePrefetchMayHold) {
  ConsumerConfig c;
  c.prefetch_bytes_max = {100};
  c.partition_fetch_bytes_max = {10};
  c.fetch_bytes_max = {1000};
  EXPECT_EQ(prefetch_bytes(c, 0), 1000u);
  EXPECT_EQ(prefetch_bytes(c, 7), 1770u);
}

}  // namespace
}  // namespace spanway::kafka
