#include <gtest/gtest.h>

#include "services/lib/runtime/service.h"

namespace spanway::runtime {
namespace {

config::LoadReport load_runtime(RuntimeConfig& config, std::string_view yaml,
                                std::map<std::string, std::string> environment = {}) {
  config::Sources sources;
  sources.environment = std::move(environment);
  return config::load(
      yaml, "f", sources, [&config](config::Binder& b) { describe(b, config); },
      [&config](config::Problems& problems) { validate(config, problems); });
}

TEST(RuntimeConfig, IsBoundAtTheTopLevel) {
  RuntimeConfig config;
  const auto report = load_runtime(config, R"(
admin: {host: localhost, port: 1, metrics_port: 2}
log: {level: debug, format: json}
runtime: {io_threads: 3, drain_timeout: 4s, shutdown_delay: 5s}
)");
  EXPECT_EQ(config::format(report.problems, "f"), "");
  EXPECT_EQ(config.admin.host, "localhost");
  EXPECT_EQ(config.admin.port, 1);
  EXPECT_EQ(config.admin.metrics_port, 2);
  EXPECT_EQ(config.log.level, telemetry::LogLevel::kDebug);
  EXPECT_EQ(config.log.format, LogConfig::Format::kJson);
  EXPECT_EQ(config.io_threads, 3);
  EXPECT_EQ(config.drain_timeout, Duration(std::chrono::seconds(4)));
  EXPECT_EQ(config.shutdown_delay, Duration(std::chrono::seconds(5)));
}

TEST(RuntimeConfig, HonoursTheOldNames) {
  RuntimeConfig config;
  EXPECT_TRUE(
      load_runtime(config, "", {{"HTTP_PORT", "7"}, {"LOG_LEVEL", "warn"}}).problems.empty());
  EXPECT_EQ(config.admin.port, 7);
  EXPECT_EQ(config.log.level, telemetry::LogLevel::kWarn);
}

TEST(RuntimeConfig, RefusesOnePortForTwo) {
  RuntimeConfig config;
  const auto report = load_runtime(config, "admin: {port: 1, metrics_port: 1}\n");
  ASSERT_EQ(report.problems.all().size(), 1U);
  EXPECT_EQ(report.problems.all()[0].path, "admin.metrics_port");
}

}  // namespace
}  // namespace spanway::runtime
