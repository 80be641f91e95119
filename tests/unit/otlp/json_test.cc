#include "services/lib/otlp/json.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "services/lib/base/base64.h"
#include "services/lib/otlp/json_text.h"
#include "services/lib/otlp/scan.h"
#include "services/lib/otlp/wire.h"
#include "tests/unit/otlp/random_request.h"

namespace spanway::otlp {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using testing::HasSubstr;
namespace collector = opentelemetry::proto::collector;

std::unique_ptr<Message> new_request(Signal signal) {
  switch (signal) {
    case Signal::kTraces:
      return std::make_unique<collector::trace::v1::ExportTraceServiceRequest>();
    case Signal::kMetrics:
      return std::make_unique<collector::metrics::v1::ExportMetricsServiceRequest>();
    case Signal::kLogs:
      return std::make_unique<collector::logs::v1::ExportLogsServiceRequest>();
  }
  return nullptr;
}

// The text that protobuf itself writes for the same request in its text format.
std::string bytes_of(Signal signal, const std::string& text) {
  const std::unique_ptr<Message> message = new_request(signal);
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, message.get())) << text;
  return message->SerializeAsString();
}

std::string read(Signal signal, const std::string& json) {
  Result<Bytes> bytes = json_to_protobuf(signal, json);
  EXPECT_TRUE(bytes.ok()) << json << "\n" << (bytes.ok() ? "" : bytes.error().message);
  return bytes.ok() ? std::string(bytes->view()) : "";
}

std::string error_of(Signal signal, const std::string& json) {
  const Result<Bytes> bytes = json_to_protobuf(signal, json);
  if (bytes.ok()) return "";
  EXPECT_EQ(bytes.error().code, Code::kInvalidArgument);
  EXPECT_EQ(bytes.error().refusal, Refusal::kData);
  EXPECT_STREQ(bytes.error().reason, "malformed_json");
  return bytes.error().message;
}

// The first value of a wrong kind, of a request whose only item must be rejected for it.
std::string fault_of(Signal signal, const std::string& json) {
  JsonNotes notes;
  const Result<Bytes> bytes = json_to_protobuf(signal, json, {}, &notes);
  EXPECT_TRUE(bytes.ok()) << json << "\n" << (bytes.ok() ? "" : bytes.error().message);
  if (!bytes.ok()) return "";
  Scanner scanner;
  EXPECT_TRUE(scanner.scan(signal, bytes->view()).ok()) << json;
  EXPECT_EQ(scanner.index().accepted, 0u) << json;
  EXPECT_EQ(scanner.index().rejected, 1u) << json;
  EXPECT_EQ(scanner.index().first_reject, RejectReason::kInvalidValue) << json;
  return notes.first_fault;
}

std::string with_span(const std::string& members) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[{)" + members + "}]}]}]}";
}
std::string span_text(const std::string& fields) {
  return "resource_spans { scope_spans { spans { " + fields + " } } }";
}
void expect_span(const std::string& members, const std::string& fields) {
  EXPECT_EQ(read(Signal::kTraces, with_span(members)), bytes_of(Signal::kTraces, span_text(fields)))
      << members;
}
std::string span_error(const std::string& members) {
  return error_of(Signal::kTraces, with_span(members));
}
std::string span_fault(const std::string& members) {
  return fault_of(Signal::kTraces, with_span(members));
}
// A span with one attribute "k".
std::string with_value(const std::string& value) {
  return with_span(R"("attributes":[{"key":"k","value":)" + value + "}]");
}
void expect_value(const std::string& json, const std::string& text) {
  EXPECT_EQ(
      read(Signal::kTraces, with_value(json)),
      bytes_of(Signal::kTraces, span_text(R"(attributes { key: "k" value { )" + text + " } }")))
      << json;
}

constexpr const char* kTrace = R"({"resourceSpans":[{
  "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}],
    "droppedAttributesCount":1,
    "entityRefs":[{"schemaUrl":"e","type":"service","idKeys":["service.name",""],"descriptionKeys":["x"]}]},
  "scopeSpans":[{"scope":{"name":"lib","version":"1.2","attributes":[],"droppedAttributesCount":2},
    "spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
      "traceState":"a=b","parentSpanId":"EEE19B7EC3C1B173","flags":257,"name":"GET /\u00e9","kind":2,
      "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,
      "attributes":[{"key":"n","value":{"intValue":"-9223372036854775808"}}],
      "droppedAttributesCount":3,
      "events":[{"timeUnixNano":"1","name":"e","attributes":[{"key":"b","value":{"boolValue":true}}],"droppedAttributesCount":4}],
      "droppedEventsCount":5,
      "links":[{"traceId":"5B8EFFF798038103D269B633813FC60D","spanId":"eee19b7ec3c1b175","traceState":"c=d",
        "attributes":[],"droppedAttributesCount":6,"flags":1}],
      "droppedLinksCount":7,"status":{"message":"no","code":2}}],
    "schemaUrl":"s"}],
  "schemaUrl":"r"}]})";
constexpr const char* kTraceText = R"(resource_spans {
  resource {
    attributes { key: "service.name" value { string_value: "cart" } }
    dropped_attributes_count: 1
    entity_refs { schema_url: "e" type: "service" id_keys: ["service.name", ""] description_keys: "x" }
  }
  scope_spans {
    scope { name: "lib" version: "1.2" dropped_attributes_count: 2 }
    spans {
      trace_id: "\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c"
      span_id: "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74"
      trace_state: "a=b"
      parent_span_id: "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x73"
      flags: 257 name: "GET /\303\251" kind: SPAN_KIND_SERVER
      start_time_unix_nano: 1544712660000000000 end_time_unix_nano: 1544712661000000000
      attributes { key: "n" value { int_value: -9223372036854775808 } }
      dropped_attributes_count: 3
      events {
        time_unix_nano: 1 name: "e" attributes { key: "b" value { bool_value: true } }
        dropped_attributes_count: 4
      }
      dropped_events_count: 5
      links {
        trace_id: "\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0d"
        span_id: "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x75" trace_state: "c=d" dropped_attributes_count: 6 flags: 1
      }
      dropped_links_count: 7
      status { message: "no" code: STATUS_CODE_ERROR }
    }
    schema_url: "s"
  }
  schema_url: "r"
})";

// Members need not be in the order of their numbers, so messages are compared and not bytes.
void expect_equal_messages(Signal signal, const std::string& bytes, const std::string& text) {
  const std::unique_ptr<Message> message = new_request(signal);
  ASSERT_TRUE(message->ParseFromString(bytes));
  const std::unique_ptr<Message> expected = new_request(signal);
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, expected.get()));
  EXPECT_EQ(message->DebugString(), expected->DebugString());
}

TEST(Json, ReadsACompleteTrace) {
  expect_equal_messages(Signal::kTraces, read(Signal::kTraces, kTrace), kTraceText);
}

