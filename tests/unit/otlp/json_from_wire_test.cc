// OTLP/JSON against libprotobuf's, in both directions.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "services/lib/base/base64.h"
#include "services/lib/otlp/json_text.h"
#include "services/lib/otlp/otlp_json.h"
#include "services/lib/otlp/wire.h"
#include "tests/unit/otlp/json_fixture.h"
#include "tests/unit/otlp/random_request.h"

namespace spanway::otlp {
namespace {

using google::protobuf::FieldDescriptor;
using testing::HasSubstr;

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
