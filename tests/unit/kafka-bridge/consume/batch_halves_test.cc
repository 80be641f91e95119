#include "services/kafka-bridge/consume/batch_halves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/lib/base/check.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using fakes::ProtoMessage;
using otlp::Signal;
using ::testing::ElementsAre;

ProtoMessage nested(int depth) {
  ProtoMessage value = fakes::otlp_int(1);
  for (int i = 1; i < depth; ++i) value = fakes::otlp_array({value});
  return value;
}

ProtoMessage named_span(int number, std::vector<ProtoMessage> attributes = {}) {
  const auto id = static_cast<std::uint64_t>(number + 1);
  return fakes::otlp_span(id, id, "span-" + std::to_string(number) + "/", std::move(attributes));
}

std::vector<std::string> names_of(const BatchHalf& half) { return span_names(half.payload.view()); }

TEST(BatchHalves, KeepsItemsThatTheDefaultLimitsWouldReject) {
  const ProtoMessage deep = named_span(0, {fakes::otlp_attribute("deep", nested(45))});
  const ProtoMessage large =
      named_span(1, {fakes::otlp_attribute("large", std::string(1u << 20, 'x'))});
  ProtoMessage wide = fakes::otlp_resource(
      std::string(70u << 10, 'p'), {fakes::otlp_scope("s", {named_span(2), named_span(3)})});
  const std::string payload =
      fakes::otlp_request_of({deep, large}) + fakes::otlp_request({wide}).encode();
  const auto halves = halve_batch(Signal::kTraces, payload, 4, nullptr);
  ASSERT_TRUE(halves);
  EXPECT_THAT(names_of(halves->first), ElementsAre("span-0", "span-1"));
  EXPECT_EQ(halves->first.item_count, 2u);
  EXPECT_THAT(names_of(halves->second), ElementsAre("span-2", "span-3"));
  EXPECT_EQ(halves->second.item_count, 2u);
}

TEST(BatchHalves, AMetricWithoutDataPointsIsNotLeftOut) {
  const auto metric = [](const char* name, int points) {
    std::vector<ProtoMessage> all(static_cast<std::size_t>(points), fakes::otlp_number_point(1));
    return fakes::otlp_metric(name, fakes::MetricKind::kSum, all);
  };
  const std::string payload =
      fakes::otlp_request_of({metric("a-empty", 0), metric("b-full", 2), metric("c-empty", 0)});
  const auto halves = halve_batch(Signal::kMetrics, payload, 4, nullptr);
  ASSERT_TRUE(halves);
  EXPECT_EQ(halves->first.item_count, 3u);
  EXPECT_EQ(halves->second.item_count, 1u);
  EXPECT_NE(halves->second.payload.view().find("c-empty"), std::string_view::npos);
  const auto first = halve_batch(Signal::kMetrics, halves->first.payload.view(), 3, nullptr);
  ASSERT_TRUE(first);
  EXPECT_NE(first->first.payload.view().find("a-empty"), std::string_view::npos);
  EXPECT_NE(first->second.payload.view().find("b-full"), std::string_view::npos);
}

TEST(BatchHalves, WhatCannotBeCutIsNotSplit) {
  EXPECT_FALSE(
      halve_batch(Signal::kTraces, fakes::otlp_request_of({named_span(0)}), 1, nullptr).ok());
  EXPECT_FALSE(halve_batch(Signal::kTraces, "no protobuf", 1, nullptr).ok());
  const std::uint64_t bugs = bug_count();
  EXPECT_FALSE(halve_batch(Signal::kTraces, fakes::otlp_request_of({named_span(0), named_span(1)}),
                           3, nullptr)
                   .ok())
      << "rather unsplit than without an item";
  EXPECT_EQ(bug_count(), bugs + 1);
}

// A destination that refuses one batch of half a million empty records must not cost more than the
// budget knows.
TEST(BatchHalves, TakesAPermitForAnUnusuallyLargeIndex) {
  std::vector<ProtoMessage> records(200'000, fakes::otlp_log_record(""));
  const std::string payload = fakes::otlp_request_of(records);
  MemoryBudget none(1u << 20);
  const auto refused = halve_batch(Signal::kLogs, payload, records.size(), &none);
  ASSERT_FALSE(refused.ok());
  MemoryBudget enough(64u << 20);
  auto other = enough.try_acquire((64u << 20) - 1024);
  const auto later = halve_batch(Signal::kLogs, payload, records.size(), &enough);
  ASSERT_FALSE(later.ok());
  EXPECT_EQ(later.error().refusal, Refusal::kTransient);
  other->release();
  EXPECT_TRUE(halve_batch(Signal::kLogs, payload, records.size(), &enough).ok());
  EXPECT_GT(enough.peak(), 4u << 20);
  EXPECT_EQ(enough.used(), 0u);
}

TEST(BatchParts, AreWhatHalvingMakes) {
  std::vector<ProtoMessage> spans;
  for (int i = 0; i < 13; ++i) spans.push_back(named_span(i));
  const std::string payload = fakes::otlp_request_of(spans);
  const auto parts = batch_parts(Signal::kTraces, payload, 13, {{0, 2}, {3, 1}, {7, 6}}, nullptr);
  ASSERT_TRUE(parts.ok());
  std::vector<std::string> names;
  std::uint64_t items = 0;
  for (const BatchPart& part : *parts) {
    const auto own = span_names(part.payload.view());
    EXPECT_EQ(own.size(), part.items.count);
    EXPECT_EQ(own.front(), "span-" + std::to_string(part.items.first));
    items += part.items.count;
  }
  EXPECT_EQ(items, 9u);
  EXPECT_FALSE(batch_parts(Signal::kTraces, "no protobuf", 13, {{0, 2}}, nullptr).ok());
}

}  // namespace
}  // namespace spanway::kafka_bridge
