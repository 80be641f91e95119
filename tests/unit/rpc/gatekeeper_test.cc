#include <gtest/gtest.h>

#include <string>

#include "services/lib/rpc/export_service.h"

namespace spanway::rpc {
namespace {

constexpr const char* kTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

http::RequestHead head_with(std::initializer_list<std::pair<std::string, std::string>> headers) {
  http::RequestHead head;
  for (const auto& [name, value] : headers) head.headers.add(name, value);
  return head;
}

TEST(TrustingGatekeeper, TakesTheMetadataAsSent) {
  const auto gatekeeper = trusting_gatekeeper();
  const auto metadata = gatekeeper->admit(head_with({{"spanway-tenant", "team_A-1"},
                                                     {"spanway-batch", "otel.traces:3:10-20"},
                                                     {"traceparent", kTraceparent},
                                                     {"tracestate", "a=1, b=2"}}),
                                          otlp::Signal::kTraces);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->tenant, "team_A-1");
  EXPECT_EQ(metadata->batch_id, "otel.traces:3:10-20");
  EXPECT_EQ(metadata->traceparent, kTraceparent);
  EXPECT_EQ(metadata->tracestate, "a=1, b=2");
}

TEST(TrustingGatekeeper, RefusesATenantThatIsNotAPlainName) {
  const auto gatekeeper = trusting_gatekeeper();
  for (const std::string& tenant :
       {std::string("../etc"), std::string("a b"), std::string("a/b"), std::string("%2e"),
        std::string("caf\xc3\xa9"), std::string("a\0b", 3), std::string(65, 'x')}) {
    const auto metadata =
        gatekeeper->admit(head_with({{"spanway-tenant", tenant}}), otlp::Signal::kLogs);
    ASSERT_FALSE(metadata.ok()) << tenant;
    EXPECT_EQ(metadata.error().code, Code::kInvalidArgument);
    EXPECT_STREQ(metadata.error().reason, "tenant_invalid");
  }
  EXPECT_TRUE(
      gatekeeper->admit(head_with({{"spanway-tenant", std::string(64, 'x')}}), otlp::Signal::kLogs)
          .ok());
}

TEST(TrustingGatekeeper, RefusesAHeaderThatIsSentTwice) {
  const auto gatekeeper = trusting_gatekeeper();
  EXPECT_FALSE(gatekeeper
                   ->admit(head_with({{"spanway-tenant", "a"}, {"spanway-tenant", "b"}}),
                           otlp::Signal::kLogs)
                   .ok());
  EXPECT_FALSE(
      gatekeeper
          ->admit(head_with({{"spanway-batch", "a"}, {"spanway-batch", "a"}}), otlp::Signal::kLogs)
          .ok());
}

TEST(TrustingGatekeeper, DropsABrokenTraceContext) {
  const auto gatekeeper = trusting_gatekeeper();
  const auto metadata = gatekeeper->admit(
      head_with({{"traceparent", "00-short"}, {"tracestate", "a=1"}}), otlp::Signal::kLogs);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->traceparent, "");
  EXPECT_EQ(metadata->tracestate, "");
}

TEST(Gatekeeper, AnyClientMayAskForAllOrNothing) {
  for (const auto& make : {trusting_gatekeeper, plain_gatekeeper}) {
    const auto gatekeeper = make();
    const auto joined =
        gatekeeper->admit(head_with({{"spanway-all-or-nothing", "1"}}), otlp::Signal::kLogs);
    ASSERT_TRUE(joined.ok());
    EXPECT_TRUE(joined->all_or_nothing);
    const auto single = gatekeeper->admit(head_with({}), otlp::Signal::kLogs);
    ASSERT_TRUE(single.ok());
    EXPECT_FALSE(single->all_or_nothing);
  }
}

TEST(PlainGatekeeper, StripsTheMetadata) {
  const auto metadata = plain_gatekeeper()->admit(
      head_with(
          {{"spanway-tenant", "../x"}, {"spanway-batch", "b"}, {"traceparent", kTraceparent}}),
      otlp::Signal::kLogs);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->tenant, "");
  EXPECT_EQ(metadata->batch_id, "");
  EXPECT_EQ(metadata->traceparent, "");
}

}  // namespace
}  // namespace spanway::rpc
