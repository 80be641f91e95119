#include "services/lib/logstreams/value_text.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/fakes/otlp_builder.h"

namespace spanway::logstreams {
namespace {

using otlp::ValueKind;

std::string text_of(otlp::ValueView value) {
  std::string text;
  append_text(value, text);
  return text;
}
std::string text_of(double number) {
  return text_of({.kind = ValueKind::kDouble, .number = number, .text = {}});
}

TEST(ValueText, WritesNumbersAsGoDoes) {
  EXPECT_EQ(text_of(0.0), "0");
  EXPECT_EQ(text_of(-0.5), "-0.5");
  EXPECT_EQ(text_of(1.0), "1");
  EXPECT_EQ(text_of(1e20), "100000000000000000000");
  EXPECT_EQ(text_of(123456789012345680000.0), "123456789012345680000");
  EXPECT_EQ(text_of(1e21), "1e+21");
  EXPECT_EQ(text_of(1.25e-7), "1.25e-7");
  EXPECT_EQ(text_of(0.000001), "0.000001");
  EXPECT_EQ(text_of(1234.5), "1234.5");
  EXPECT_EQ(text_of(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(text_of(std::numeric_limits<double>::infinity()), "Infinity");
}

TEST(ValueText, WritesSingleValues) {
  EXPECT_EQ(text_of(otlp::ValueView{}), "");
  EXPECT_EQ(text_of({.kind = ValueKind::kBool, .boolean = true, .text = {}}), "true");
  EXPECT_EQ(text_of({.kind = ValueKind::kInt, .integer = -7, .text = {}}), "-7");
  EXPECT_EQ(text_of({.kind = ValueKind::kBytes, .text = "ab"}), "YWI=");
  EXPECT_EQ(text_of({.kind = ValueKind::kString, .text = "<a>"}), "<a>");
}

TEST(ValueText, WritesListsAsJsonWithSortedKeys) {
  // An ArrayValue's and a KeyValueList's bytes.
  const std::string list = fakes::ProtoMessage()
                               .message(1, fakes::otlp_attribute("b", fakes::otlp_int(1)))
                               .message(1, fakes::otlp_attribute("a", "<\"\n\xe2\x80\xa8>"))
                               .encode();
  EXPECT_EQ(text_of({.kind = ValueKind::kKvlist, .text = list}),
            "{\"a\":\"<\\\"\\n\\u2028>\",\"b\":1}");
  const std::string array = fakes::ProtoMessage()
                                .message(1, fakes::otlp_string("x"))
                                .message(1, fakes::ProtoMessage())
                                .encode();
  EXPECT_EQ(text_of({.kind = ValueKind::kArray, .text = array}), "[\"x\",null]");
}

TEST(ValueText, IsEmptyForAListWithoutAFormInJson) {
  const std::string array =
      fakes::ProtoMessage()
          .message(1, fakes::ProtoMessage().real(4, std::numeric_limits<double>::quiet_NaN()))
          .encode();
  EXPECT_EQ(text_of({.kind = ValueKind::kArray, .text = array}), "");
}

}  // namespace
}  // namespace spanway::logstreams
