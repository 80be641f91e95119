#include "services/query/memory_sink.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/answers.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

pipeline::Batch batch(otlp::Signal signal, const std::string& payload) {
  pipeline::Batch batch;
  batch.signal = signal;
  batch.payload = Bytes(payload);
  batch.metadata.tenant = "acme";
  return batch;
}

class MemorySinkTest : public testing::Test {
 protected:
  Result<pipeline::Outcome> send(MemoryStores stores, otlp::Signal signal,
                                 const std::string& payload) {
    MemorySink sink(stores);
    sink.send(batch(signal, payload), answers_.token());
    return answers_.next().value();
  }
  fakes::Answers answers_;
  MemoryTraceStore traces_;
  MemoryLogStore logs_;
  MemoryMetricStore metrics_;
  QueryContext context_{.tenant = "acme"};
};

TEST_F(MemorySinkTest, WhatIsAcknowledgedCanBeRead) {
  const MemoryStores all = {&traces_, &logs_, &metrics_};
  ASSERT_TRUE(
      send(all, otlp::Signal::kTraces, fakes::otlp_request_of({fakes::otlp_span(1, 1, "a", {})}))
          .ok());
  EXPECT_EQ(traces_.status(context_)->spans, 1u);
  EXPECT_TRUE(traces_.ping(context_).ok());
  ASSERT_TRUE(
      send(all, otlp::Signal::kLogs, fakes::otlp_request_of({fakes::otlp_log_record("a")})).ok());
  EXPECT_EQ(logs_.streams({}, {}, context_)->size(), 1u);
  const auto gauge =
      fakes::otlp_metric("depth", fakes::MetricKind::kGauge, {fakes::otlp_number_point(3)});
  ASSERT_TRUE(send(all, otlp::Signal::kMetrics, fakes::otlp_request_of({gauge})).ok());
  const LabelMatcher name{.label = kMetricName, .op = MatchOp::kEqual, .value = "depth_ratio"};
  EXPECT_EQ(metrics_.series(std::span(&name, 1), {}, context_)->size(), 1u);
}

TEST_F(MemorySinkTest, SignalsWithoutAStoreAndBrokenRequestsAreRefused) {
  const MemoryStores only = {.traces = &traces_};
  EXPECT_EQ(send(only, otlp::Signal::kLogs, fakes::otlp_request_of({fakes::otlp_log_record("a")}))
                .error()
                .refusal,
            Refusal::kConfiguration)
      << "the bridge keeps them";
  EXPECT_EQ(send(only, otlp::Signal::kMetrics, "").error().refusal, Refusal::kConfiguration);
  EXPECT_EQ(send(only, otlp::Signal::kTraces, "\x0a\xff").error().refusal, Refusal::kData);
}

}  // namespace
}  // namespace spanway::query