TEST(Json, ReadsAllKindsOfMetrics) {
  const std::string json = R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[
    {"name":"g","description":"d","unit":"By","metadata":[{"key":"m","value":{}}],
     "gauge":{"dataPoints":[{"asDouble":1.5,"timeUnixNano":"2","startTimeUnixNano":"1","flags":1,
       "attributes":[{"key":"a","value":{"doubleValue":"NaN"}}],
       "exemplars":[{"asInt":"-3","timeUnixNano":4,"traceId":"5b8efff798038103d269b633813fc60c",
         "spanId":"eee19b7ec3c1b174","filteredAttributes":[{"key":"f"}]}]}]}},
    {"name":"s","sum":{"dataPoints":[{"asInt":0},{"asDouble":0}],"aggregationTemporality":2,"isMonotonic":true}},
    {"name":"h","histogram":{"dataPoints":[{"count":"3","sum":0,"min":-1,"max":"2.5",
       "bucketCounts":["1",2,"0"],"explicitBounds":[-1.5,"Infinity"]}],"aggregationTemporality":1}},
    {"name":"e","exponentialHistogram":{"dataPoints":[{"count":7,"sum":1,"scale":-2,"zeroCount":"1",
       "positive":{"offset":-5,"bucketCounts":[1,"18446744073709551615"]},"negative":{},
       "min":0,"max":1,"zeroThreshold":1e-10}],"aggregationTemporality":2}},
    {"name":"q","summary":{"dataPoints":[{"count":1,"sum":2,"quantileValues":[{"quantile":0.5,"value":3},{}],
       "flags":1}]}}]}]}]})";
  expect_equal_messages(Signal::kMetrics, read(Signal::kMetrics, json),
                        R"(resource_metrics { scope_metrics {
    metrics { name: "g" description: "d" unit: "By" metadata { key: "m" value {} }
      gauge { data_points { as_double: 1.5 time_unix_nano: 2 start_time_unix_nano: 1 flags: 1
        attributes { key: "a" value { double_value: nan } }
        exemplars { as_int: -3 time_unix_nano: 4
          trace_id: "\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c"
          span_id: "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74" filtered_attributes { key: "f" } } } } }
    metrics { name: "s" sum { data_points { as_int: 0 } data_points { as_double: 0 }
      aggregation_temporality: AGGREGATION_TEMPORALITY_CUMULATIVE is_monotonic: true } }
    metrics { name: "h" histogram { data_points { count: 3 sum: 0 min: -1 max: 2.5
      bucket_counts: [1, 2, 0] explicit_bounds: [-1.5, inf] }
      aggregation_temporality: AGGREGATION_TEMPORALITY_DELTA } }
    metrics { name: "e" exponential_histogram { data_points { count: 7 sum: 1 scale: -2 zero_count: 1
      positive { offset: -5 bucket_counts: [1, 18446744073709551615] } negative {}
      min: 0 max: 1 zero_threshold: 1e-10 }
      aggregation_temporality: AGGREGATION_TEMPORALITY_CUMULATIVE } }
    metrics { name: "q" summary { data_points { count: 1 sum: 2
      quantile_values { quantile: 0.5 value: 3 } quantile_values {} flags: 1 } } }
  } })");
}

TEST(Json, ReadsLogsWithEventNames) {
  const std::string json = R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1",
    "observedTimeUnixNano":2,"severityNumber":17,"severityText":"ERROR",
    "body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"stringValue":"x"},{},null]}}}]}},
    "attributes":[],"droppedAttributesCount":1,"flags":1,"traceId":"","spanId":"","eventName":"login"}]}]}]})";
  expect_equal_messages(Signal::kLogs, read(Signal::kLogs, json),
                        R"(resource_logs { scope_logs { log_records { time_unix_nano: 1
    observed_time_unix_nano: 2 severity_number: SEVERITY_NUMBER_ERROR severity_text: "ERROR"
    body { kvlist_value { values { key: "a" value { array_value {
      values { string_value: "x" } values {} values {} } } } } }
    dropped_attributes_count: 1 flags: 1 event_name: "login" } } })");
}

TEST(Json, AnEmptyRequestIsNoBytes) {
  for (const Signal signal : kSignals) {
    EXPECT_EQ(read(signal, "{}"), "");
    EXPECT_EQ(read(signal, " {\n} "), "");
  }
  EXPECT_EQ(read(Signal::kTraces, R"({"resourceSpans":[]})"), "");
  EXPECT_EQ(read(Signal::kTraces, R"({"resourceSpans":null})"), "");
}

TEST(Json, UnknownNamesAreIgnoredAndSoIsSnakeCase) {
  expect_span(
      R"("name":"a","future":{"x":[1,{"y":null}]},"trace_state":"s","start_time_unix_nano":1,)"
      R"("Name":"b","":0,"name ":"c")",
      R"(name: "a")");
  // Escapes in a name are the name.
  expect_span(R"("\u006eame":"a")", R"(name: "a")");
  expect_span(R"("na\u0000me":"a","\ud83d\ude00":1)", "");
  const std::string long_name(5000, 'n');
  expect_span('"' + long_name + R"(":1,"\n)" + long_name + R"(":2)", "");
}

TEST(Json, NullIsTheDefault) {
  expect_span(
      R"("traceId":null,"name":null,"kind":null,"flags":null,"attributes":null,"status":null)", "");
  EXPECT_EQ(read(Signal::kTraces, with_value("null")),
            bytes_of(Signal::kTraces, span_text(R"(attributes { key: "k" })")));
  EXPECT_EQ(read(Signal::kTraces, with_value(R"({"intValue":null})")),
            bytes_of(Signal::kTraces, span_text(R"(attributes { key: "k" value {} })")));
}

TEST(Json, ValuesOfAOneofAreWrittenEvenWhenTheyAreZero) {
  expect_value(R"({"stringValue":""})", R"(string_value: "")");
  expect_value(R"({"boolValue":false})", "bool_value: false");
  expect_value(R"({"intValue":0})", "int_value: 0");
  expect_value(R"({"doubleValue":0})", "double_value: 0");
  expect_value(R"({"arrayValue":{}})", "array_value {}");
  expect_value(R"({"kvlistValue":{"values":[]}})", "kvlist_value {}");
  expect_value(R"({"bytesValue":""})", R"(bytes_value: "")");
  expect_value(R"({"stringValueStrindex":0})", "string_value_strindex: 0");
  // Elsewhere protobuf leaves zeros out.
  expect_span(R"("flags":0,"kind":0,"name":"","startTimeUnixNano":"0")", "");
}

TEST(Json, NumbersComeAsNumbersOrAsStrings) {
  expect_value(R"({"intValue":9223372036854775807})", "int_value: 9223372036854775807");
  expect_value(R"({"intValue":"9223372036854775807"})", "int_value: 9223372036854775807");
  expect_value(R"({"intValue":-9223372036854775808})", "int_value: -9223372036854775808");
  expect_value(R"({"intValue":1e3})", "int_value: 1000");
  expect_value(R"({"doubleValue":"-1.5e-3"})", "double_value: -0.0015");
  expect_value(R"({"doubleValue":-0})", "double_value: -0");
  expect_value(R"({"doubleValue":"Infinity"})", "double_value: inf");
  expect_value(R"({"doubleValue":"-Infinity"})", "double_value: -inf");
  expect_span(R"("endTimeUnixNano":18446744073709551615)",
              "end_time_unix_nano: 18446744073709551615");
  expect_span(R"("droppedLinksCount":"4294967295","flags":4294967295)",
              "dropped_links_count: 4294967295 flags: 4294967295");
  expect_span(R"("kind":99)", "kind: 99");
  expect_span(R"("kind":-2147483648)", "kind: -2147483648");
}

