#include "services/testapp/trace_recorder.h"

#include <gtest/gtest.h>

namespace spanway::testapp {
namespace {

TEST(TraceRecorder, NestsSpansInATimeThatMovesOnlyWhenConfigured) {
  Random random(1);
  TraceRecorder trace(random);
  const auto root = trace.open_root(ServiceName::kFrontend, SpanKind::kServer, "root", {});
  trace.pass(10, 10);
  const auto child = trace.open(ServiceName::kCart, SpanKind::kInternal, "child", root, {});
  trace.pass(5, 5);
  trace.log(child, Severity::kInfo, "inside");
  trace.end(child);
  trace.end(root);
  trace.shift(1'000'000);
  EXPECT_EQ(trace.span(root).start, 1'000'000u);
  EXPECT_EQ(trace.span(root).end, 1'015'000u);
  EXPECT_EQ(trace.span(child).start, 1'010'000u);
  EXPECT_EQ(trace.span(child).parent_id, trace.span(root).span_id);
  EXPECT_TRUE(trace.span(root).parent_id.empty());
  EXPECT_EQ(trace.now(), 1'015'000u);
  ASSERT_EQ(trace.logs(ServiceName::kCart).size(), 1u);
  EXPECT_EQ(trace.logs(ServiceName::kCart)[0].time, 1'015'000u);
  EXPECT_EQ(trace.logs(ServiceName::kCart)[0].span_id, trace.span(child).span_id);
}

TEST(TraceRecorder, RecordsFailuresAsStatusAndException) {
  Random random(1);
  TraceRecorder trace(random);
  const auto plain = trace.open_root(ServiceName::kFrontend, SpanKind::kServer, "a", {});
  trace.fail(plain, "", "because");
  EXPECT_EQ(trace.span(plain).status, SpanStatus::kError);
  EXPECT_EQ(trace.span(plain).status_message, "because");
  EXPECT_TRUE(trace.span(plain).events.empty());
  const auto thrown = trace.open(ServiceName::kCart, SpanKind::kServer, "b", plain, {});
  trace.fail(thrown, "Timeout", "too slow");
  ASSERT_EQ(trace.span(thrown).events.size(), 1u);
  EXPECT_EQ(trace.span(thrown).events[0].name, "exception");
  EXPECT_EQ(std::get<std::string>(trace.span(thrown).attributes.back().second), "Timeout");
}

TEST(TraceRecorder, PassesATimeWithinTheBounds) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    TraceRecorder trace(random);
    trace.pass(3, 6);
    EXPECT_GE(trace.now(), 3000u);
    EXPECT_LE(trace.now(), 6000u);
  }
}

}  // namespace
}  // namespace spanway::testapp
