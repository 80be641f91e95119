#include "services/ingress/ingress_gatekeeper.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::ingress {
namespace {

http::RequestHead with(std::string name, std::string value) {
  http::RequestHead head;
  head.headers.add(std::move(name), std::move(value));
  return head;
}

auth::TenantConfig from(auth::TenantSource source) {
  auth::TenantConfig config;
  config.from = source;
  return config;
}

TEST(IngressGatekeeper, StripsWhatClientsMayNotSay) {
  telemetry::Metrics metrics;
  const telemetry::Logger log = telemetry::Logger::null();
  const auto authenticator = auth::Authenticator::create({}, auth::read_small_file, {1, 2, 3, 4});
  ASSERT_TRUE(authenticator.ok());
  IngressGatekeeper gatekeeper(*authenticator.value(), from(auth::TenantSource::kHeader),
                               Transport::kGrpc, Events({log, metrics}));
  http::RequestHead head = with("spanway-tenant", "stolen");
  head.headers.add("spanway-batch", "t:0:1-2");
  head.headers.add("traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01");
  head.headers.add("x-scope-orgid", "acme");
  const auto metadata = gatekeeper.admit(head, otlp::Signal::kTraces);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->tenant, "acme");
  EXPECT_EQ(metadata->batch_id, "");
  EXPECT_EQ(metadata->traceparent, "");
}

TEST(IngressGatekeeper, CountsWhomItRefuses) {
  telemetry::Metrics metrics;
  const telemetry::Logger log = telemetry::Logger::null();
  auth::AuthConfig auth;
  auth.mode = auth::AuthMode::kBearer;
  auth.tokens.push_back({Secret("alpha"), "", ""});
  const auto authenticator = auth::Authenticator::create(auth, auth::read_small_file, {1, 2, 3, 4});
  ASSERT_TRUE(authenticator.ok());
  IngressGatekeeper gatekeeper(*authenticator.value(), from(auth::TenantSource::kHeader),
                               Transport::kHttp, Events({log, metrics}));
  EXPECT_FALSE(gatekeeper.admit({}, otlp::Signal::kTraces).ok());
  http::RequestHead head = with("authorization", "Bearer alpha");
  head.headers.add("x-scope-orgid", "a/b");
  EXPECT_FALSE(gatekeeper.admit(head, otlp::Signal::kLogs).ok());
  const auto refused = [&metrics](const char* reason) {
    return metrics.value("spanway_ingress_refused_requests_total",
                         {{"transport", "http"}, {"reason", reason}});
  };
  EXPECT_EQ(refused("unauthenticated"), 1);
  EXPECT_EQ(refused("tenant"), 1);
  EXPECT_EQ(metrics.value("spanway_ingress_auth_failures_total"), 1);
}

}  // namespace
}  // namespace spanway::ingress