TEST(Json, NumbersOutOfRangeCostTheirItem) {
  for (const char* value :
       {R"({"intValue":9223372036854775808})", R"({"intValue":"-9223372036854775809"})",
        R"({"intValue":18446744073709551616})", R"({"intValue":1e400})", R"({"doubleValue":1e400})",
        R"({"doubleValue":"-1e400"})", R"({"stringValueStrindex":2147483648})"}) {
    EXPECT_THAT(fault_of(Signal::kTraces, with_value(value)), HasSubstr("out of range")) << value;
  }
  for (const char* members :
       {R"("startTimeUnixNano":-1)", R"("startTimeUnixNano":"18446744073709551616")",
        R"("droppedEventsCount":4294967296)", R"("flags":-1)", R"("kind":2147483648)"}) {
    EXPECT_THAT(span_fault(members), HasSubstr("out of range")) << members;
  }
  EXPECT_EQ(span_fault(R"("kind":1.5,"name":"")"),
            "OTLP/JSON: at byte 51 (resourceSpans[0].scopeSpans[0].spans[0].kind): the number must "
            "be whole");
  EXPECT_THAT(span_fault(R"("startTimeUnixNano":"0.1")"), HasSubstr("whole"));
}

TEST(Json, WrongTypesRejectTheirItemAndReportThePlace) {
  EXPECT_EQ(span_fault(R"("kind":"SPAN_KIND_SERVER")"),
            "OTLP/JSON: at byte 51 (resourceSpans[0].scopeSpans[0].spans[0].kind): "
            "an enum must be its number, not its name");
  EXPECT_EQ(
      fault_of(Signal::kTraces, R"({"resourceSpans":[{},{"scopeSpans":[{},{},{"spans":7}]}]})"),
      "OTLP/JSON: at byte 51 (resourceSpans[1].scopeSpans[2].spans): an array is due");
  for (const char* members :
       {R"("kind":"2")",       R"("kind":true)",      R"("name":5)",
        R"("name":["a"])",     R"("traceId":7)",      R"("flags":"")",
        R"("flags":" 1")",     R"("flags":"1 ")",     R"("flags":"+1")",
        R"("flags":"01")",     R"("flags":"0x1")",    R"("flags":"\u0031")",
        R"("flags":[])",       R"("flags":{})",       R"("flags":false)",
        R"("status":[])",      R"("status":"x")",     R"("attributes":{})",
        R"("attributes":[1])", R"("attributes":"x")", R"("startTimeUnixNano":"NaN")",
        R"("events":[[]])"}) {
    EXPECT_NE(span_fault(members), "") << members;
  }
  for (const char* value :
       {R"({"boolValue":"true"})", R"({"boolValue":1})", R"({"doubleValue":"nan"})",
        R"({"doubleValue":"inf"})", R"({"doubleValue":""})", R"({"doubleValue":true})",
        R"({"stringValue":1})", R"({"bytesValue":[1]})", R"({"arrayValue":[]})", "[]", "1",
        "\"x\""}) {
    EXPECT_NE(fault_of(Signal::kTraces, with_value(value)), "") << value;
  }
  // A list of numbers has no place for "no number".
  EXPECT_NE(
      fault_of(Signal::kMetrics,
               R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":)"
               R"([{"bucketCounts":[1,null]}]}}]}]}]})"),
      "");
}

TEST(Json, FaultsNeverQuoteThePayload) {
  EXPECT_EQ(span_fault(R"("name":"s3cret","s3cret":1,"kind":"s3cret")").find("s3cret"),
            std::string::npos);
}

TEST(Json, RequestsThatAreNotJsonAreErrors) {
  EXPECT_EQ(error_of(Signal::kTraces, ""), "OTLP/JSON: at byte 0: the request must be an object");
  for (const char* json : {" ", "[]", "null", "1", "\"{}\"", "{", "{}{}", "{} x", "{}]", "{\"a\"}",
                           "{'a':1}", "{\"a\":1,}", "{\"a\":tru}", "{\"a\":01}", "// c\n{}"}) {
    EXPECT_NE(error_of(Signal::kTraces, json), "") << json;
  }
  EXPECT_THAT(error_of(Signal::kLogs, "\xef\xbb\xbf{}"), HasSubstr("byte order mark"));
  EXPECT_NE(error_of(Signal::kLogs, std::string("{\0}\0", 4)), "");  // UTF-16.
  EXPECT_NE(error_of(Signal::kLogs, std::string("\xff\xfe{\0}\0", 6)), "");
  EXPECT_NE(error_of(Signal::kLogs, std::string("{}\0", 3)), "");
}

// Counts what the scan makes of a JSON request.
struct Verdict {
  std::uint64_t accepted = 0, rejected = 0;
  std::string message;
  std::string fault;
  std::uint64_t replaced = 0;
  std::uint64_t count(RejectReason reason) const {
    return by_reason[static_cast<std::size_t>(reason)];
  }
  std::array<std::uint64_t, kRejectReasonCount> by_reason = {};
};
Verdict judge(Signal signal, const std::string& json) {
  JsonNotes notes;
  const Result<Bytes> bytes = json_to_protobuf(signal, json, {}, &notes);
  EXPECT_TRUE(bytes.ok()) << json << "\n" << (bytes.ok() ? "" : bytes.error().message);
  Scanner scanner;
  EXPECT_TRUE(bytes.ok() && scanner.scan(signal, bytes->view()).ok()) << json;
  const Index& index = scanner.index();
  return {index.accepted,
          index.rejected,
          index.reject_message,
          notes.first_fault,
          notes.replaced_surrogates,
          index.rejected_by_reason};
}

constexpr const char* kGoodIds =
    R"("traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174")";
std::string good_span(const std::string& members = "") {
  return std::string("{") + kGoodIds + (members.empty() ? "" : "," + members) + "}";
}
std::string spans(const std::string& list) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + list + "]}]}]}";
}

