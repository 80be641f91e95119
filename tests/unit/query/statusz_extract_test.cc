#include "services/query/statusz_extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/lib/runtime/statusz.h"

namespace spanway::query {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(StatuszExtract, FiguresStayAndTenantsAndTextsOfDestinationsDoNot) {
  const auto extract = statusz_extract(R"({"ready":true,"reason":"degraded: secret-reason",
    "destination":{"name":"loki","type":"loki","reachable":false,"last_error":"secret-line",
                   "last_error_reason":"unavailable","circuit":"open"},
    "partitions":[{"topic":"t","partition":3,"lag_messages":null,"lag_seconds":1.5,"stalled":true,
                   "reason":"secret-reason","batches":[{"tenant":"secret-tenant"}]}],
    "stalls":[{"signal":"logs","tenant":"secret-tenant","scope":"tenant","reason":"secret-reason","seconds":9}],
    "errors":[{"message":"secret-line"}]})");
  EXPECT_EQ(
      extract,
      R"([{"ready":true,"destination":{"name":"loki","type":"loki","reachable":false,"last_error_reason":"unavailable","circuit":"open"},"partitions":[{"topic":"t","partition":3,"lag_messages":null,"lag_seconds":1.5,"stalled":true}],"stalls":[{"signal":"logs","scope":"tenant","seconds":9}]}])");
}

TEST(StatuszExtract, AProcessWithSeveralServicesHasOneEntryForEach) {
  EXPECT_EQ(statusz_extract(R"({"ingress":{"ready":true},"bridge":{"ready":false,"mode":"both"}})"),
            R"([{"part":"ingress","ready":true},{"part":"bridge","ready":false,"mode":"both"}])");
}

// The names are those that /statusz writes.
TEST(StatuszExtract, WhatTheServicesWriteIsFound) {
  runtime::Statusz status;
  status.ready = true;
  status.mode = "consume";
  status.destination.emplace().circuit = "closed";
  status.memory.emplace().rss = 7;
  runtime::Statusz::Partition partition;
  partition.topic = "spans";
  partition.lag_seconds = 2;
  status.partitions = {{partition}};
  const auto extract = statusz_extract(runtime::to_json(status));
  ASSERT_TRUE(extract);
  for (const char* part : {R"("ready":true)", R"("mode":"consume")", R"("circuit":"closed")",
                           R"("topic":"spans")", R"("lag_seconds":2)", R"("rss":7)"})
    EXPECT_THAT(*extract, HasSubstr(part));
}

TEST(StatuszExtract, TextThatIsNoStatuszIsRefused) {
  for (const char* text :
       {"", "ok", "[]", "null", R"({"ready":true)", R"({"ready":{"a":1}})", R"({"ready":true} x)",
        R"({"ready":tru})", R"({"kafka":{"reachable":[1]},"ready":true})"})
    EXPECT_EQ(statusz_extract(text), std::nullopt) << text;
  const std::string deep = "{\"ready\":true,\"x\":" + std::string(5000, '[');
  EXPECT_EQ(statusz_extract(deep), std::nullopt);
}

TEST(StatuszExtract, TextsAreWrittenAsUtf8) {
  const auto extract = statusz_extract("{\"ready\":true,\"mode\":\"a\xff\\u0041\\\"\"}");
  ASSERT_TRUE(extract);
  EXPECT_THAT(*extract, HasSubstr("A\\\""));
  EXPECT_THAT(*extract, Not(HasSubstr("\xff")));
}

}  // namespace
}  // namespace spanway::query
