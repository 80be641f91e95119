#include "services/lib/otlp/value_json.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/fakes/otlp_builder.h"

namespace spanway::otlp {
namespace {

using fakes::ProtoMessage;

// `value` as the attribute of a log record, through the reader, as JSON; "refused" when it is.
std::string json_of(const ProtoMessage& value) {
  const std::string request = fakes::otlp_request_of(
      {fakes::otlp_log_record("", {}, {}, {fakes::otlp_attribute("key", value)})});
  struct Visitor final : otlp::RequestVisitor {
    Status on_log(const otlp::LogView& log) override {
      if (!append_typed_json(log.attributes.front().value, json)) json = "refused";
      return {};
    }
    std::string json;
  } visitor;
  otlp::RequestReader reader;
  EXPECT_TRUE(reader.read(otlp::Signal::kLogs, request, visitor).ok());
  return visitor.json;
}
std::string json_of_double(double number) { return json_of(ProtoMessage().real(4, number)); }

TEST(ValueJson, KeepsTheTypeOfEachValue) {
  EXPECT_EQ(json_of(fakes::otlp_string("a \"b\"\n")), R"("a \"b\"\n")");
  EXPECT_EQ(json_of(fakes::otlp_int(-7)), "-7");
  EXPECT_EQ(json_of(fakes::otlp_int(std::numeric_limits<std::int64_t>::min())),
            "-9223372036854775808");
  EXPECT_EQ(json_of(ProtoMessage().varint(2, 1)), "true");
  EXPECT_EQ(json_of(ProtoMessage()), "null");
  EXPECT_EQ(json_of(ProtoMessage().bytes(7, "\xff\x01")), R"({"$bytes":"/wE="})");
}

TEST(ValueJson, ADoubleNeverReadsLikeAnInteger) {
  EXPECT_EQ(json_of_double(1), "1.0");
  EXPECT_EQ(json_of_double(-0.0), "-0.0");
  EXPECT_EQ(json_of_double(0.1), "0.1");
  EXPECT_EQ(json_of_double(1e300), "1e+300");
  EXPECT_EQ(json_of_double(std::numeric_limits<double>::infinity()), R"({"$double":"Infinity"})");
  EXPECT_EQ(json_of_double(-std::numeric_limits<double>::infinity()), R"({"$double":"-Infinity"})");
  EXPECT_EQ(json_of_double(std::numeric_limits<double>::quiet_NaN()), R"({"$double":"NaN"})");
}

TEST(ValueJson, ArraysAndListsNest) {
  EXPECT_EQ(json_of(fakes::otlp_array(
                {fakes::otlp_int(1), fakes::otlp_string("a"), fakes::otlp_array({})})),
            R"([1,"a",[]])");
  EXPECT_EQ(json_of(fakes::otlp_kvlist({fakes::otlp_attribute("a", "b"),
                                        fakes::otlp_attribute("c", fakes::otlp_kvlist({}))})),
            R"({"a":"b","c":{}})");
}

TEST(ValueJson, AKeyCannotPassForBytes) {
  EXPECT_EQ(json_of(fakes::otlp_kvlist({fakes::otlp_attribute("$bytes", "x")})),
            R"({"$$bytes":"x"})");
}

TEST(ValueJson, RefusesDeepNestingAndBrokenFraming) {
  ProtoMessage value = fakes::otlp_int(1);
  for (int i = 0; i < kValueDepthMax; ++i) value = fakes::otlp_array({value});
  EXPECT_NE(json_of(value), "refused");
  EXPECT_EQ(json_of(fakes::otlp_array({value})), "refused");
  EXPECT_EQ(json_of(ProtoMessage().bytes(5, "\x0a\x7f")), "refused");
  EXPECT_EQ(json_of(ProtoMessage().bytes(6, "\x0a\x7f")), "refused");
}

}  // namespace
}  // namespace spanway::otlp