TEST(Json, BadUtf8CostsItsItem) {
  for (const char* bad : {"\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    const Verdict verdict =
        judge(Signal::kTraces,
              spans(good_span() + ',' + good_span(std::string("\"name\":\"") + bad + '"') + ',' +
                    good_span(std::string("\"name\":\"\\n") + bad + '"')));
    EXPECT_EQ(verdict.accepted, 1u);
    EXPECT_EQ(verdict.rejected, 2u);
    EXPECT_EQ(verdict.count(RejectReason::kInvalidUtf8), 2u);
  }
  // Outside of strings such bytes are no JSON.
  EXPECT_NE(error_of(Signal::kTraces, "{\x80\"a\":1}"), "");
}

TEST(Json, ALoneSurrogateBecomesTheReplacementCharacterAndIsCounted) {
  const struct {
    const char* json;
    const char* text;
    std::uint64_t replaced;
  } cases[] = {
      {R"(cut \ud83d)", "cut \xef\xbf\xbd", 1},
      {R"(\udc00)", "\xef\xbf\xbd", 1},
      {R"(\udc00\ud800)", "\xef\xbf\xbd\xef\xbf\xbd", 2},
      {R"(\ud800A)",
       "\xef\xbf\xbd"
       "A",
       1},
      {R"(\ud800\u0041)",
       "\xef\xbf\xbd"
       "A",
       1},
      {R"(\ud83d\n)", "\xef\xbf\xbd\n", 1},
      // Only the half that stands alone is replaced.
      {R"(\ud83d\ud83d\ude00)", "\xef\xbf\xbd\xf0\x9f\x98\x80", 1},
      {R"(\ud83d\ude00\ude00)", "\xf0\x9f\x98\x80\xef\xbf\xbd", 1},
      {R"(\ud83d\ude00)", "\xf0\x9f\x98\x80", 0},
  };
  for (const auto& c : cases) {
    const std::string json = with_span(std::string("\"name\":\"") + c.json + '"');
    JsonNotes notes;
    const Result<Bytes> bytes = json_to_protobuf(Signal::kTraces, json, {}, &notes);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    collector::trace::v1::ExportTraceServiceRequest request;
    ASSERT_TRUE(request.ParseFromArray(bytes->data(), static_cast<int>(bytes->size())));
    EXPECT_EQ(request.resource_spans(0).scope_spans(0).spans(0).name(), c.text) << c.json;
    EXPECT_EQ(notes.replaced_surrogates, c.replaced) << c.json;
  }
  // Skipped text is not replaced. Broken escapes stay errors.
  EXPECT_EQ(judge(Signal::kTraces, spans(good_span(R"("unknown":"\ud800")"))).replaced, 0u);
  for (const char* broken : {R"(\ud83d\u)", R"(\ud83d\uzzzz)", R"(\ud83)", R"(\ud83d\)"})
    EXPECT_NE(span_error(std::string("\"name\":\"") + broken + '"'), "") << broken;
}

TEST(Json, AWrongValueCostsItsItemAndNoOther) {
  const std::string wrong[] = {
      good_span(R"("kind":"SPAN_KIND_SERVER")"),
      good_span(R"("status":{"code":"STATUS_CODE_ERROR"})"),
      good_span(R"("attributes":[{"key":"b","value":{"boolValue":"true"}}])"),
      good_span(R"("attributes":[{"key":"i","value":{"intValue":"18446744073709551615"}}])"),
      good_span(R"("attributes":[{"key":"i","value":{"intValue":18446744073709551615}}])"),
      good_span(R"("events":[{"timeUnixNano":"yesterday"},{"name":7}],"links":{"a":[1,{}]})"),
      "7",
      "\"span\"",
      "[]",
  };
  for (const std::string& span : wrong) {
    const Verdict verdict =
        judge(Signal::kTraces, spans(good_span() + ',' + span + ',' + good_span()));
    EXPECT_EQ(verdict.accepted, 2u) << span;
    EXPECT_EQ(verdict.rejected, 1u) << span;
    EXPECT_EQ(verdict.count(RejectReason::kInvalidValue), 1u) << span;
    EXPECT_THAT(verdict.fault, HasSubstr("spans[1]")) << span;
    EXPECT_THAT(verdict.message, HasSubstr("spans[1]")) << span;
  }
  // A uint64 is one where the field is.
  EXPECT_EQ(judge(Signal::kTraces, spans(good_span(R"("endTimeUnixNano":"18446744073709551615")")))
                .accepted,
            1u);
}

TEST(Json, AWrongMetricCountsItsPoints) {
  const Verdict verdict = judge(Signal::kMetrics,
                                R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[
      {"name":"a","sum":{"dataPoints":[{"asInt":1},{"asInt":"x"},{"asInt":3}]}},
      {"name":"b","gauge":{"dataPoints":[{"asInt":1},{"asInt":2}]}},
      {"name":"c","sum":{"isMonotonic":"true","dataPoints":[{},{}]}},
      {"name":"d","gauge":{"dataPoints":7}},
      {"name":"e","gauge":{"dataPoints":[7,{"asInt":1}]}}]}]}]})");
  EXPECT_EQ(verdict.accepted, 2u);
  EXPECT_EQ(verdict.rejected, 3u + 2u + 1u + 2u);
  EXPECT_EQ(verdict.count(RejectReason::kInvalidValue), verdict.rejected);
}

TEST(Json, AWrongResourceOrScopeCostsItsItems) {
  const std::string two = "[" + good_span() + "," + good_span() + "]";
  const std::string good = R"({"scopeSpans":[{"spans":)" + two + "}]}";
  const std::string wrong[] = {
      R"({"resource":{"attributes":[{"key":7}]},"scopeSpans":[{"spans":)" + two + "}]}",
      R"({"scopeSpans":[{"spans":)" + two + R"(}],"resource":"x"})",
      R"({"scopeSpans":[{"spans":)" + two + R"(}],"schemaUrl":7})",
      R"({"scopeSpans":[{"spans":)" + two + R"(,"scope":{"name":{}}}]})",
      R"({"scopeSpans":[{"schemaUrl":[],"spans":)" + two + "}]}",
  };
  for (const std::string& group : wrong) {
    const Verdict verdict =
        judge(Signal::kTraces, R"({"resourceSpans":[)" + group + "," + good + "]}");
    EXPECT_EQ(verdict.accepted, 2u) << group;
    EXPECT_EQ(verdict.rejected, 2u) << group;
    EXPECT_EQ(verdict.count(RejectReason::kInvalidValue), 2u) << group;
  }
  // Without items that could be counted: one.
  for (const std::string group : {"7", "[]", R"({"scopeSpans":7})", R"({"scopeSpans":[7]})",
                                  R"({"scopeSpans":[{"spans":{}}]})"}) {
    const Verdict verdict =
        judge(Signal::kTraces, R"({"resourceSpans":[)" + good + "," + group + "]}");
    EXPECT_EQ(verdict.accepted, 2u) << group;
    EXPECT_EQ(verdict.rejected, 1u) << group;
  }
  // Nothing is left of such a request.
  EXPECT_THAT(error_of(Signal::kTraces, R"({"resourceSpans":7})"), HasSubstr("an array is due"));
}

TEST(Json, DeprecatedNamesAreCountedAndUnknownOnesWithoutItemsReported) {
  const std::string library = R"({"instrumentationLibrary":{"name":"l"},"spans":[)" + good_span() +
                              "," + good_span() + "]}";
  const Verdict old =
      judge(Signal::kTraces, R"({"resourceSpans":[{"instrumentationLibrarySpans":[)" + library +
                                 "," + library + "]}]}");
  EXPECT_EQ(old.rejected, 4u);
  EXPECT_EQ(old.count(RejectReason::kDeprecatedField), 4u);
  EXPECT_EQ(judge(Signal::kLogs, R"({"resourceLogs":[{"instrumentationLibraryLogs":[{"logRecords":)"
                                 R"([{},{}]}]}]})")
                .count(RejectReason::kDeprecatedField),
            2u);
  EXPECT_EQ(
      judge(Signal::kMetrics, R"({"resourceMetrics":[{"instrumentationLibraryMetrics":[{"metrics":)"
                              R"([{"gauge":{"dataPoints":[{},{}]}}]}]}]})")
          .count(RejectReason::kDeprecatedField),
      2u);
  for (const std::string json : {R"({"resource_spans":[{"scope_spans":[{"spans":[{}]}]}]})",
                                 R"({"spans":[]})", R"({"resourceSpans":[{"scope_spans":[{}]}]})",
                                 R"({"resourceSpans":[{"scopeSpans":[{"Spans":[{}]}]}]})"}) {
    const Verdict verdict = judge(Signal::kTraces, json);
    EXPECT_EQ(verdict.rejected, 1u) << json;
    EXPECT_EQ(verdict.count(RejectReason::kUnknownContent), 1u) << json;
  }
  // Beside an item unknown names are ignored, and leave nothing behind.
  EXPECT_EQ(read(Signal::kTraces, R"({"future":1,"resourceSpans":[{"future":2,"scopeSpans":[)"
                                  R"({"future":3,"spans":[{}]}]}]})"),
            read(Signal::kTraces, with_span("")));
}

