#include "services/demo/tracing/span_exporter.h"

#include <gtest/gtest.h>

#include <optional>

#include "services/demo/tracing/tracer.h"
#include "services/lib/otlp/scan.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::demo {
namespace {

using testapp::SpanKind;

class SpanExporterTest : public testing::Test {
 protected:
  void start_spans(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) tracer_.start("work", SpanKind::kServer, std::nullopt);
  }

  fakes::ManualClock clock_;
  fakes::ManualExecutor executor_{clock_};
  fakes::SinkRecorder sink_;
  SpanExporter exporter_{"student-api", Random(1), sink_, executor_};
  Tracer tracer_{Random(2), clock_, exporter_};
};

TEST_F(SpanExporterTest, AChildBelongsToTheTraceOfItsParentAndBothTravelTogether) {
  {
    Span parent = tracer_.start("POST", SpanKind::kServer, std::nullopt);
    Span child = tracer_.start("INSERT", SpanKind::kClient, parent.context());
    EXPECT_EQ(child.context().trace_id, parent.context().trace_id);
    EXPECT_NE(child.context().span_id, parent.context().span_id);
    EXPECT_NE(parent.context().trace_id, testapp::TraceId());
  }
  executor_.run();
  EXPECT_FALSE(sink_.take(Duration::zero())) << "more spans may end within the linger";
  executor_.advance(SpanExporter::kLinger);
  const auto taken = sink_.take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.item_count, 2u);
}

TEST_F(SpanExporterTest, ASpanEndsOnce) {
  Span span = tracer_.start("work", SpanKind::kServer, std::nullopt);
  span.end();
  span.end();
  { const Span moved = std::move(span); }
  executor_.advance(SpanExporter::kLinger);
  const auto taken = sink_.take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->batch.item_count, 1u);
}

TEST_F(SpanExporterTest, WhatIsNotSampledIsNotSent) {
  SpanContext parent = tracer_.start("work", SpanKind::kServer, std::nullopt).context();
  executor_.advance(SpanExporter::kLinger);
  sink_.take()->token.answer(pipeline::Outcome{});
  executor_.run();
  parent.sampled = false;
  tracer_.start("child", SpanKind::kClient, parent);
  executor_.advance(SpanExporter::kLinger);
  EXPECT_FALSE(sink_.take(Duration::zero()));
}

TEST_F(SpanExporterTest, OneRequestAtATimeAndNoMoreThanItsBoundWaits) {
  start_spans(1);
  executor_.advance(SpanExporter::kLinger);
  auto first = sink_.take();
  ASSERT_TRUE(first);
  start_spans(SpanExporter::kWaitingMax + 3);
  executor_.advance(SpanExporter::kLinger);
  EXPECT_FALSE(sink_.take(Duration::zero())) << "the first has no answer";
  EXPECT_EQ(exporter_.lost(), 3u);
  first->token.answer(pipeline::Outcome{});
  executor_.run();
  const auto second = sink_.take();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->batch.item_count, SpanExporter::kWaitingMax);
}

TEST_F(SpanExporterTest, WhatThePipelineRefusesForGoodIsCounted) {
  start_spans(2);
  executor_.advance(SpanExporter::kLinger);
  sink_.take()->token.answer(invalid_argument("no"));
  executor_.run();
  EXPECT_EQ(exporter_.lost(), 2u);
}

}  // namespace
}  // namespace spanway::demo
