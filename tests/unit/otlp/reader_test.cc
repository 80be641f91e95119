#include "services/lib/otlp/reader.h"

#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/unit/otlp/random_request.h"

namespace spanway::otlp {
namespace {

namespace pb = opentelemetry::proto;
using google::protobuf::Message;

// --- From views back to objects ---

void copy(const ValueView& view, pb::common::v1::AnyValue& value) {
  switch (view.kind) {
    case ValueKind::kEmpty:
      return;
    case ValueKind::kString:
      return value.set_string_value(std::string(view.text));
    case ValueKind::kBool:
      return value.set_bool_value(view.boolean);
    case ValueKind::kInt:
      return value.set_int_value(view.integer);
    case ValueKind::kDouble:
      return value.set_double_value(view.number);
    case ValueKind::kBytes:
      return value.set_bytes_value(std::string(view.text));
    case ValueKind::kArray: {
      ArrayReader array(view.text);
      value.mutable_array_value();
      while (auto element = array.next())
        copy(*element, *value.mutable_array_value()->add_values());
      EXPECT_FALSE(array.malformed());
      return;
    }
    case ValueKind::kKvlist: {
      KvlistReader list(view.text);
      value.mutable_kvlist_value();
      while (auto entry = list.next()) {
        auto& copied = *value.mutable_kvlist_value()->add_values();
        copied.set_key(std::string(entry->key));
        if (entry->value.kind != ValueKind::kEmpty) copy(entry->value, *copied.mutable_value());
      }
      EXPECT_FALSE(list.malformed());
      return;
    }
  }
}

template <typename Target>
void copy_attributes(Attributes attributes, Target& target) {
  for (const AttributeView& attribute : attributes) {
    auto& copied = *target.add_attributes();
    copied.set_key(std::string(attribute.key));
    if (attribute.value.kind != ValueKind::kEmpty) copy(attribute.value, *copied.mutable_value());
  }
}

using TraceRequest = pb::collector::trace::v1::ExportTraceServiceRequest;
using LogsRequest = pb::collector::logs::v1::ExportLogsServiceRequest;
using MetricsRequest = pb::collector::metrics::v1::ExportMetricsServiceRequest;

template <typename Resource>
void copy_resource(const ResourceView& view, Resource& target) {
  target.set_schema_url(std::string(view.schema_url));
  copy_attributes(view.attributes, *target.mutable_resource());
  target.mutable_resource()->set_dropped_attributes_count(view.dropped_attributes_count);
}

template <typename Scope>
void copy_scope(const ScopeView& view, Scope& target) {
  target.set_schema_url(std::string(view.schema_url));
  auto& scope = *target.mutable_scope();
  scope.set_name(std::string(view.name));
  scope.set_version(std::string(view.version));
  copy_attributes(view.attributes, scope);
  scope.set_dropped_attributes_count(view.dropped_attributes_count);
}

void copy_span(const SpanView& view, pb::trace::v1::Span& span) {
  span.set_trace_id(std::string(view.trace_id));
  span.set_span_id(std::string(view.span_id));
  span.set_parent_span_id(std::string(view.parent_span_id));
  span.set_trace_state(std::string(view.trace_state));
  span.set_name(std::string(view.name));
  span.set_kind(static_cast<pb::trace::v1::Span_SpanKind>(view.kind));
  span.set_start_time_unix_nano(view.start_time_unix_nano);
  span.set_end_time_unix_nano(view.end_time_unix_nano);
  copy_attributes(view.attributes, span);
  span.set_dropped_attributes_count(view.dropped_attributes_count);
  span.set_dropped_events_count(view.dropped_events_count);
  span.set_dropped_links_count(view.dropped_links_count);
  span.set_flags(view.flags);
  span.mutable_status()->set_message(std::string(view.status_message));
  span.mutable_status()->set_code(static_cast<pb::trace::v1::Status_StatusCode>(view.status_code));
  for (const EventView& event : view.events) {
    auto& copied = *span.add_events();
    copied.set_time_unix_nano(event.time_unix_nano);
    copied.set_name(std::string(event.name));
    copy_attributes(event.attributes, copied);
    copied.set_dropped_attributes_count(event.dropped_attributes_count);
  }
  for (const LinkView& link : view.links) {
    auto& copied = *span.add_links();
    copied.set_trace_id(std::string(link.trace_id));
    copied.set_span_id(std::string(link.span_id));
    copied.set_trace_state(std::string(link.trace_state));
    copy_attributes(link.attributes, copied);
    copied.set_dropped_attributes_count(link.dropped_attributes_count);
    copied.set_flags(link.flags);
  }
}

void copy_log(const LogView& view, pb::logs::v1::LogRecord& log) {
  log.set_time_unix_nano(view.time_unix_nano);
  log.set_observed_time_unix_nano(view.observed_time_unix_nano);
  log.set_severity_number(static_cast<pb::logs::v1::SeverityNumber>(view.severity_number));
  log.set_severity_text(std::string(view.severity_text));
  if (view.body.kind != ValueKind::kEmpty) copy(view.body, *log.mutable_body());
  copy_attributes(view.attributes, log);
  log.set_dropped_attributes_count(view.dropped_attributes_count);
  log.set_flags(view.flags);
  log.set_trace_id(std::string(view.trace_id));
  log.set_span_id(std::string(view.span_id));
  log.set_event_name(std::string(view.event_name));
}

template <typename Data>
void copy_points(const MetricView& view, Data& data) {
  for (const std::string_view point : view.points)
    EXPECT_TRUE(
        data.add_data_points()->ParseFromArray(point.data(), static_cast<int>(point.size())));
  if constexpr (requires { data.aggregation_temporality(); })
    data.set_aggregation_temporality(
        static_cast<pb::metrics::v1::AggregationTemporality>(view.aggregation_temporality));
  if constexpr (requires { data.is_monotonic(); }) data.set_is_monotonic(view.is_monotonic);
}

void copy_metric(const MetricView& view, pb::metrics::v1::Metric& metric) {
  metric.set_name(std::string(view.name));
  metric.set_description(std::string(view.description));
  metric.set_unit(std::string(view.unit));
  switch (view.type) {
    case MetricType::kNone:
      return;
    case MetricType::kGauge:
      return copy_points(view, *metric.mutable_gauge());
    case MetricType::kSum:
      return copy_points(view, *metric.mutable_sum());
    case MetricType::kHistogram:
      return copy_points(view, *metric.mutable_histogram());
    case MetricType::kExponentialHistogram:
      return copy_points(view, *metric.mutable_exponential_histogram());
    case MetricType::kSummary:
      return copy_points(view, *metric.mutable_summary());
  }
}

// Build the request that they are shown.
class TraceRebuilder final : public RequestVisitor {
 public:
  TraceRequest request;
  Status on_resource(const ResourceView& view) override {
    copy_resource(view, *request.add_resource_spans());
    return {};
  }
  Status on_scope(const ScopeView& view) override {
    copy_scope(view, *last_resource().add_scope_spans());
    return {};
  }
  Status on_span(const SpanView& view) override {
    auto& scopes = *last_resource().mutable_scope_spans();
    copy_span(view, *scopes.Mutable(scopes.size() - 1)->add_spans());
    return {};
  }

