#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "services/lib/sinks/json_append.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

std::string quoted(std::string_view text) {
  Bytes out;
  append_json_string(out, text);
  return std::string(out.view());
}

// The value of a one-element kvlist, decoded from bytes as a destination meets it.
struct Decoded {
  explicit Decoded(const fakes::ProtoMessage& value)
      : bytes(fakes::ProtoMessage().message(1, fakes::otlp_attribute("k", value)).encode()),
        view(otlp::KvlistReader(bytes).next()->value) {}
  std::string bytes;
  otlp::ValueView view;
};

std::string as_json(const fakes::ProtoMessage& value) {
  const Decoded decoded(value);
  Bytes out;
  return append_json_value(out, decoded.view) ? std::string(out.view()) : "(refused)";
}
std::string as_text(const fakes::ProtoMessage& value) {
  const Decoded decoded(value);
  Bytes out;
  return append_text(out, decoded.view) ? std::string(out.view()) : "(refused)";
}

fakes::ProtoMessage otlp_bool(bool value) { return fakes::ProtoMessage().varint(2, value ? 1 : 0); }
fakes::ProtoMessage otlp_double(double value) { return fakes::ProtoMessage().real(4, value); }
fakes::ProtoMessage otlp_bytes(std::string_view value) {
  return fakes::ProtoMessage().bytes(7, value);
}

TEST(JsonText, EscapesWhatJsonDemands) {
  EXPECT_EQ(quoted(""), R"("")");
  EXPECT_EQ(quoted("plain"), R"("plain")");
  EXPECT_EQ(quoted("a\"b\\c\nd\re\tf"), R"("a\"b\\c\nd\re\tf")");
  EXPECT_EQ(quoted(std::string_view("\0\x01\x1f\x7f", 4)), "\"\\u0000\\u0001\\u001f\\u007f\"");
  EXPECT_EQ(quoted("grün €𝄞"), "\"grün €𝄞\"");
}

TEST(JsonText, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(quoted("a\xff"
                   "b"),
            "\"a\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(quoted("\xe2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");  // Cut short.
  EXPECT_EQ(quoted("\xc0\xaf"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");  // Overlong.
}

TEST(JsonText, WritesEveryKindOfValue) {
  EXPECT_EQ(as_json(fakes::otlp_string("x\"y")), R"("x\"y")");
  EXPECT_EQ(as_json(otlp_bool(true)), "true");
  EXPECT_EQ(as_json(fakes::otlp_int(std::numeric_limits<std::int64_t>::min())),
            "-9223372036854775808");
  EXPECT_EQ(as_json(otlp_double(0.1)), "0.1");
  EXPECT_EQ(as_json(otlp_double(std::nan(""))), R"("NaN")");
  EXPECT_EQ(as_json(otlp_double(-std::numeric_limits<double>::infinity())), R"("-Infinity")");
  EXPECT_EQ(as_json(fakes::ProtoMessage()), "null");
  EXPECT_EQ(as_json(fakes::otlp_array({})), "[]");
  EXPECT_EQ(as_json(fakes::otlp_array({fakes::otlp_int(1), fakes::otlp_string("b")})),
            R"([1,"b"])");
  EXPECT_EQ(as_json(fakes::otlp_kvlist({})), "{}");
  EXPECT_EQ(
      as_json(fakes::otlp_kvlist({fakes::otlp_attribute("a", fakes::otlp_array({otlp_bool(false)})),
                                  fakes::otlp_attribute("b", "c")})),
      R"({"a":[false],"b":"c"})");
}

TEST(JsonText, PadsBase64) {
  EXPECT_EQ(as_json(otlp_bytes("")), R"("")");
  EXPECT_EQ(as_json(otlp_bytes("f")), R"("Zg==")");
  EXPECT_EQ(as_json(otlp_bytes("fo")), R"("Zm8=")");
  EXPECT_EQ(as_json(otlp_bytes("foo")), R"("Zm9v")");
  EXPECT_EQ(as_json(otlp_bytes("\xfb\xff\xbf\x00")), R"("+/+/")");
}

TEST(JsonText, TextIsBareWhereJsonHasQuotes) {
  EXPECT_EQ(as_text(fakes::otlp_string("x\"y")), "x\"y");
  EXPECT_EQ(as_text(otlp_double(std::nan(""))), "NaN");
  EXPECT_EQ(as_text(otlp_bytes("foo")), "Zm9v");
  EXPECT_EQ(as_text(fakes::ProtoMessage()), "");
  EXPECT_EQ(as_text(fakes::otlp_array({fakes::otlp_string("a")})), R"(["a"])");
}

TEST(JsonText, RefusesWhatIsNestedTooDeepOrBroken) {
  fakes::ProtoMessage deep = fakes::otlp_int(1);
  for (int i = 0; i < 31; ++i) deep = fakes::otlp_array({deep});
  EXPECT_NE(as_json(deep), "(refused)");
  EXPECT_EQ(as_json(fakes::otlp_array({deep})), "(refused)");
  EXPECT_EQ(as_json(fakes::ProtoMessage().bytes(5, "\x0a\x7f")), "(refused)");
  EXPECT_EQ(as_json(fakes::ProtoMessage().bytes(6, "\x0a\x7f")), "(refused)");
}

TEST(JsonText, WritesHexInLowerCase) {
  Bytes out;
  append_hex(out, "\x01\xaf\xff");
  EXPECT_EQ(out.view(), "01afff");
}

}  // namespace
}  // namespace spanway::sinks
