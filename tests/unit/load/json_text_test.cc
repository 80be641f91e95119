#include "services/load/json_text.h"

#include <gtest/gtest.h>

namespace spanway::load {
namespace {

TEST(JsonObject, WritesEveryKindOfValue) {
  EXPECT_EQ(JsonObject().text(), "{}");
  EXPECT_EQ(JsonObject()
                .add("a", std::uint64_t{18446744073709551615u})
                .add("b", 1.5)
                .add("c", "text")
                .add_raw("d", "[1]")
                .text(),
            R"({"a":18446744073709551615,"b":1.500,"c":"text","d":[1]})");
}

TEST(JsonObject, EscapesText) {
  EXPECT_EQ(JsonObject().add("a", "\"\\\n\x7f\xc3").text(),
            "{\"a\":\"\\\"\\\\\\u000a\\u007f\\u00c3\"}");
}

TEST(LatencyJson, IsInMilliseconds) {
  LatencyHistogram latency;
  latency.record(std::chrono::milliseconds(2));
  EXPECT_EQ(latency_json(latency),
            R"({"count":1,"p50":2.000,"p90":2.000,"p99":2.000,"p99_9":2.000,)"
            R"("max":2.000,"mean":2.000})");
}

}  // namespace
}  // namespace spanway::load