 private:
  pb::trace::v1::ResourceSpans& last_resource() {
    return *request.mutable_resource_spans(request.resource_spans_size() - 1);
  }
};

class LogsRebuilder final : public RequestVisitor {
 public:
  LogsRequest request;
  Status on_resource(const ResourceView& view) override {
    copy_resource(view, *request.add_resource_logs());
    return {};
  }
  Status on_scope(const ScopeView& view) override {
    copy_scope(view, *last_resource().add_scope_logs());
    return {};
  }
  Status on_log(const LogView& view) override {
    auto& scopes = *last_resource().mutable_scope_logs();
    copy_log(view, *scopes.Mutable(scopes.size() - 1)->add_log_records());
    return {};
  }

 private:
  pb::logs::v1::ResourceLogs& last_resource() {
    return *request.mutable_resource_logs(request.resource_logs_size() - 1);
  }
};

class MetricsRebuilder final : public RequestVisitor {
 public:
  MetricsRequest request;
  Status on_resource(const ResourceView& view) override {
    copy_resource(view, *request.add_resource_metrics());
    return {};
  }
  Status on_scope(const ScopeView& view) override {
    copy_scope(view, *last_resource().add_scope_metrics());
    return {};
  }
  Status on_metric(const MetricView& view) override {
    auto& scopes = *last_resource().mutable_scope_metrics();
    copy_metric(view, *scopes.Mutable(scopes.size() - 1)->add_metrics());
    return {};
  }

