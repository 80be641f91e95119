#include "services/lib/pipeline/batch.h"

#include <gtest/gtest.h>

namespace spanway::pipeline {
namespace {

TEST(Batch, CloneCopiesEverythingButThePermit) {
  MemoryBudget budget(100);
  Batch batch;
  batch.signal = otlp::Signal::kLogs;
  batch.payload = Bytes("payload");
  batch.item_count = 3;
  batch.metadata = {"tenant", "topic:0:1-2", true, "traceparent", "tracestate"};
  batch.deadline = Deadline::at(SteadyTime(Duration(5)));
  batch.permit = budget.try_acquire(10).value();

  Batch copy = batch.clone(budget.try_acquire(7).value());
  EXPECT_EQ(copy.signal, otlp::Signal::kLogs);
  EXPECT_EQ(copy.payload.view(), "payload");
  EXPECT_NE(copy.payload.data(), batch.payload.data());
  EXPECT_EQ(copy.item_count, 3U);
  EXPECT_EQ(copy.metadata.tenant, "tenant");
  EXPECT_EQ(copy.metadata.batch_id, "topic:0:1-2");
  EXPECT_TRUE(copy.metadata.all_or_nothing);
  EXPECT_EQ(copy.metadata.traceparent, "traceparent");
  EXPECT_EQ(copy.metadata.tracestate, "tracestate");
  EXPECT_EQ(copy.deadline.when(), batch.deadline.when());
  EXPECT_EQ(copy.permit.bytes(), 7U);
  EXPECT_EQ(budget.used(), 17U);
}

TEST(Batch, GivesItsBytesBackWhenItGoes) {
  MemoryBudget budget(100);
  {
    Batch batch;
    batch.permit = budget.try_acquire(10).value();
    const Batch moved = std::move(batch);
    EXPECT_EQ(budget.used(), 10U);
  }
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace spanway::pipeline
