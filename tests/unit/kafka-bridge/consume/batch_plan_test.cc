#include "services/kafka-bridge/consume/batch_plan.h"

#include <gtest/gtest.h>

#include <limits>

namespace spanway::kafka_bridge {
namespace {

using Ends = std::vector<std::int64_t>;

TEST(BatchPlan, ComesBackAsItWasWritten) {
  const Ends ends = {5, 6, 1000, std::numeric_limits<std::int64_t>::max()};
  EXPECT_EQ(parse_batch_plan(encode_batch_plan(ends), 5), ends);
  EXPECT_EQ(encode_batch_plan({}), "");
  EXPECT_EQ(parse_batch_plan("", 5), Ends());
}

TEST(BatchPlan, TheLargestFitsWhatBrokersTake) {
  Ends ends;
  for (std::size_t i = 0; i < kPlannedRangesMax; ++i) {
    ends.push_back(std::numeric_limits<std::int64_t>::max() - 100 + static_cast<std::int64_t>(i));
  }
  const std::string text = encode_batch_plan(ends);
  EXPECT_LT(text.size(), 4096u);
  EXPECT_EQ(parse_batch_plan(text, 0), ends);
  ends.push_back(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_batch_plan(encode_batch_plan(ends), 0), std::nullopt);
}

TEST(BatchPlan, WhatIsNoPlanIsNotFollowed) {
  for (const char* text : {"metadata of another consumer", "spanway1:", "spanway1:a", "spanway1:5,",
                           "spanway1:5,5", "spanway1:6,5", "spanway1:5;6", "spanway1:-1",
                           "spanway1:99999999999999999999", "spanway2:5"}) {
    EXPECT_EQ(parse_batch_plan(text, 5), std::nullopt) << text;
  }
  EXPECT_EQ(parse_batch_plan("spanway1:5", 6), std::nullopt) << "ends before the offset";
  EXPECT_EQ(parse_batch_plan("spanway1:5", 5), Ends{5});
}

TEST(BatchPlan, NamesBatchesByTheirOffsets) {
  EXPECT_EQ(batch_identity("otel.traces", 3, 10, 25, ""), "otel.traces:3:10-25");
  EXPECT_EQ(batch_identity("otel.traces", 3, 10, 10, "acme"), "otel.traces:3:10-10:acme");
}

}  // namespace
}  // namespace spanway::kafka_bridge
