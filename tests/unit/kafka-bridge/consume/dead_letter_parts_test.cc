#include "services/kafka-bridge/consume/dead_letter_parts.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {
namespace {

TEST(DeadLetterParts, ALetterIsNamedByItsOriginAndItsBytes) {
  const std::string id = letter_id("t:0:1", "bytes");
  EXPECT_EQ(id.size(), 16u);
  EXPECT_EQ(id, letter_id("t:0:1", "bytes"));
  EXPECT_NE(id, letter_id("t:0:2", "bytes"));
  EXPECT_NE(id, letter_id("t:0:1", "other"));
}

TEST(DeadLetterParts, ARangeNamesFirstAndLastByte) {
  EXPECT_EQ(part_range(0, 10, 25), "0-9/25");
  EXPECT_EQ(part_range(20, 25, 25), "20-24/25");
}

TEST(DeadLetterParts, CutsOnlyUnderAPermit) {
  MemoryBudget budget(1000);
  Permit permit = budget.empty_permit();
  EXPECT_TRUE(divide_between_items(otlp::Signal::kTraces, spans(0, 100), 2000, permit).empty());
  MemoryBudget enough(1u << 20);
  Permit granted = enough.empty_permit();
  const auto parts = divide_between_items(otlp::Signal::kTraces, spans(0, 100), 2000, granted);
  ASSERT_GT(parts.size(), 2u);
  std::size_t bytes = 0;
  for (const Bytes& part : parts) bytes += part.size();
  EXPECT_EQ(granted.bytes(), bytes);
}

// A small letter of many empty items would need an index many times its size.
TEST(DeadLetterParts, AnIndexThatWouldOutgrowTheLetterIsNotMade) {
  std::string items;
  for (int i = 0; i < 100'000; ++i) items += std::string("\x12\x00", 2);
  const std::string logs =
      fakes::ProtoMessage()
          .message(1, fakes::ProtoMessage().message(2, fakes::ProtoMessage().raw(items)))
          .encode();
  MemoryBudget budget(1u << 20);
  Permit permit = budget.empty_permit();
  EXPECT_TRUE(divide_between_items(otlp::Signal::kLogs, logs, 50'000, permit).empty());
}

TEST(DeadLetterParts, WhatWouldRepeatALargeResourceTooOftenIsNotCut) {
  std::vector<fakes::ProtoMessage> items;
  for (std::uint64_t i = 1; i <= 50; ++i) items.push_back(fakes::otlp_span(i, i, "span-/"));
  const std::string payload =
      fakes::otlp_request(
          {fakes::otlp_resource(std::string(3000, 'p'), {fakes::otlp_scope("s", items)})})
          .encode();
  MemoryBudget budget(1u << 20);
  Permit permit = budget.empty_permit();
  EXPECT_TRUE(divide_between_items(otlp::Signal::kTraces, payload, 3300, permit).empty());
}

}  // namespace
}  // namespace spanway::kafka_bridge
