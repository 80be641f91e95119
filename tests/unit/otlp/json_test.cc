#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/lib/otlp/otlp_json.h"
#include "tests/unit/otlp/json_fixture.h"

namespace spanway::otlp {
namespace {

using testing::HasSubstr;

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
            "be an integer");
  EXPECT_THAT(span_fault(R"("startTimeUnixNano":"0.1")"), HasSubstr("integer"));
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

}  // namespace
}  // namespace spanway::otlp
