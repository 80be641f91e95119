// Faults of one item of an OTLP/JSON request, faults of all of it, and how deep it may nest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

#include "services/lib/base/base64.h"
#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp/scan.h"
#include "tests/unit/otlp/json_fixture.h"

namespace spanway::otlp {
namespace {

using testing::HasSubstr;

// Counts what the scan makes of a JSON request.
struct ScanResult {
  std::uint64_t accepted = 0, rejected = 0;
  std::string message;
  std::string fault;
  std::uint64_t replaced = 0;
  std::uint64_t count(RejectReason reason) const {
    return by_reason[static_cast<std::size_t>(reason)];
  }
  std::array<std::uint64_t, kRejectReasonCount> by_reason = {};
};
ScanResult scan_json(Signal signal, const std::string& json) {
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
    const ScanResult result =
        scan_json(Signal::kTraces,
                  spans(good_span() + ',' + good_span(std::string("\"name\":\"") + bad + '"') +
                        ',' + good_span(std::string("\"name\":\"\\n") + bad + '"')));
    EXPECT_EQ(result.accepted, 1u);
    EXPECT_EQ(result.rejected, 2u);
    EXPECT_EQ(result.count(RejectReason::kInvalidUtf8), 2u);
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
      // Only the half without its partner is replaced.
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
  EXPECT_EQ(scan_json(Signal::kTraces, spans(good_span(R"("unknown":"\ud800")"))).replaced, 0u);
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
    const ScanResult result =
        scan_json(Signal::kTraces, spans(good_span() + ',' + span + ',' + good_span()));
    EXPECT_EQ(result.accepted, 2u) << span;
    EXPECT_EQ(result.rejected, 1u) << span;
    EXPECT_EQ(result.count(RejectReason::kInvalidValue), 1u) << span;
    EXPECT_THAT(result.fault, HasSubstr("spans[1]")) << span;
    EXPECT_THAT(result.message, HasSubstr("spans[1]")) << span;
  }
  // A uint64 is one where the field is.
  EXPECT_EQ(
      scan_json(Signal::kTraces, spans(good_span(R"("endTimeUnixNano":"18446744073709551615")")))
          .accepted,
      1u);
}

TEST(Json, AWrongMetricCountsItsPoints) {
  const ScanResult result = scan_json(Signal::kMetrics,
                                      R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[
      {"name":"a","sum":{"dataPoints":[{"asInt":1},{"asInt":"x"},{"asInt":3}]}},
      {"name":"b","gauge":{"dataPoints":[{"asInt":1},{"asInt":2}]}},
      {"name":"c","sum":{"isMonotonic":"true","dataPoints":[{},{}]}},
      {"name":"d","gauge":{"dataPoints":7}},
      {"name":"e","gauge":{"dataPoints":[7,{"asInt":1}]}}]}]}]})");
  EXPECT_EQ(result.accepted, 2u);
  EXPECT_EQ(result.rejected, 3u + 2u + 1u + 2u);
  EXPECT_EQ(result.count(RejectReason::kInvalidValue), result.rejected);
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
    const ScanResult result =
        scan_json(Signal::kTraces, R"({"resourceSpans":[)" + group + "," + good + "]}");
    EXPECT_EQ(result.accepted, 2u) << group;
    EXPECT_EQ(result.rejected, 2u) << group;
    EXPECT_EQ(result.count(RejectReason::kInvalidValue), 2u) << group;
  }
  // Without items that could be counted: one.
  for (const std::string group : {"7", "[]", R"({"scopeSpans":7})", R"({"scopeSpans":[7]})",
                                  R"({"scopeSpans":[{"spans":{}}]})"}) {
    const ScanResult result =
        scan_json(Signal::kTraces, R"({"resourceSpans":[)" + good + "," + group + "]}");
    EXPECT_EQ(result.accepted, 2u) << group;
    EXPECT_EQ(result.rejected, 1u) << group;
  }
  // Nothing is left of such a request.
  EXPECT_THAT(error_of(Signal::kTraces, R"({"resourceSpans":7})"), HasSubstr("an array is due"));
}

TEST(Json, DeprecatedNamesAreCountedAndUnknownOnesWithoutItemsReported) {
  const std::string library = R"({"instrumentationLibrary":{"name":"l"},"spans":[)" + good_span() +
                              "," + good_span() + "]}";
  const ScanResult old =
      scan_json(Signal::kTraces, R"({"resourceSpans":[{"instrumentationLibrarySpans":[)" + library +
                                     "," + library + "]}]}");
  EXPECT_EQ(old.rejected, 4u);
  EXPECT_EQ(old.count(RejectReason::kDeprecatedField), 4u);
  EXPECT_EQ(
      scan_json(Signal::kLogs, R"({"resourceLogs":[{"instrumentationLibraryLogs":[{"logRecords":)"
                               R"([{},{}]}]}]})")
          .count(RejectReason::kDeprecatedField),
      2u);
  EXPECT_EQ(scan_json(Signal::kMetrics,
                      R"({"resourceMetrics":[{"instrumentationLibraryMetrics":[{"metrics":)"
                      R"([{"gauge":{"dataPoints":[{},{}]}}]}]}]})")
                .count(RejectReason::kDeprecatedField),
            2u);
  for (const std::string json : {R"({"resource_spans":[{"scope_spans":[{"spans":[{}]}]}]})",
                                 R"({"spans":[]})", R"({"resourceSpans":[{"scope_spans":[{}]}]})",
                                 R"({"resourceSpans":[{"scopeSpans":[{"Spans":[{}]}]}]})"}) {
    const ScanResult result = scan_json(Signal::kTraces, json);
    EXPECT_EQ(result.rejected, 1u) << json;
    EXPECT_EQ(result.count(RejectReason::kUnknownContent), 1u) << json;
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

}  // namespace
}  // namespace spanway::otlp