 private:
  pb::metrics::v1::ResourceMetrics& last_resource() {
    return *request.mutable_resource_metrics(request.resource_metrics_size() - 1);
  }
};

// Takes out what the reader does not show, and makes "absent" and "empty" the same.
void normalise(Message& message) {
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    const std::string& name = field->name();
    if (name == "key_strindex" || name == "string_value_strindex" || name == "entity_refs" ||
        name == "metadata") {
      reflection->ClearField(&message, field);
    } else if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      if (field->is_repeated()) {
        for (int n = 0; n < reflection->FieldSize(message, field); ++n)
          normalise(*reflection->MutableRepeatedMessage(&message, field, n));
      } else if (name == "resource" || name == "scope" || name == "status") {
        normalise(*reflection->MutableMessage(&message, field));
      } else if (reflection->HasField(message, field)) {
        Message& child = *reflection->MutableMessage(&message, field);
        normalise(child);
        const bool is_value = name == "value" || name == "body";
        if (is_value && child.ByteSizeLong() == 0) reflection->ClearField(&message, field);
      }
    }
  }
}

template <typename Request, typename Rebuilder>
void expect_same_after_reading(Signal signal, const Request& original) {
  Rebuilder rebuilder;
  RequestReader reader;
  ASSERT_TRUE(reader.read(signal, original.SerializeAsString(), rebuilder).ok());
  // Through bytes: a present empty point and its parsed copy are then the same.
  Request expected = original;
  normalise(expected);
  normalise(rebuilder.request);
  EXPECT_EQ(rebuilder.request.SerializeAsString(), expected.SerializeAsString());
}

TEST(RequestReader, ShowsEveryFieldOfRandomRequests) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    TraceRequest traces;
    fill_randomly(traces, random);
    expect_same_after_reading<TraceRequest, TraceRebuilder>(Signal::kTraces, traces);
    LogsRequest logs;
    fill_randomly(logs, random);
    expect_same_after_reading<LogsRequest, LogsRebuilder>(Signal::kLogs, logs);
    MetricsRequest metrics;
    fill_randomly(metrics, random);
    expect_same_after_reading<MetricsRequest, MetricsRebuilder>(Signal::kMetrics, metrics);
  }
}

fakes::ProtoMessage sample_request() {
  fakes::ProtoMessage span = fakes::otlp_span(1, 2, "first", {fakes::otlp_attribute("a", "b")});
  span.message(11, fakes::ProtoMessage()
                       .fixed64(1, 5)
                       .bytes(2, "event")
                       .message(3, fakes::otlp_attribute("in", fakes::otlp_int(7))));
  return fakes::otlp_request(
      {fakes::otlp_resource("shop", {fakes::otlp_scope("lib", {span, fakes::otlp_span(1, 3)})}),
       fakes::otlp_resource("cart", {fakes::otlp_scope("lib", {fakes::otlp_span(2, 4)})})});
}

// Notes what it sees in one line per call.
class Notes final : public RequestVisitor {
 public:
  std::string text;
  Status on_resource(const ResourceView& r) override {
    const AttributeView* name = find_attribute(r.attributes, "service.name");
    text += "resource " + std::string(name == nullptr ? "?" : name->value.text) + "\n";
    return {};
  }
  Status on_scope(const ScopeView& s) override {
    text += "scope " + std::string(s.name) + " " + std::string(s.version) + "\n";
    return {};
  }
  Status on_span(const SpanView& s) override {
    text += "span " + std::string(s.name);
    for (const AttributeView& a : s.attributes)
      text += " " + std::string(a.key) + "=" + std::string(a.value.text);
    for (const EventView& e : s.events)
      text += " @" + std::string(e.name) + ":" + std::to_string(e.attributes[0].value.integer);
    text += "\n";
    return {};
  }
};