TEST(Json, StringsOfAllLengthsAndEscapesAreExact) {
  for (const std::size_t size :
       {0u, 1u, 21u, 22u, 126u, 127u, 128u, 129u, 16'383u, 16'384u, 40'000u}) {
    const std::string text(size, 'x');
    expect_span("\"name\":\"" + text + '"', "name: \"" + text + '"');
    // Six characters of JSON for each byte: the length takes fewer bytes than was guessed.
    std::string escaped;
    for (std::size_t i = 0; i < size; ++i) escaped += "\\u0078";
    expect_span("\"name\":\"" + escaped + '"', "name: \"" + text + '"');
  }
  expect_span(R"("name":"\u0000\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00")",
              R"(name: "\000\"\\/\b\f\n\r\t\303\251\342\202\254\360\237\230\200")");
}

TEST(Json, MessagesOfAllLengthsAreExact) {
  // Each level guesses how many bytes its length will take; all guesses go wrong both ways here.
  for (const std::size_t size :
       {1u, 60u, 100u, 118u, 128u, 1000u, 16'250u, 16'384u, 300'000u, 3'000'000u}) {
    const std::string text(size, 'x');
    expect_value(
        R"({"arrayValue":{"values":[{"stringValue":")" + text + R"("},{"intValue":1}]}})",
        "array_value { values { string_value: \"" + text + "\" } values { int_value: 1 } }");
  }
}

TEST(Json, BytesValuesAreBase64) {
  expect_value(R"({"bytesValue":"AP/+"})", R"(bytes_value: "\000\377\376")");
  expect_value(R"({"bytesValue":"AP_-"})", R"(bytes_value: "\000\377\376")");
  expect_value(R"({"bytesValue":"Zg=="})", R"(bytes_value: "f")");
  expect_value(R"({"bytesValue":"Zg"})", R"(bytes_value: "f")");
  expect_value(R"({"bytesValue":"AP\/+"})", R"(bytes_value: "\000\377\376")");
  EXPECT_THAT(fault_of(Signal::kTraces, with_value(R"({"bytesValue":"Z"})")), HasSubstr("base64"));
  EXPECT_THAT(fault_of(Signal::kTraces, with_value(R"({"bytesValue":"!!"})")), HasSubstr("base64"));
}

TEST(Json, IdsAreHexInEitherCase) {
  expect_span(R"("spanId":"eEe19B7Ec3c1b174")", R"(span_id: "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74")");
  expect_span(R"("spanId":"\u0065ee19b7ec3c1b174")",
              R"(span_id: "\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74")");
  expect_span(R"("spanId":"")", "");
  // Decodable, but of a length that no id has: kept as it is.
  expect_span(R"("spanId":"eee1")", R"(span_id: "\xee\xe1")");
  // Nothing that hex can mean: one zero byte, which no reader takes for an id.
  for (const char* bad : {"eee", "xyz", "zz", "0x11223344556677", "eee19b7ec3c1b17\xc3\xa9"}) {
    expect_span(std::string("\"spanId\":\"") + bad + '"', R"(span_id: "\000")");
  }
}

TEST(Json, OnlyTheItemWithABadIdIsRejected) {
  const auto span = [](const char* trace_id, const char* span_id) {
    return std::string(R"({"traceId":")") + trace_id + R"(","spanId":")" + span_id + "\"}";
  };
  constexpr const char* kGoodTrace = "5b8efff798038103d269b633813fc60c";
  constexpr const char* kGoodSpan = "eee19b7ec3c1b174";
  const std::string bytes = read(
      Signal::kTraces,
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + span(kGoodTrace, kGoodSpan) + ',' +
          span("nothex", kGoodSpan) + ',' + span(kGoodTrace, "abc") + ',' + span("", kGoodSpan) +
          ',' + span("5b8e", kGoodSpan) + ",null," + span(kGoodTrace, kGoodSpan) + "]}]}]}");
  Scanner scanner;
  ASSERT_TRUE(scanner.scan(Signal::kTraces, bytes).ok());
  EXPECT_EQ(scanner.index().accepted, 2u);
  EXPECT_EQ(scanner.index().rejected, 5u);
}

TEST(Json, OfTwoEqualNamesTheLastWins) {
  expect_equal_messages(
      Signal::kTraces,
      read(Signal::kTraces, with_span(R"("name":"a","flags":1,"kind":2,"spanId":"ee",)"
                                      R"("name":"","flags":0,"kind":0,"spanId":"")")),
      span_text(""));
  expect_equal_messages(Signal::kTraces,
                        read(Signal::kTraces, with_span(R"("name":"a","name":"b")")),
                        span_text(R"(name: "b")"));
  expect_equal_messages(Signal::kTraces,
                        read(Signal::kTraces, with_value(R"({"stringValue":"a","intValue":1})")),
                        span_text(R"(attributes { key: "k" value { int_value: 1 } })"));
  // Lists are appended to, and messages are merged, as on the wire.
  expect_equal_messages(
      Signal::kTraces,
      read(Signal::kTraces, with_span(R"("status":{"code":2,"message":"m"},"links":[{"flags":1}],)"
                                      R"("status":{"code":1},"links":[{"flags":2}])")),
      span_text(
          R"(status { code: STATUS_CODE_OK message: "m" } links { flags: 1 } links { flags: 2 })"));
}

std::string nested_value(int levels, bool lists) {
  std::string open;
  std::string close;
  for (int i = 0; i < levels; ++i) {
    open +=
        lists ? R"({"arrayValue":{"values":[)" : R"({"kvlistValue":{"values":[{"key":"k","value":)";
    close += lists ? "]}}" : "}]}}";
  }
  return open + "{}" + close;
}
std::string nested_json(int levels, bool lists) { return with_value(nested_value(levels, lists)); }

TEST(Json, ReadsAllTheNestingThatTheScanTakes) {
  const int levels = static_cast<int>(ScanLimits{}.value_depth_max);
  for (const bool lists : {true, false}) {
    const std::string bytes = read(Signal::kTraces, nested_json(levels, lists));
    const Result<std::string> json = protobuf_to_json(Signal::kTraces, bytes);
    ASSERT_TRUE(json.ok()) << json.error().message;
    EXPECT_EQ(read(Signal::kTraces, *json), bytes);
  }
}

// Nested deeper than the reader follows, and as deep as a request of its size can.
const int kTooManyLevels[] = {90, 100, 100'000};

// The index of the request that `json` becomes.
Index scanned(Signal signal, const std::string& json, JsonNotes* notes = nullptr) {
  const Result<Bytes> bytes = json_to_protobuf(signal, json, {}, notes);
  EXPECT_TRUE(bytes.ok()) << (bytes.ok() ? "" : bytes.error().message);
  if (!bytes.ok()) return {};
  Scanner scanner;
  EXPECT_TRUE(scanner.scan(signal, bytes->view()).ok());
  return scanner.index();
}
std::uint64_t too_deep(const Index& index) {
  return index.rejected_by_reason[static_cast<std::size_t>(RejectReason::kTooDeep)];
}
std::string deep_attributes(int levels, bool lists = true) {
  return R"("attributes":[{"key":"k","value":)" + nested_value(levels, lists) + "}]";
}

TEST(Json, AnItemThatNestsTooDeepIsRejectedAlone) {
  const std::string ids =
      R"("traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174")";
  const std::string good = "{" + ids + R"(,"name":"good"})";
  for (const int levels : kTooManyLevels) {
    for (const bool lists : {true, false}) {
      JsonNotes notes;
      const Index index =
          scanned(Signal::kTraces,
                  R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + good + ",{" +
                      deep_attributes(levels, lists) + "," + ids + "}," + good + "]}]}]}",
                  &notes);
      EXPECT_EQ(index.accepted, 2u);
      EXPECT_EQ(index.rejected, 1u);
      EXPECT_EQ(too_deep(index), 1u);
      EXPECT_THAT(notes.first_fault, HasSubstr("nest too deep"));
      EXPECT_THAT(notes.first_fault, HasSubstr("resourceSpans[0].scopeSpans[0].spans[1].attr"));
    }
    const Index logs =
        scanned(Signal::kLogs, R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{"body":)" +
                                   nested_value(levels, false) + "},{}]}]}]}");
    EXPECT_EQ(logs.accepted, 2u);
    EXPECT_EQ(too_deep(logs), 1u);
    // A metric counts with all its data points, those behind the deep one too.
    const Index metrics = scanned(
        Signal::kMetrics,
        R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{},{}]}},)"
        R"({"gauge":{"dataPoints":[{},{)" +
            deep_attributes(levels) + R"(},{}]}}]}]}]})");
    EXPECT_EQ(metrics.accepted, 2u);
    EXPECT_EQ(too_deep(metrics), 3u);
  }
}

