#include "services/lib/sinks/batch_json.h"

#include <gtest/gtest.h>

#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

pipeline::Batch batch_of(const std::string& payload, MemoryBudget& budget) {
  pipeline::Batch batch;
  batch.payload = Bytes(payload);
  batch.permit = *budget.try_acquire(payload.size());
  return batch;
}

TEST(BatchJson, LeavesThePermitAtPayloadAndText) {
  MemoryBudget budget(1 << 20);
  pipeline::Batch batch = batch_of(fakes::otlp_request_of({fakes::otlp_span(1, 2)}), budget);
  const auto json = batch_to_json(batch);
  ASSERT_TRUE(json.ok());
  EXPECT_TRUE(json->starts_with(R"({"resourceSpans":[{"resource":{"attributes":[)"));
  EXPECT_EQ(budget.used(), batch.payload.size() + json->size());
}

TEST(BatchJson, GrowsFurtherForTextThatIsMostlyEscapes) {
  MemoryBudget budget(1 << 20);
  const std::string payload =
      fakes::otlp_request_of({fakes::otlp_span(1, 2, std::string(20'000, '\x01'))});
  pipeline::Batch batch = batch_of(payload, budget);
  const auto json = batch_to_json(batch);
  ASSERT_TRUE(json.ok()) << json.error().message;
  EXPECT_GT(json->size(), 5 * payload.size());
}

TEST(BatchJson, RefusesForNowWithoutMemory) {
  const std::string payload = fakes::otlp_request_of({fakes::otlp_span(1, 2)});
  MemoryBudget budget(payload.size() + 100);
  pipeline::Batch batch = batch_of(payload, budget);
  const auto json = batch_to_json(batch);
  ASSERT_FALSE(json.ok());
  EXPECT_EQ(json.error().refusal, Refusal::kTransient);
  EXPECT_STREQ(json.error().reason, "no_memory");
}

TEST(BatchJson, RefusesBrokenFramingForGood) {
  MemoryBudget budget(1 << 20);
  pipeline::Batch batch = batch_of("\x0a\x7f", budget);
  const auto json = batch_to_json(batch);
  ASSERT_FALSE(json.ok());
  EXPECT_EQ(json.error().refusal, Refusal::kData);
}

}  // namespace
}  // namespace spanway::sinks
