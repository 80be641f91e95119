#include "services/ingress/options.h"

#include <gtest/gtest.h>

#include "services/lib/otlp_server/otlp_listener.h"

namespace spanway::ingress {
namespace {

TEST(Options, CarryTheLimitsToEveryPart) {
  IngressConfig config;
  config.limits.body_bytes_max = {5 << 20};
  config.limits.compressed_bytes_max = {1 << 20};
  config.limits.request_timeout = std::chrono::seconds(7);
  config.limits.item_bytes_max = {1000};
  config.limits.value_depth_max = 5;
  config.limits.streams_max = 9;
  config.limits.connection_age_max = std::chrono::minutes(1);
  const auto grpc = grpc_options(config.limits);
  EXPECT_EQ(grpc.message_bytes_max, 5u << 20);
  EXPECT_EQ(grpc.compressed_bytes_max, 1u << 20);
  EXPECT_EQ(grpc.deadline_max, std::chrono::seconds(7));
  const auto http = http_options(config, "Basic");
  EXPECT_EQ(http.decode.decoded_bytes_max, 5u << 20);
  EXPECT_EQ(http.compressed_bytes_max, 1u << 20);
  EXPECT_EQ(http.deadline_max, std::chrono::seconds(7));
  EXPECT_EQ(http.challenge, "Basic");
  const auto scan = scan_limits(config.limits);
  EXPECT_EQ(scan.request_bytes_max, 5u << 20);
  EXPECT_EQ(scan.item_bytes_max, 1000u);
  EXPECT_EQ(scan.value_depth_max, 5u);
  const auto server = otlp_server::server_limits(config.limits, config.limits.request_timeout);
  EXPECT_EQ(server.streams_max, 9u);
  EXPECT_EQ(server.connection_age_max, std::chrono::minutes(1));
}

TEST(Options, DefaultsAreThoseOfTheParts) {
  const IngressConfig config;
  const http::ServerLimits server =
      otlp_server::server_limits(config.limits, config.limits.request_timeout);
  const http::ServerLimits own;
  EXPECT_EQ(server.header_bytes_max, own.header_bytes_max);
  EXPECT_EQ(server.connections_max, own.connections_max);
  EXPECT_EQ(server.connection_age_max, own.connection_age_max);
  const otlp::ScanLimits scan = scan_limits(config.limits);
  EXPECT_EQ(scan.request_bytes_max, otlp::ScanLimits().request_bytes_max);
  EXPECT_EQ(scan.prefix_bytes_max, otlp::ScanLimits().prefix_bytes_max);
  EXPECT_EQ(scan.item_bytes_max, otlp::ScanLimits().item_bytes_max);
  EXPECT_EQ(scan.submessages_max, otlp::ScanLimits().submessages_max);
}

TEST(Options, CarryTheNextHop) {
  NextConfig config;
  config.endpoint = "bridge:1";
  config.compression = NextConfig::Compression::kGzip;
  config.tls.enabled = true;
  config.tls.ca_file = "/ca";
  const auto options = next_options(config, std::chrono::seconds(7));
  EXPECT_EQ(options.endpoint, "bridge:1");
  EXPECT_EQ(options.compression, "gzip");
  ASSERT_TRUE(options.tls.has_value());
  EXPECT_EQ(options.tls->ca_file, "/ca");
  EXPECT_EQ(options.timeout, std::chrono::seconds(7));
  EXPECT_TRUE(options.send_metadata);
}

}  // namespace
}  // namespace spanway::ingress
