#include "services/lib/logstreams/single_resource.h"

#include <gtest/gtest.h>

#include "services/lib/otlp/reader.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::logstreams {
namespace {

using fakes::otlp_log_record;
using fakes::otlp_request;
using fakes::otlp_resource;
using fakes::otlp_scope;

std::uint64_t items(const Bytes& request) {
  return otlp::count_items(otlp::Signal::kLogs, request.view()).value();
}

TEST(SingleResource, LeavesOneResourceAlone) {
  const auto one = single_resource_requests(fakes::otlp_request_of({otlp_log_record("a")}));
  EXPECT_TRUE(one.value().empty());
  EXPECT_TRUE(single_resource_requests("").value().empty());
  const auto repeated = otlp_resource("a", {otlp_scope("s", {otlp_log_record("x")})});
  EXPECT_TRUE(
      single_resource_requests(otlp_request({repeated, repeated}).encode()).value().empty());
}

TEST(SingleResource, GroupsByResourceInOrder) {
  for (const bool reversed : {false, true}) {
    const auto a = otlp_resource("a", {otlp_scope("s", {otlp_log_record("1")})});
    const auto b =
        otlp_resource("b", {otlp_scope("s", {otlp_log_record("2"), otlp_log_record("3")})});
    const std::string payload = otlp_request({a, b, a}).encode(reversed);
    const auto requests = single_resource_requests(payload);
    ASSERT_EQ(requests.value().size(), 2u);
    EXPECT_EQ(items(requests.value()[0]), 2u);
    EXPECT_EQ(items(requests.value()[1]), 2u);
    EXPECT_EQ(requests.value()[0].size() + requests.value()[1].size(), payload.size());
  }
}

TEST(SingleResource, RefusesBrokenFraming) {
  EXPECT_EQ(single_resource_requests("\x0a\x7f").error().refusal, Refusal::kData);
}

}  // namespace
}  // namespace spanway::logstreams
