#include "services/ingress/events.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace spanway::ingress {
namespace {

TEST(MetricSpecs, AreNamedAfterTheComponentOnceAndExplained) {
  std::set<std::string> names;
  for (const telemetry::MetricSpec& spec : metric_specs()) {
    const std::string name = spec.name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(name.starts_with("spanway_ingress_") || name == "otel_received_spans_total")
        << name;
    EXPECT_EQ(name.ends_with("_total"), spec.kind == telemetry::MetricKind::kCounter) << name;
    EXPECT_NE(std::string(spec.help), "");
  }
}

TEST(Events, ExposesEverySeriesAtZeroFromTheStart) {
  telemetry::Metrics metrics;
  const telemetry::Logger log = telemetry::Logger::null();
  const Events events({log, metrics});
  const std::string text = metrics.expose();
  for (const telemetry::MetricSpec& spec : metric_specs())
    EXPECT_NE(text.find(std::string("# TYPE ") + spec.name), std::string::npos) << spec.name;
  EXPECT_NE(
      text.find(
          "spanway_ingress_refused_requests_total{reason=\"rate_limit\",transport=\"grpc\"} 0"),
      std::string::npos);
}

TEST(Events, CountsSpansUnderTheExpectedName) {
  telemetry::Metrics metrics;
  const telemetry::Logger log = telemetry::Logger::null();
  const Events events({log, metrics});
  events.received(otlp::Signal::kTraces, Transport::kGrpc, 3, 100);
  events.received(otlp::Signal::kTraces, Transport::kHttp, 4, 100);
  events.received(otlp::Signal::kLogs, Transport::kHttp, 50, 100);
  EXPECT_EQ(metrics.value("otel_received_spans_total"), 7);
  EXPECT_EQ(events.received_items(otlp::Signal::kTraces), 7);
  EXPECT_EQ(events.received_items(otlp::Signal::kLogs), 50);
}

TEST(RefusedByNext, FollowsTheKindOfRefusal) {
  EXPECT_EQ(refused_by_next(unavailable("x")), RefusedBy::kNextTransient);
  EXPECT_EQ(refused_by_next(invalid_argument("x")), RefusedBy::kNextData);
  EXPECT_EQ(refused_by_next(configuration_error(Code::kUnauthenticated, "x")),
            RefusedBy::kNextConfiguration);
  EXPECT_EQ(refused_by_next(unknown_error(Code::kInternal, "x")), RefusedBy::kNextUnknown);
}

}  // namespace
}  // namespace spanway::ingress
