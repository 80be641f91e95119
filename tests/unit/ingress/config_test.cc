#include "services/ingress/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "services/lib/config/load.h"

namespace spanway::ingress {
namespace {

struct Loaded {
  IngressConfig config;
  config::LoadReport report;
  bool has_problem_at(std::string_view path) const {
    const auto& all = report.problems.all();
    return std::any_of(all.begin(), all.end(),
                       [path](const config::Problem& problem) { return problem.path == path; });
  }
};

Loaded load(std::string_view yaml, std::map<std::string, std::string> environment = {}) {
  Loaded loaded;
  config::Sources sources;
  sources.environment = std::move(environment);
  sources.read_file = [](const std::string&) { return std::nullopt; };
  loaded.report = config::load(
      yaml, "ingress.yaml", sources, [&loaded](config::Binder& b) { describe(b, loaded.config); },
      [&loaded](config::Problems& problems) { validate(loaded.config, problems); });
  return loaded;
}

TEST(IngressConfig, DefaultsAreGoodAndReachableFromThisMachineOnly) {
  const Loaded loaded = load("");
  EXPECT_TRUE(loaded.report.problems.empty())
      << config::format(loaded.report.problems, "ingress.yaml");
  EXPECT_EQ(loaded.config.otlp.host, "127.0.0.1");
  EXPECT_EQ(loaded.config.otlp.grpc.port, 4317);
  EXPECT_EQ(loaded.config.otlp.http.port, 4318);
  EXPECT_EQ(loaded.config.limits.body_bytes_max.bytes, 64u << 20);
  EXPECT_EQ(loaded.config.limits.compressed_bytes_max.bytes, 16u << 20);
  EXPECT_TRUE(loaded.config.otlp.http.cors.allowed_origins.empty());
}

TEST(IngressConfig, ReadsEverySection) {
  const Loaded loaded = load(R"(
otlp:
  host: 0.0.0.0
  grpc: {port: 14317}
  http: {port: 14318, cors: {allowed_origins: ["https://*.example.com"]}}
auth: {mode: bearer, tokens: [{token: secret, tenant: acme}, {token_file: /run/token}]}
tenant: {from: token, required: true}
rate_limit:
  items_per_second: 1000
  bytes_per_second: 1MiB
  overrides: [{tenant: acme, items_per_second: 5}]
merge: {linger: 5ms, bytes_max: 512KiB}
limits: {connection_age_max: 1m, item_bytes_max: 512KiB}
memory_limit: 512MiB
next: {endpoint: "bridge:4327", compression: gzip}
)");
  EXPECT_TRUE(loaded.report.problems.empty())
      << config::format(loaded.report.problems, "ingress.yaml");
  EXPECT_EQ(loaded.config.auth.mode, auth::AuthMode::kBearer);
  ASSERT_EQ(loaded.config.auth.tokens.size(), 2u);
  EXPECT_EQ(loaded.config.auth.tokens[0].token.reveal(), "secret");
  EXPECT_EQ(loaded.config.auth.tokens[1].token_file, "/run/token");
  EXPECT_EQ(loaded.config.tenant.from, auth::TenantSource::kToken);
  EXPECT_EQ(loaded.config.rate_limit.overrides.at(0).items_per_second, 5);
  EXPECT_EQ(loaded.config.merge.linger, std::chrono::milliseconds(5));
  EXPECT_EQ(loaded.config.memory_limit.bytes, 512u << 20);
  EXPECT_EQ(loaded.config.next.compression, NextConfig::Compression::kGzip);
}

TEST(IngressConfig, HonoursThePublishedEnvironmentNames) {
  EXPECT_EQ(load("", {{"GRPC_PORT", "1111"}}).config.otlp.grpc.port, 1111);
  EXPECT_EQ(load("", {{"OTLP_GRPC_PORT", "2222"}}).config.otlp.grpc.port, 2222);
  EXPECT_EQ(load("", {{"SERVER_PORT", "3333"}}).config.otlp.grpc.port, 3333);
  EXPECT_EQ(load("", {{"SERVER_HOST", "0.0.0.0"}}).config.otlp.host, "0.0.0.0");
  EXPECT_EQ(load("", {{"SPANWAY_NEXT__ENDPOINT", "b:1"}}).config.next.endpoint, "b:1");
}

TEST(IngressConfig, RefusesAuthThatAdmitsNoClientOrAll) {
  EXPECT_TRUE(load("auth: {mode: bearer}").has_problem_at("auth.tokens"));
  EXPECT_TRUE(load("auth: {mode: basic}").has_problem_at("auth.users"));
  EXPECT_TRUE(load("auth: {mode: none, tokens: [{token: a}]}").has_problem_at("auth.mode"));
  EXPECT_TRUE(load("auth: {mode: bearer, tokens: [{tenant: a}]}").has_problem_at("auth.tokens[0]"));
  EXPECT_TRUE(load("auth: {mode: bearer, tokens: [{token: a, token_file: b}]}")
                  .has_problem_at("auth.tokens[0]"));
  EXPECT_TRUE(
      load("auth: {mode: bearer, tokens: [{token: \"\"}]}").has_problem_at("auth.tokens[0]"));
  EXPECT_TRUE(load("auth: {mode: basic, users: [{username: \"a:b\", password: c}]}")
                  .has_problem_at("auth.users[0].username"));
  EXPECT_TRUE(
      load("auth: {mode: basic, users: [{username: a, password: c}, {username: a, password: d}]}")
          .has_problem_at("auth.users[1].username"));
}

TEST(IngressConfig, RefusesTenantRulesThatBindNoClient) {
  EXPECT_TRUE(load("tenant: {from: token}").has_problem_at("tenant.from"));
  EXPECT_TRUE(load("tenant: {from: certificate}").has_problem_at("tenant.from"));
  EXPECT_TRUE(load("tenant: {required: true}").has_problem_at("tenant.required"));
  EXPECT_TRUE(
      load("tenant: {from: header, header: spanway-tenant}").has_problem_at("tenant.header"));
  EXPECT_TRUE(
      load("{auth: {mode: bearer, tokens: [{token: a, tenant: acme}]}, tenant: {from: header}}")
          .has_problem_at("tenant.from"));
  EXPECT_FALSE(load("tenant: {from: none, required: true, default: acme}")
                   .has_problem_at("tenant.required"));
}

TEST(IngressConfig, RefusesLimitsThatContradictEachOther) {
  EXPECT_TRUE(load("memory_limit: 100MiB").has_problem_at("limits.body_bytes_max"));
  EXPECT_TRUE(load("limits: {body_bytes_max: 1MiB, item_bytes_max: 2MiB}")
                  .has_problem_at("limits.item_bytes_max"));
  EXPECT_TRUE(load("limits: {body_bytes_max: 8MiB}").has_problem_at("limits.compressed_bytes_max"));
  EXPECT_TRUE(load("merge: {bytes_max: 64KiB}").has_problem_at("merge.small_request_bytes"));
  EXPECT_TRUE(load("otlp: {grpc: {port: 4318}}").has_problem_at("otlp.http.port"));
  EXPECT_TRUE(
      load("otlp: {grpc: {enabled: false}, http: {enabled: false}}").has_problem_at("otlp"));
  EXPECT_TRUE(load("otlp: {http: {cors: {allowed_origins: [\"*.*\"]}}}")
                  .has_problem_at("otlp.http.cors.allowed_origins"));
  EXPECT_TRUE(load("otlp: {tls: {certificate_file: a}}").has_problem_at("otlp.tls"));
  EXPECT_TRUE(load("next: {tls: {ca_file: a}}").has_problem_at("next.tls.enabled"));
}

TEST(IngressConfig, RefusesItselfAsTheNextHop) {
  EXPECT_TRUE(load("next: {endpoint: 'localhost:4317'}").has_problem_at("next.endpoint"));
  EXPECT_TRUE(load("{next: {endpoint: '[::1]:9'}, otlp: {grpc: {port: 9}}}")
                  .has_problem_at("next.endpoint"));
  EXPECT_FALSE(load("next: {endpoint: 'localhost:4327'}").has_problem_at("next.endpoint"));
  EXPECT_FALSE(load("next: {endpoint: 'kafka-bridge:4317'}").has_problem_at("next.endpoint"));
}

TEST(IngressConfig, KeepsSecretsOutOfWhatItPrints) {
  Loaded loaded = load(
      "auth: {mode: basic, users: [{username: shop, password: hunter2}]}\ntenant: {default: acme}");
  const std::string printed =
      config::print([&loaded](config::Binder& b) { describe(b, loaded.config); });
  EXPECT_EQ(printed.find("hunter2"), std::string::npos);
  EXPECT_NE(printed.find("shop"), std::string::npos);
}

}  // namespace
}  // namespace spanway::ingress