TEST(RequestReader, ShowsTheResourceBeforeItsItemsWhateverTheOrderOfTheFields) {
  Notes forward, backward;
  RequestReader reader;
  ASSERT_TRUE(reader.read(Signal::kTraces, sample_request().encode(false), forward).ok());
  EXPECT_EQ(forward.text,
            "resource shop\nscope lib 1.0\nspan first a=b @event:7\nspan GET /\n"
            "resource cart\nscope lib 1.0\nspan GET /\n");
  ASSERT_TRUE(reader.read(Signal::kTraces, sample_request().encode(true), backward).ok());
  // Repeated fields come in their order in the request.
  EXPECT_EQ(backward.text,
            "resource cart\nscope lib 1.0\nspan GET /\n"
            "resource shop\nscope lib 1.0\nspan GET /\nspan first a=b @event:7\n");
}

TEST(RequestReader, RefusesEveryTruncationOrReadsLess) {
  const std::string complete = sample_request().encode();
  RequestReader reader;
  for (std::size_t size = 1; size < complete.size(); ++size) {
    Notes notes;
    const Status status = reader.read(Signal::kTraces, complete.substr(0, size), notes);
    if (status.ok()) {
      EXPECT_LT(notes.text.size(), 120u) << size;  // Cut between the two resources.
      continue;
    }
    EXPECT_EQ(status.error().refusal, Refusal::kData);
    EXPECT_STREQ(status.error().reason, "malformed_request");
  }
}

TEST(RequestReader, EndsWithTheVisitorsError) {
  class Refuser final : public RequestVisitor {
   public:
    int spans = 0;
    Status on_span(const SpanView&) override {
      ++spans;
      return unavailable("enough");
    }
  } refuser;
  RequestReader reader;
  const Status status = reader.read(Signal::kTraces, sample_request().encode(), refuser);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "enough");
  EXPECT_EQ(refuser.spans, 1);
}

TEST(RequestReader, ChecksIds) {
  SpanView span;
  const std::string trace_id = fakes::otlp_trace_id(1), span_id = fakes::otlp_span_id(1);
  span.trace_id = trace_id;
  span.span_id = span_id;
  EXPECT_TRUE(span.has_valid_ids());
  const std::string zero(16, '\0');
  span.trace_id = zero;
  EXPECT_FALSE(span.has_valid_ids());
  span.trace_id = std::string_view(trace_id).substr(1);
  EXPECT_FALSE(span.has_valid_ids());
  span.trace_id = trace_id;
  span.span_id = {};
  EXPECT_FALSE(span.has_valid_ids());
}

TEST(ArrayReader, ReportsABrokenElement) {
  const std::string broken = fakes::ProtoMessage().bytes(1, "\x0a\x7f").encode();
  ArrayReader array(broken);
  EXPECT_FALSE(array.next().has_value());
  EXPECT_TRUE(array.malformed());
  KvlistReader list(broken);
  EXPECT_FALSE(list.next().has_value());
  EXPECT_TRUE(list.malformed());
}

TEST(CountItems, CountsSpansPointsAndRecords) {
  EXPECT_EQ(count_items(Signal::kTraces, sample_request().encode()).value(), 3u);
  const std::string metrics = fakes::otlp_request_of(
      {fakes::otlp_metric("m", fakes::MetricKind::kSum,
                          {fakes::otlp_number_point(1), fakes::otlp_number_point(2)}),
       fakes::otlp_metric("n", fakes::MetricKind::kGauge, {fakes::otlp_number_point(3)})});
  EXPECT_EQ(count_items(Signal::kMetrics, metrics).value(), 3u);
  EXPECT_EQ(
      count_items(Signal::kLogs, fakes::otlp_request_of({fakes::otlp_log_record("x")})).value(),
      1u);
  EXPECT_EQ(count_items(Signal::kLogs, "").value(), 0u);
  EXPECT_FALSE(count_items(Signal::kLogs, "\x0a\x7f").ok());
}

}  // namespace
}  // namespace spanway::otlp
