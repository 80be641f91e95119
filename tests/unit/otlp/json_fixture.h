// OTLP/JSON against protobuf: requests as JSON and as protobuf's text format.
#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp/scan.h"

namespace spanway::otlp {

using google::protobuf::Message;
namespace collector = opentelemetry::proto::collector;

inline std::unique_ptr<Message> new_request(Signal signal) {
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
inline std::string bytes_of(Signal signal, const std::string& text) {
  const std::unique_ptr<Message> message = new_request(signal);
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, message.get())) << text;
  return message->SerializeAsString();
}

inline std::string read(Signal signal, const std::string& json) {
  Result<Bytes> bytes = json_to_protobuf(signal, json);
  EXPECT_TRUE(bytes.ok()) << json << "\n" << (bytes.ok() ? "" : bytes.error().message);
  return bytes.ok() ? std::string(bytes->view()) : "";
}

inline std::string error_of(Signal signal, const std::string& json) {
  const Result<Bytes> bytes = json_to_protobuf(signal, json);
  if (bytes.ok()) return "";
  EXPECT_EQ(bytes.error().code, Code::kInvalidArgument);
  EXPECT_EQ(bytes.error().refusal, Refusal::kData);
  EXPECT_STREQ(bytes.error().reason, "malformed_json");
  return bytes.error().message;
}

// The first value of a wrong kind, of a request whose only item must be rejected for it.
inline std::string fault_of(Signal signal, const std::string& json) {
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

inline std::string with_span(const std::string& members) {
  return R"({"resourceSpans":[{"scopeSpans":[{"spans":[{)" + members + "}]}]}]}";
}
inline std::string span_text(const std::string& fields) {
  return "resource_spans { scope_spans { spans { " + fields + " } } }";
}
inline void expect_span(const std::string& members, const std::string& fields) {
  EXPECT_EQ(read(Signal::kTraces, with_span(members)), bytes_of(Signal::kTraces, span_text(fields)))
      << members;
}
inline std::string span_error(const std::string& members) {
  return error_of(Signal::kTraces, with_span(members));
}
inline std::string span_fault(const std::string& members) {
  return fault_of(Signal::kTraces, with_span(members));
}
// A span with one attribute "k".
inline std::string with_value(const std::string& value) {
  return with_span(R"("attributes":[{"key":"k","value":)" + value + "}]");
}
inline void expect_value(const std::string& json, const std::string& text) {
  EXPECT_EQ(
      read(Signal::kTraces, with_value(json)),
      bytes_of(Signal::kTraces, span_text(R"(attributes { key: "k" value { )" + text + " } }")))
      << json;
}

inline constexpr const char* kTrace = R"({"resourceSpans":[{
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
inline constexpr const char* kTraceText = R"(resource_spans {
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
inline void expect_equal_messages(Signal signal, const std::string& bytes,
                                  const std::string& text) {
  const std::unique_ptr<Message> message = new_request(signal);
  ASSERT_TRUE(message->ParseFromString(bytes));
  const std::unique_ptr<Message> expected = new_request(signal);
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, expected.get()));
  EXPECT_EQ(message->DebugString(), expected->DebugString());
}

}  // namespace spanway::otlp
