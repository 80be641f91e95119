#include "services/lib/otlp/json_fields.h"

#include <array>

namespace spanway::otlp {
namespace {

constexpr JsonField plain(std::string_view name, std::uint32_t number, JsonKind kind) {
  return {.name = name, .number = number, .kind = kind};
}
constexpr JsonField optional(std::string_view name, std::uint32_t number, JsonKind kind) {
  return {.name = name, .number = number, .kind = kind, .presence = true};
}
constexpr JsonField member(std::string_view name, std::uint32_t number, JsonKind kind) {
  return {.name = name, .number = number, .kind = kind, .presence = true, .oneof = true};
}
constexpr JsonField repeated(std::string_view name, std::uint32_t number, JsonKind kind) {
  return {.name = name, .number = number, .kind = kind, .repeated = true};
}
constexpr JsonField message(std::string_view name, std::uint32_t number, const JsonMessage& type) {
  return {.name = name,
          .number = number,
          .kind = JsonKind::kMessage,
          .presence = true,
          .message = &type};
}
constexpr JsonField member(std::string_view name, std::uint32_t number, const JsonMessage& type) {
  JsonField field = message(name, number, type);
  field.oneof = true;
  return field;
}
constexpr JsonField messages(std::string_view name, std::uint32_t number, const JsonMessage& type) {
  return {.name = name,
          .number = number,
          .kind = JsonKind::kMessage,
          .repeated = true,
          .message = &type};
}

// --- Shared ---

// Values nest.
extern const JsonMessage kAnyValue;
extern const JsonMessage kKeyValue;

constexpr JsonField kArrayValueFields[] = {
    messages("values", 1, kAnyValue),
};
constexpr JsonMessage kArrayValue{"ArrayValue", kArrayValueFields};

constexpr JsonField kKeyValueListFields[] = {
    messages("values", 1, kKeyValue),
};
constexpr JsonMessage kKeyValueList{"KeyValueList", kKeyValueListFields};

constexpr JsonField kAnyValueFields[] = {
    member("stringValue", 1, JsonKind::kString), member("boolValue", 2, JsonKind::kBool),
    member("intValue", 3, JsonKind::kInt64),     member("doubleValue", 4, JsonKind::kDouble),
    member("arrayValue", 5, kArrayValue),        member("kvlistValue", 6, kKeyValueList),
    member("bytesValue", 7, JsonKind::kBytes),   member("stringValueStrindex", 8, JsonKind::kInt32),
};
constexpr JsonMessage kAnyValue{"AnyValue", kAnyValueFields};

constexpr JsonField kKeyValueFields[] = {
    plain("key", 1, JsonKind::kString),
    message("value", 2, kAnyValue),
    plain("keyStrindex", 3, JsonKind::kInt32),
};
constexpr JsonMessage kKeyValue{"KeyValue", kKeyValueFields};

constexpr JsonField kInstrumentationScopeFields[] = {
    plain("name", 1, JsonKind::kString),
    plain("version", 2, JsonKind::kString),
    messages("attributes", 3, kKeyValue),
    plain("droppedAttributesCount", 4, JsonKind::kUint32),
};
constexpr JsonMessage kInstrumentationScope{"InstrumentationScope", kInstrumentationScopeFields};

constexpr JsonField kEntityRefFields[] = {
    plain("schemaUrl", 1, JsonKind::kString),
    plain("type", 2, JsonKind::kString),
    repeated("idKeys", 3, JsonKind::kString),
    repeated("descriptionKeys", 4, JsonKind::kString),
};
constexpr JsonMessage kEntityRef{"EntityRef", kEntityRefFields};

constexpr JsonField kResourceFields[] = {
    messages("attributes", 1, kKeyValue),
    plain("droppedAttributesCount", 2, JsonKind::kUint32),
    messages("entityRefs", 3, kEntityRef),
};
constexpr JsonMessage kResource{"Resource", kResourceFields, 2};

// --- Traces ---

constexpr JsonField kSpanEventFields[] = {
    plain("timeUnixNano", 1, JsonKind::kFixed64),
    plain("name", 2, JsonKind::kString),
    messages("attributes", 3, kKeyValue),
    plain("droppedAttributesCount", 4, JsonKind::kUint32),
};
constexpr JsonMessage kSpanEvent{"Event", kSpanEventFields, 2};

constexpr JsonField kSpanLinkFields[] = {
    plain("traceId", 1, JsonKind::kId),
    plain("spanId", 2, JsonKind::kId),
    plain("traceState", 3, JsonKind::kString),
    messages("attributes", 4, kKeyValue),
    plain("droppedAttributesCount", 5, JsonKind::kUint32),
    plain("flags", 6, JsonKind::kFixed32),
};
constexpr JsonMessage kSpanLink{"Link", kSpanLinkFields};

constexpr JsonField kSpanStatusFields[] = {
    plain("message", 2, JsonKind::kString),
    plain("code", 3, JsonKind::kEnum),
};
constexpr JsonMessage kSpanStatus{"Status", kSpanStatusFields};

constexpr JsonField kSpanFields[] = {
    plain("traceId", 1, JsonKind::kId),
    plain("spanId", 2, JsonKind::kId),
    plain("traceState", 3, JsonKind::kString),
    plain("parentSpanId", 4, JsonKind::kId),
    plain("name", 5, JsonKind::kString),
    plain("kind", 6, JsonKind::kEnum),
    plain("startTimeUnixNano", 7, JsonKind::kFixed64),
    plain("endTimeUnixNano", 8, JsonKind::kFixed64),
    messages("attributes", 9, kKeyValue),
    plain("droppedAttributesCount", 10, JsonKind::kUint32),
    messages("events", 11, kSpanEvent),
    plain("droppedEventsCount", 12, JsonKind::kUint32),
    messages("links", 13, kSpanLink),
    plain("droppedLinksCount", 14, JsonKind::kUint32),
    message("status", 15, kSpanStatus),
    plain("flags", 16, JsonKind::kFixed32),
};
static_assert(std::size(kSpanFields) <= kJsonFieldsMax);  // The message with the most fields.
constexpr JsonMessage kSpan{"Span", kSpanFields, 2, JsonRole::kItem};

constexpr JsonField kScopeSpansFields[] = {
    message("scope", 1, kInstrumentationScope),
    messages("spans", 2, kSpan),
    plain("schemaUrl", 3, JsonKind::kString),
};
constexpr JsonMessage kScopeSpans{"ScopeSpans", kScopeSpansFields, 3, JsonRole::kGroup};

constexpr JsonField kInstrumentationLibrarySpansFields[] = {
    message("instrumentationLibrary", 1, kInstrumentationScope),
    messages("spans", 2, kSpan),
    plain("schemaUrl", 3, JsonKind::kString),
};
constexpr JsonMessage kInstrumentationLibrarySpans{"InstrumentationLibrarySpans",
                                                   kInstrumentationLibrarySpansFields, 3};

constexpr JsonField kResourceSpansFields[] = {
    message("resource", 1, kResource),
    messages("scopeSpans", 2, kScopeSpans),
    plain("schemaUrl", 3, JsonKind::kString),
    messages("instrumentationLibrarySpans", 1000, kInstrumentationLibrarySpans),
};
constexpr JsonMessage kResourceSpans{"ResourceSpans", kResourceSpansFields, 3, JsonRole::kGroup};

constexpr JsonField kTraceRequestFields[] = {
    messages("resourceSpans", 1, kResourceSpans),
};
constexpr JsonMessage kTraceRequest{"ExportTraceServiceRequest", kTraceRequestFields, 1,
                                    JsonRole::kRequest};

// --- Metrics ---

constexpr JsonField kExemplarFields[] = {
    plain("timeUnixNano", 2, JsonKind::kFixed64),
    member("asDouble", 3, JsonKind::kDouble),
    plain("spanId", 4, JsonKind::kId),
    plain("traceId", 5, JsonKind::kId),
    member("asInt", 6, JsonKind::kSfixed64),
    messages("filteredAttributes", 7, kKeyValue),
};
constexpr JsonMessage kExemplar{"Exemplar", kExemplarFields};

constexpr JsonField kNumberDataPointFields[] = {
    plain("startTimeUnixNano", 2, JsonKind::kFixed64),
    plain("timeUnixNano", 3, JsonKind::kFixed64),
    member("asDouble", 4, JsonKind::kDouble),
    messages("exemplars", 5, kExemplar),
    member("asInt", 6, JsonKind::kSfixed64),
    messages("attributes", 7, kKeyValue),
    plain("flags", 8, JsonKind::kUint32),
};
constexpr JsonMessage kNumberDataPoint{"NumberDataPoint", kNumberDataPointFields, 2};

constexpr JsonField kHistogramDataPointFields[] = {
    plain("startTimeUnixNano", 2, JsonKind::kFixed64),
    plain("timeUnixNano", 3, JsonKind::kFixed64),
    plain("count", 4, JsonKind::kFixed64),
    optional("sum", 5, JsonKind::kDouble),
    repeated("bucketCounts", 6, JsonKind::kFixed64),
    repeated("explicitBounds", 7, JsonKind::kDouble),
    messages("exemplars", 8, kExemplar),
    messages("attributes", 9, kKeyValue),
    plain("flags", 10, JsonKind::kUint32),
    optional("min", 11, JsonKind::kDouble),
    optional("max", 12, JsonKind::kDouble),
};
constexpr JsonMessage kHistogramDataPoint{"HistogramDataPoint", kHistogramDataPointFields, 2};

constexpr JsonField kExponentialBucketsFields[] = {
    plain("offset", 1, JsonKind::kSint32),
    repeated("bucketCounts", 2, JsonKind::kUint64),
};
constexpr JsonMessage kExponentialBuckets{"Buckets", kExponentialBucketsFields};

constexpr JsonField kExponentialHistogramDataPointFields[] = {
    messages("attributes", 1, kKeyValue),         plain("startTimeUnixNano", 2, JsonKind::kFixed64),
    plain("timeUnixNano", 3, JsonKind::kFixed64), plain("count", 4, JsonKind::kFixed64),
    optional("sum", 5, JsonKind::kDouble),        plain("scale", 6, JsonKind::kSint32),
    plain("zeroCount", 7, JsonKind::kFixed64),    message("positive", 8, kExponentialBuckets),
    message("negative", 9, kExponentialBuckets),  plain("flags", 10, JsonKind::kUint32),
    messages("exemplars", 11, kExemplar),         optional("min", 12, JsonKind::kDouble),
    optional("max", 13, JsonKind::kDouble),       plain("zeroThreshold", 14, JsonKind::kDouble),
};
constexpr JsonMessage kExponentialHistogramDataPoint{"ExponentialHistogramDataPoint",
                                                     kExponentialHistogramDataPointFields, 2};

constexpr JsonField kValueAtQuantileFields[] = {
    plain("quantile", 1, JsonKind::kDouble),
    plain("value", 2, JsonKind::kDouble),
};
constexpr JsonMessage kValueAtQuantile{"ValueAtQuantile", kValueAtQuantileFields};

constexpr JsonField kSummaryDataPointFields[] = {
    plain("startTimeUnixNano", 2, JsonKind::kFixed64),
    plain("timeUnixNano", 3, JsonKind::kFixed64),
    plain("count", 4, JsonKind::kFixed64),
    plain("sum", 5, JsonKind::kDouble),
    messages("quantileValues", 6, kValueAtQuantile),
    messages("attributes", 7, kKeyValue),
    plain("flags", 8, JsonKind::kUint32),
};
constexpr JsonMessage kSummaryDataPoint{"SummaryDataPoint", kSummaryDataPointFields, 2};

constexpr JsonField kGaugeFields[] = {
    messages("dataPoints", 1, kNumberDataPoint),
};
constexpr JsonMessage kGauge{"Gauge", kGaugeFields, 2};

constexpr JsonField kSumFields[] = {
    messages("dataPoints", 1, kNumberDataPoint),
    plain("aggregationTemporality", 2, JsonKind::kEnum),
    plain("isMonotonic", 3, JsonKind::kBool),
};
constexpr JsonMessage kSum{"Sum", kSumFields, 2};

constexpr JsonField kHistogramFields[] = {
    messages("dataPoints", 1, kHistogramDataPoint),
    plain("aggregationTemporality", 2, JsonKind::kEnum),
};
constexpr JsonMessage kHistogram{"Histogram", kHistogramFields, 2};

constexpr JsonField kExponentialHistogramFields[] = {
    messages("dataPoints", 1, kExponentialHistogramDataPoint),
    plain("aggregationTemporality", 2, JsonKind::kEnum),
};
constexpr JsonMessage kExponentialHistogram{"ExponentialHistogram", kExponentialHistogramFields, 2};

constexpr JsonField kSummaryFields[] = {
    messages("dataPoints", 1, kSummaryDataPoint),
};
constexpr JsonMessage kSummary{"Summary", kSummaryFields, 2};

constexpr JsonField kMetricFields[] = {
    plain("name", 1, JsonKind::kString),
    plain("description", 2, JsonKind::kString),
    plain("unit", 3, JsonKind::kString),
    member("gauge", 5, kGauge),
    member("sum", 7, kSum),
    member("histogram", 9, kHistogram),
    member("exponentialHistogram", 10, kExponentialHistogram),
    member("summary", 11, kSummary),
    messages("metadata", 12, kKeyValue),
};
constexpr JsonMessage kMetric{"Metric", kMetricFields, 2, JsonRole::kItem};

constexpr JsonField kScopeMetricsFields[] = {
    message("scope", 1, kInstrumentationScope),
    messages("metrics", 2, kMetric),
    plain("schemaUrl", 3, JsonKind::kString),
};
constexpr JsonMessage kScopeMetrics{"ScopeMetrics", kScopeMetricsFields, 3, JsonRole::kGroup};

constexpr JsonField kInstrumentationLibraryMetricsFields[] = {
    message("instrumentationLibrary", 1, kInstrumentationScope),
    messages("metrics", 2, kMetric),
    plain("schemaUrl", 3, JsonKind::kString),
};
constexpr JsonMessage kInstrumentationLibraryMetrics{"InstrumentationLibraryMetrics",
                                                     kInstrumentationLibraryMetricsFields, 3};

constexpr JsonField kResourceMetricsFields[] = {
    message("resource", 1, kResource),
    messages("scopeMetrics", 2, kScopeMetrics),
    plain("schemaUrl", 3, JsonKind::kString),
    messages("instrumentationLibraryMetrics", 1000, kInstrumentationLibraryMetrics),
};
constexpr JsonMessage kResourceMetrics{"ResourceMetrics", kResourceMetricsFields, 3,
                                       JsonRole::kGroup};

constexpr JsonField kMetricsRequestFields[] = {
    messages("resourceMetrics", 1, kResourceMetrics),
};
constexpr JsonMessage kMetricsRequest{"ExportMetricsServiceRequest", kMetricsRequestFields, 1,
                                      JsonRole::kRequest};

// --- Logs ---

constexpr JsonField kLogRecordFields[] = {
    plain("timeUnixNano", 1, JsonKind::kFixed64),
    plain("severityNumber", 2, JsonKind::kEnum),
    plain("severityText", 3, JsonKind::kString),
    message("body", 5, kAnyValue),
    messages("attributes", 6, kKeyValue),
    plain("droppedAttributesCount", 7, JsonKind::kUint32),
    plain("flags", 8, JsonKind::kFixed32),
    plain("traceId", 9, JsonKind::kId),
    plain("spanId", 10, JsonKind::kId),
    plain("observedTimeUnixNano", 11, JsonKind::kFixed64),
    plain("eventName", 12, JsonKind::kString),
};
constexpr JsonMessage kLogRecord{"LogRecord", kLogRecordFields, 2, JsonRole::kItem};

constexpr JsonField kScopeLogsFields[] = {
    message("scope", 1, kInstrumentationScope),
    messages("logRecords", 2, kLogRecord),
    plain("schemaUrl", 3, JsonKind::kString),
};
constexpr JsonMessage kScopeLogs{"ScopeLogs", kScopeLogsFields, 3, JsonRole::kGroup};

constexpr JsonField kInstrumentationLibraryLogsFields[] = {
    message("instrumentationLibrary", 1, kInstrumentationScope),
    messages("logRecords", 2, kLogRecord),
    plain("schemaUrl", 3, JsonKind::kString),
};
constexpr JsonMessage kInstrumentationLibraryLogs{"InstrumentationLibraryLogs",
                                                  kInstrumentationLibraryLogsFields, 3};

constexpr JsonField kResourceLogsFields[] = {
    message("resource", 1, kResource),
    messages("scopeLogs", 2, kScopeLogs),
    plain("schemaUrl", 3, JsonKind::kString),
    messages("instrumentationLibraryLogs", 1000, kInstrumentationLibraryLogs),
};
constexpr JsonMessage kResourceLogs{"ResourceLogs", kResourceLogsFields, 3, JsonRole::kGroup};

constexpr JsonField kLogsRequestFields[] = {
    messages("resourceLogs", 1, kResourceLogs),
};
constexpr JsonMessage kLogsRequest{"ExportLogsServiceRequest", kLogsRequestFields, 1,
                                   JsonRole::kRequest};

}  // namespace

const JsonMessage& json_request(Signal signal) noexcept {
  static constexpr std::array<const JsonMessage*, 3> kRequests = {&kTraceRequest, &kMetricsRequest,
                                                                  &kLogsRequest};
  return *kRequests[index_of(signal)];
}

}  // namespace spanway::otlp