TEST(Json, AResourceOrScopeThatNestsTooDeepIsRejectedWithItsItems) {
  const std::string records = R"("logRecords":[{},{}])";
  for (const int levels : kTooManyLevels) {
    const Index resource =
        scanned(Signal::kLogs, R"({"resourceLogs":[{"resource":{)" + deep_attributes(levels) +
                                   R"(},"scopeLogs":[{)" + records + R"(}]},{"scopeLogs":[{)" +
                                   records + "}]}]}");
    EXPECT_EQ(resource.accepted, 2u);
    EXPECT_EQ(too_deep(resource), 2u);
    const Index scope = scanned(Signal::kLogs, R"({"resourceLogs":[{"scopeLogs":[{"scope":{)" +
                                                   deep_attributes(levels) + "}," + records +
                                                   "},{" + records + "}]}]}");
    EXPECT_EQ(scope.accepted, 2u);
    EXPECT_EQ(too_deep(scope), 2u);
  }
}

TEST(Json, UnknownNamesAreIgnoredAtAnyDepth) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const Index index = scanned(
      Signal::kLogs, R"({"x":)" + deep + R"(,"resourceLogs":[{"scopeLogs":[{"logRecords":[{"x":)" +
                         deep + "}]}]}]}");
  EXPECT_EQ(index.accepted, 1u);
  EXPECT_EQ(index.rejected, 0u);
}

