#include "services/testapp/otlp_encoder.h"

#include <gtest/gtest.h>

#include <string>

#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp/scan.h"
#include "services/testapp/shop.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::testapp {
namespace {

TEST(Encode, MakesRequestsInWhichNothingIsRejected) {
  fakes::ManualClock clock;
  Shop shop(Random(1), 0.5, clock);
  otlp::Scanner scanner;
  for (int i = 0; i < 100; ++i) {
    const Purchase purchase = shop.buy();
    for (const otlp::Signal signal : otlp::kSignals) {
      const EncodedRequest request = encode(signal, purchase.services);
      const Status status = scanner.scan(signal, request.payload.view());
      ASSERT_TRUE(status.ok()) << status.error().message;
      EXPECT_EQ(scanner.index().rejected, 0u) << scanner.index().reject_message;
      EXPECT_EQ(scanner.index().accepted, request.item_count);
      EXPECT_GT(request.item_count, 0u);
    }
  }
}

TEST(Encode, GivesEveryServiceItsOwnResource) {
  fakes::ManualClock clock;
  Shop shop(Random(2), 0, clock);
  const Purchase purchase = shop.buy();
  otlp::Scanner scanner;
  const EncodedRequest request = encode(otlp::Signal::kTraces, purchase.services);
  ASSERT_TRUE(scanner.scan(otlp::Signal::kTraces, request.payload.view()).ok());
  EXPECT_EQ(scanner.index().resources.size(), kServiceCount);
}

TEST(Encode, LeavesServicesWithoutItemsOut) {
  ServiceTelemetry silent;
  silent.resource = {{"service.name", "silent"}};
  for (const otlp::Signal signal : otlp::kSignals) {
    const EncodedRequest request = encode(signal, {silent});
    EXPECT_TRUE(request.payload.empty());
    EXPECT_EQ(request.item_count, 0u);
  }
}

Span sample_span() {
  Span span;
  span.trace_id.bytes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  span.span_id.bytes = {1, 1, 1, 1, 1, 1, 1, 1};
  span.parent_id.bytes = {2, 2, 2, 2, 2, 2, 2, 2};
  span.linked_id.bytes = {3, 3, 3, 3, 3, 3, 3, 3};
  span.kind = SpanKind::kClient;
  span.name = "GET";
  span.start = 100;
  span.end = 200;
  span.attributes = {{"s", "x"}, {"i", -5}, {"d", 0.5}, {"b", true}};
  span.events = {{150, "exception", {{"exception.type", "E"}}}};
  span.status = SpanStatus::kError;
  span.status_message = "broken";
  return span;
}

// The JSON form is read by the other half of the otlp module, so a wrong field number shows here.
TEST(Encode, PutsEveryPartOfASpanIntoItsField) {
  ServiceTelemetry service;
  service.resource = {{"service.name", "cart"}};
  service.spans = {sample_span()};
  const auto json = otlp::protobuf_to_json(otlp::Signal::kTraces,
                                           encode(otlp::Signal::kTraces, {service}).payload.view());
  ASSERT_TRUE(json.ok());
  for (const char* part :
       {R"({"key":"service.name","value":{"stringValue":"cart"}})",
        R"("traceId":"000102030405060708090a0b0c0d0e0f")", R"("spanId":"0101010101010101")",
        R"("parentSpanId":"0202020202020202")", R"("name":"GET")", R"("kind":3)",
        R"("startTimeUnixNano":"100")", R"("endTimeUnixNano":"200")",
        R"({"key":"s","value":{"stringValue":"x"}})", R"({"key":"i","value":{"intValue":"-5"}})",
        R"({"key":"d","value":{"doubleValue":0.5}})", R"({"key":"b","value":{"boolValue":true}})",
        R"("timeUnixNano":"150")", R"("name":"exception")", R"("spanId":"0303030303030303")",
        R"("message":"broken")", R"("code":2)", R"("name":"spanway.testapp")"})
    EXPECT_NE(json->find(part), std::string::npos) << part << "\n" << *json;
}

TEST(Encode, PutsEveryPartOfALogRecordIntoItsField) {
  ServiceTelemetry service;
  service.logs = {{100,
                   Severity::kWarn,
                   "Stock is low",
                   {{"pieces", 3}},
                   sample_span().trace_id,
                   sample_span().span_id}};
  const auto json = otlp::protobuf_to_json(otlp::Signal::kLogs,
                                           encode(otlp::Signal::kLogs, {service}).payload.view());
  ASSERT_TRUE(json.ok());
  for (const char* part :
       {R"("timeUnixNano":"100")", R"("observedTimeUnixNano":"100")", R"("severityNumber":13)",
        R"("severityText":"WARN")", R"("body":{"stringValue":"Stock is low"})",
        R"({"key":"pieces","value":{"intValue":"3"}})", R"("flags":1)",
        R"("traceId":"000102030405060708090a0b0c0d0e0f")", R"("spanId":"0101010101010101")"})
    EXPECT_NE(json->find(part), std::string::npos) << part << "\n" << *json;
}

TEST(Encode, PutsEveryPartOfMetricsIntoItsField) {
  ServiceTelemetry service;
  const Exemplar exemplar = {150, 0.25, sample_span().trace_id, sample_span().span_id};
  Metric histogram = {"h", "hd", "s", MetricKind::kHistogram, {0.5, 1}, {}};
  histogram.points = {{{{"k", "v"}}, 100, 200, 2.5, 3, {1, 2, 0}, {exemplar}}};
  Metric sum = {"c", "cd", "1", MetricKind::kSum, {}, {}};
  sum.points = {{{}, 100, 200, 7, 0, {}, {}}};
  Metric gauge = {"g", "gd", "1", MetricKind::kGauge, {}, {}};
  gauge.points = {{{}, 0, 200, 1.5, 0, {}, {}}};
  service.metrics = {histogram, sum, gauge};
  const EncodedRequest request = encode(otlp::Signal::kMetrics, {service});
  EXPECT_EQ(request.item_count, 3u);
  const auto json = otlp::protobuf_to_json(otlp::Signal::kMetrics, request.payload.view());
  ASSERT_TRUE(json.ok());
  for (const char* part :
       {R"("name":"h")", R"("description":"hd")", R"("unit":"s")", R"("histogram":{"dataPoints")",
        R"("count":"3")", R"("sum":2.5)", R"("bucketCounts":["1","2","0"])",
        R"("explicitBounds":[0.5,1])", R"("aggregationTemporality":2)", R"("isMonotonic":true)",
        R"("gauge":{"dataPoints":[{"timeUnixNano":"200","asDouble":1.5}]})",
        R"("startTimeUnixNano":"100")", R"("exemplars":[{)", R"("asDouble":0.25)"})
    EXPECT_NE(json->find(part), std::string::npos) << part << "\n" << *json;
}

}  // namespace
}  // namespace spanway::testapp
