#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/lib/config/load.h"
#include "services/lib/endpoint_config/listener_config.h"
#include "services/lib/endpoint_config/otlp_grpc_client_config.h"

namespace spanway {

// A service's file with one of each section.
struct EndpointSample {
  ServerTlsConfig server;
  SwitchedClientTlsConfig client;
  ConnectionLimitsConfig limits;
};
static void describe(config::Binder& b, ConnectionLimitsConfig& c) {
  describe_connection_limits(b, c);
}
static void describe(config::Binder& b, EndpointSample& c) {
  b.section("server", c.server, "A listener.");
  b.section("client", c.client, "A client.");
  b.section("limits", c.limits, "Its connections.");
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> problems_of(std::string_view yaml) {
  EndpointSample sample;
  config::Sources sources;
  sources.read_file = [](const std::string&) { return std::nullopt; };
  const config::LoadReport report = config::load(
      yaml, "sample.yaml", sources, [&](config::Binder& b) { describe(b, sample); },
      [&](config::Problems& problems) {
        validate(sample.server, "server", problems);
        validate(sample.client, "client", problems);
        validate(sample.limits, "limits", problems);
      });
  std::vector<std::string> paths;
  for (const config::Problem& problem : report.problems.all()) paths.push_back(problem.path);
  return paths;
}

TEST(EndpointConfig, DefaultsAreGood) { EXPECT_THAT(problems_of(""), IsEmpty()); }

TEST(EndpointConfig, CertificatesAndKeysGoTogether) {
  EXPECT_THAT(problems_of("server: {certificate_file: a, key_file: b, client_ca_file: c}"),
              IsEmpty());
  EXPECT_THAT(problems_of("server: {certificate_file: a}"), ElementsAre("server"));
  EXPECT_THAT(problems_of("server: {client_ca_file: a}"), ElementsAre("server.client_ca_file"));
  EXPECT_THAT(problems_of("client: {enabled: true, key_file: a}"), ElementsAre("client"));
}

TEST(EndpointConfig, SettingsOfAClientWithoutTlsAreAMistake) {
  EXPECT_THAT(problems_of("client: {ca_file: a}"), ElementsAre("client.enabled"));
  EXPECT_THAT(problems_of("client: {server_name: a}"), ElementsAre("client.enabled"));
  EXPECT_THAT(problems_of("client: {enabled: true, ca_file: a}"), IsEmpty());
}

TEST(EndpointConfig, AStreamsWindowFitsItsConnections) {
  EXPECT_THAT(problems_of("limits: {stream_window: 8MiB}"), ElementsAre("limits.stream_window"));
}

TEST(EndpointConfig, AnAddressHasNoMoreConnectionsThanTheListener) {
  EXPECT_THAT(problems_of("limits: {connections_max: 10, connections_per_peer_max: 11}"),
              ElementsAre("limits.connections_per_peer_max"));
  EXPECT_THAT(problems_of("limits: {connections_max: 10, connections_per_peer_max: 10}"),
              IsEmpty());
}

}  // namespace
}  // namespace spanway