TEST(Json, ADeepTextThatIsNoJsonCostsTheRequest) {
  const std::string json = nested_json(1000, false);
  for (std::size_t missing = 1; missing < 4000; missing += 37)
    EXPECT_NE(error_of(Signal::kTraces, json.substr(0, json.size() - missing)), "") << missing;
  for (std::size_t at = json.size() - 4000; at < json.size(); at += 37) {
    std::string wrong = json;
    wrong[at] = wrong[at] == '}' ? ']' : '}';
    EXPECT_NE(error_of(Signal::kTraces, wrong), "") << at;
  }
  EXPECT_NE(error_of(Signal::kTraces, std::string(100'000, '[')), "");
  EXPECT_NE(error_of(Signal::kTraces, "{\"x\":" + std::string(100'000, '[')), "");
}

TEST(Json, TheDepthLimitHasBoundsOfItsOwn) {
  // The call stack is finite.
  const JsonLimits deep{.depth_max = 1'000'000};
  const Result<Bytes> bytes = json_to_protobuf(Signal::kTraces, nested_json(100'000, false), deep);
  ASSERT_TRUE(bytes.ok());
  EXPECT_LT(bytes->size(), 10'000u);
  // Data points are always reached, to be counted.
  const JsonLimits shallow{.depth_max = 1};
  const Result<Bytes> points = json_to_protobuf(
      Signal::kMetrics,
      R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{},{}]}}]}]}]})",
      shallow);
  ASSERT_TRUE(points.ok());
  Scanner scanner;
  ASSERT_TRUE(scanner.scan(Signal::kMetrics, points->view()).ok());
  EXPECT_EQ(scanner.index().accepted, 2u);
}

TEST(Json, TheMemoryOfNestingIsOnThePermit) {
  const std::string deep =
      "{\"x\":" + std::string(2u << 20, '[') + std::string(2u << 20, ']') + "}";
  const auto convert = [&deep](std::size_t memory) {
    MemoryBudget budget(memory);
    Permit permit = budget.empty_permit();
    JsonLimits limits;
    limits.permit = &permit;
    return json_to_protobuf(Signal::kTraces, deep, limits).ok();
  };
  EXPECT_TRUE(convert(deep.size()));
  // Half the text is what the output starts with; the brackets take a sixteenth of it.
  const JsonLimits small{.output_bytes_max = deep.size() / 32};
  const Result<Bytes> refused = json_to_protobuf(Signal::kTraces, deep, small);
  ASSERT_FALSE(refused.ok());
  EXPECT_STREQ(refused.error().reason, "request_too_large");
}

TEST(Json, OutputIsBounded) {
  const std::string json = with_span("\"name\":\"" + std::string(1000, 'x') + '"');
  const std::size_t size = read(Signal::kTraces, json).size();
  const JsonLimits roomy{.output_bytes_max = size + 8};
  EXPECT_TRUE(json_to_protobuf(Signal::kTraces, json, roomy).ok());
  for (std::size_t bytes_max = 0; bytes_max < size; bytes_max += 7) {
    const Result<Bytes> bytes =
        json_to_protobuf(Signal::kTraces, json, {.output_bytes_max = bytes_max});
    ASSERT_FALSE(bytes.ok()) << bytes_max;
    EXPECT_EQ(bytes.error().code, Code::kResourceExhausted);
    EXPECT_EQ(bytes.error().refusal, Refusal::kData);
    EXPECT_STREQ(bytes.error().reason, "request_too_large");
  }
  // Two characters become eight bytes.
  std::string counts = "0";
  for (int i = 0; i < 100'000; ++i) counts += ",0";
  const Result<Bytes> grown = json_to_protobuf(
      Signal::kMetrics,
      R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":[)" +
          counts + "]}]}}]}]}]}",
      {.output_bytes_max = 400'000});
  ASSERT_FALSE(grown.ok());
  EXPECT_EQ(grown.error().code, Code::kResourceExhausted);
}

TEST(Json, EveryPrefixOfARequestIsAnError) {
  const std::string json = kTrace;
  ASSERT_TRUE(json_to_protobuf(Signal::kTraces, json).ok());
  for (std::size_t size = 0; size < json.size(); ++size) {
    // On the heap and to the byte, so that AddressSanitizer sees one byte too many.
    const std::vector<char> prefix(json.begin(), json.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(json_to_protobuf(Signal::kTraces, {prefix.data(), size}).ok()) << size;
  }
}

// --- Against protobuf ---

void for_each_random_request(int count, const RandomRequestOptions& options,
                             const std::function<void(Signal, const Message&)>& check) {
  for (const Signal signal : kSignals) {
    for (int seed = 0; seed < count; ++seed) {
      SCOPED_TRACE(std::string(to_string(signal)) + " seed " + std::to_string(seed));
      std::mt19937_64 random(static_cast<std::uint64_t>(seed));
      const std::unique_ptr<Message> message = new_request(signal);
      fill_randomly(*message, random, options);
      check(signal, *message);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Json, WritingAndReadingBackIsTheIdentity) {
  std::size_t bytes_seen = 0;
  for_each_random_request(150, {}, [&](Signal signal, const Message& message) {
    const std::string bytes = message.SerializeAsString();
    const Result<std::string> json = protobuf_to_json(signal, bytes);
    ASSERT_TRUE(json.ok()) << json.error().message;
    const Result<Bytes> again = json_to_protobuf(signal, *json);
    ASSERT_TRUE(again.ok()) << again.error().message << "\n" << *json;
    ASSERT_EQ(again->view(), bytes) << *json;
    bytes_seen += bytes.size();
  });
  EXPECT_GT(bytes_seen, 300'000u);
}

// Stock protobuf writes ids as base64. An id whose base64 is the hex of the right one makes its
// JSON the JSON of OTLP.
void change_ids(Message& message, const std::function<std::string(const std::string&)>& change) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->type() == FieldDescriptor::TYPE_BYTES && field->name().ends_with("_id")) {
      reflection->SetString(&message, field, change(reflection->GetString(message, field)));
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      change_ids(*reflection->MutableMessage(&message, field), change);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      change_ids(*reflection->MutableRepeatedMessage(&message, field, i), change);
    }
  }
}
std::string bytes_whose_base64_is_hex(const std::string& id) {
  std::string text;
  append_hex(id, text);
  std::size_t size = 0;
  EXPECT_TRUE(decode_base64_lenient(text, text.data(), size));
  return text.substr(0, size);
}

TEST(Json, ReadsWhatProtobufWrites) {
  for_each_random_request(60, {.odd_ids = false}, [](Signal signal, const Message& message) {
    const std::unique_ptr<Message> disguised(message.New());
    disguised->CopyFrom(message);
    change_ids(*disguised, bytes_whose_base64_is_hex);
    google::protobuf::util::JsonPrintOptions options;
    options.always_print_enums_as_ints = true;
    options.add_whitespace = true;
    std::string json;
    ASSERT_TRUE(google::protobuf::util::MessageToJsonString(*disguised, &json, options).ok());
    const Result<Bytes> bytes = json_to_protobuf(signal, json);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message << "\n" << json;
    const std::unique_ptr<Message> parsed(message.New());
    ASSERT_TRUE(parsed->ParseFromArray(bytes->data(), static_cast<int>(bytes->size())));
    ASSERT_EQ(parsed->DebugString(), message.DebugString()) << json;
  });
}

TEST(Json, ProtobufReadsWhatIsWritten) {
  for_each_random_request(60, {.odd_ids = false}, [](Signal signal, const Message& message) {
    const Result<std::string> json = protobuf_to_json(signal, message.SerializeAsString());
    ASSERT_TRUE(json.ok()) << json.error().message;
    const std::unique_ptr<Message> parsed(message.New());
    const auto status = google::protobuf::util::JsonStringToMessage(*json, parsed.get());
    ASSERT_TRUE(status.ok()) << status.ToString() << "\n" << *json;
    const std::unique_ptr<Message> disguised(message.New());
    disguised->CopyFrom(message);
    change_ids(*disguised, bytes_whose_base64_is_hex);
    ASSERT_EQ(parsed->DebugString(), disguised->DebugString()) << *json;
  });
}

// --- The reverse ---

std::string written(Signal signal, const std::string& bytes) {
  const Result<std::string> json = protobuf_to_json(signal, bytes);
  EXPECT_TRUE(json.ok()) << (json.ok() ? "" : json.error().message);
  return json.ok() ? *json : "";
}

TEST(JsonFromWire, WritesTheFormOfTheSpecification) {
  EXPECT_EQ(written(Signal::kTraces, ""), "{}");
  EXPECT_EQ(
      written(Signal::kTraces,
              bytes_of(Signal::kTraces,
                       span_text(R"(trace_id: "\x5b\x8e" name: "\"\n" kind: SPAN_KIND_CLIENT
      start_time_unix_nano: 18446744073709551615 attributes { key: "k" value { double_value: nan } }
      attributes { key: "d" value { double_value: 0.1 } } attributes { key: "b" value { bytes_value: "\xff" } }
      attributes { key: "z" value { int_value: 0 } } attributes { key: "n" } flags: 7 dropped_links_count: 1)"))),
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8e","name":"\"\n","kind":3,)"
      R"("startTimeUnixNano":"18446744073709551615","attributes":[{"key":"k","value":{"doubleValue":"NaN"}},)"
      R"({"key":"d","value":{"doubleValue":0.1}},{"key":"b","value":{"bytesValue":"/w=="}},)"
      R"({"key":"z","value":{"intValue":"0"}},{"key":"n"}],"droppedLinksCount":1,"flags":7}]}]}]})");
}

// The wrapping of a span's fields, for wire forms that protobuf itself does not write.
std::string span_bytes(const std::function<void(wire::Writer&)>& write) {
  Bytes bytes;
  wire::Writer writer(bytes);
  const auto resource = writer.begin(1);
  const auto scope = writer.begin(2);
  const auto span = writer.begin(2);
  write(writer);
  writer.end(span);
  writer.end(scope);
  writer.end(resource);
  return std::string(bytes.view());
}
std::string written_span(const std::function<void(wire::Writer&)>& write) {
  constexpr std::string_view kHead = R"({"resourceSpans":[{"scopeSpans":[{"spans":[)";
  constexpr std::string_view kTail = "]}]}]}";
  const std::string json = written(Signal::kTraces, span_bytes(write));
  if (!json.starts_with(kHead) || !json.ends_with(kTail)) return json;
  return json.substr(kHead.size(), json.size() - kHead.size() - kTail.size());
}

TEST(JsonFromWire, FieldsMayComeInAnyOrderAndInPieces) {
  EXPECT_EQ(written_span([](wire::Writer& span) {
              span.varint(10, 3);    // droppedAttributesCount
              span.bytes(5, "old");  // name
              span.bytes(9,
                         "\x0a\x01"
                         "a");              // attributes, apart
              span.bytes(15, "\x12\x01m");  // status, in two pieces
              span.bytes(9,
                         "\x0a\x01"
                         "b");
              span.bytes(15, std::string_view("\x18\x02", 2));
              span.bytes(5, "new");
              span.bytes(9, "");
            }),
            R"({"name":"new","attributes":[{"key":"a"},{"key":"b"},{}],"droppedAttributesCount":3,)"
            R"("status":{"message":"m","code":2}})");
}

TEST(JsonFromWire, OfAOneofTheLastMemberWins) {
  const std::string text = "\x0a\x01x";                  // stringValue: "x"
  const std::string number = "\x18\x05";                 // intValue: 5
  const std::string list_a = "\x2a\x05\x0a\x03" + text;  // arrayValue: ["x"]
  const std::string list_5 = "\x2a\x04\x0a\x02" + number;
  const auto value = [](const std::string& members) {
    return written_span([&](wire::Writer& span) {
      const auto attribute = span.begin(9);
      span.bytes(2, members);
      span.end(attribute);
    });
  };
  EXPECT_EQ(value(text + number), R"({"attributes":[{"value":{"intValue":"5"}}]})");
  EXPECT_EQ(value(number + text), R"({"attributes":[{"value":{"stringValue":"x"}}]})");
  EXPECT_EQ(
      value(list_a + list_5),
      R"({"attributes":[{"value":{"arrayValue":{"values":[{"stringValue":"x"},{"intValue":"5"}]}}}]})");
  EXPECT_EQ(value(list_a + number + list_5),
            R"({"attributes":[{"value":{"arrayValue":{"values":[{"intValue":"5"}]}}}]})");
}

TEST(JsonFromWire, NumbersMayBePackedOrNot) {
  Bytes bytes;
  wire::Writer writer(bytes);
  const auto resource = writer.begin(1);
  const auto scope = writer.begin(2);
  const auto metric = writer.begin(2);
  const auto exponential = writer.begin(10);
  const auto point = writer.begin(1);
  const auto buckets = writer.begin(8);
  writer.varint(2, 1);
  writer.bytes(2, std::string_view("\x02\x80\x01", 3));
  writer.bytes(2, "");
  writer.varint(2, 3);
  writer.end(buckets);
  writer.end(point);
  writer.end(exponential);
  writer.end(metric);
  writer.end(scope);
  writer.end(resource);
  EXPECT_EQ(
      written(Signal::kMetrics, std::string(bytes.view())),
      R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"exponentialHistogram":{"dataPoints":[)"
      R"({"positive":{"bucketCounts":["1","2","128","3"]}}]}}]}]}]})");
}

TEST(JsonFromWire, UnknownFieldsAndWrongWireTypesAreLeftOut) {
  EXPECT_EQ(written_span([](wire::Writer& span) {
              span.varint(1000, 1);
              span.bytes(999, "x");
              span.varint(5, 7);          // name as a number
              span.fixed64(6, 1);         // kind as eight bytes
              span.bytes(7, "12345678");  // startTimeUnixNano as bytes
              span.varint(6, 1);
            }),
            R"({"kind":1})");
  // Values that are wider than their type are cut, as parsers do.
  EXPECT_EQ(written_span([](wire::Writer& span) { span.varint(6, (std::uint64_t{1} << 32) + 2); }),
            R"({"kind":2})");
  EXPECT_EQ(written_span([](wire::Writer& span) { span.varint(6, ~std::uint64_t{0}); }),
            R"({"kind":-1})");
}

TEST(JsonFromWire, BrokenBytesAreErrors) {
  const std::string good = bytes_of(Signal::kTraces, kTraceText);
  // Cut inside the only resource, every prefix has broken framing.
  for (std::size_t size = 1; size < good.size(); ++size) {
    const std::vector<char> prefix(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    const Result<std::string> json = protobuf_to_json(Signal::kTraces, {prefix.data(), size});
    ASSERT_FALSE(json.ok()) << size;
    EXPECT_STREQ(json.error().reason, "malformed_request");
    EXPECT_EQ(json.error().code, Code::kInvalidArgument);
  }
  const Result<std::string> json = protobuf_to_json(
      Signal::kTraces, span_bytes([](wire::Writer& span) { span.bytes(5, "\xff"); }));
  ASSERT_FALSE(json.ok());
  EXPECT_THAT(json.error().message, HasSubstr("UTF-8"));
}

TEST(JsonFromWire, DepthSizeAndCopiesAreBounded) {
  std::string value;
  for (int i = 0; i < 5000; ++i) {
    Bytes bytes;
    wire::Writer writer(bytes);
    const auto list = writer.begin(5);
    writer.bytes(1, value);
    writer.end(list);
    value = bytes.view();
  }
  const auto attribute = [&](wire::Writer& span) {
    const auto mark = span.begin(9);
    span.bytes(2, value);
    span.end(mark);
  };
  const Result<std::string> deep = protobuf_to_json(Signal::kTraces, span_bytes(attribute));
  ASSERT_FALSE(deep.ok());
  EXPECT_THAT(deep.error().message, HasSubstr("nest too deep"));

  const std::string bytes = bytes_of(Signal::kTraces, kTraceText);
  const std::size_t size = written(Signal::kTraces, bytes).size();
  EXPECT_TRUE(protobuf_to_json(Signal::kTraces, bytes, size).ok());
  for (std::size_t bytes_max = 0; bytes_max < size; bytes_max += 11) {
    const Result<std::string> json = protobuf_to_json(Signal::kTraces, bytes, bytes_max);
    ASSERT_FALSE(json.ok());
    EXPECT_STREQ(json.error().reason, "request_too_large");
  }

  // Forty levels, each in two pieces.
  value = "\x0a\x40" + std::string(64, 'x');
  for (int i = 0; i < 40; ++i) {
    Bytes pieces;
    wire::Writer writer(pieces);
    const auto list = writer.begin(5);
    writer.bytes(1, value);
    writer.end(list);
    writer.bytes(5, "");
    value = pieces.view();
  }
  const Result<std::string> copied = protobuf_to_json(Signal::kTraces, span_bytes(attribute));
  ASSERT_FALSE(copied.ok());
  EXPECT_THAT(copied.error().message, HasSubstr("in parts"));
}

TEST(Json, MayBeUsedByManyThreads) {
  const std::string expected = read(Signal::kTraces, kTrace);
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (std::size_t i = 0; i < equal.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 50; ++round) {
        const Result<Bytes> bytes = json_to_protobuf(Signal::kTraces, kTrace);
        equal[i] += bytes.ok() && bytes->view() == expected ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 50));
}

}  // namespace
}  // namespace spanway::otlp
