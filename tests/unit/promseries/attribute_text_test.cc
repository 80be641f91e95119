#include "services/lib/promseries/attribute_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/fakes/otlp_builder.h"

namespace spanway::promseries {
namespace {

using otlp::ValueKind;
using otlp::ValueView;

std::string text(const ValueView& value) {
  std::string out;
  append_text(value, out);
  return out;
}
std::string number(double value) {
  return text({.kind = ValueKind::kDouble, .number = value, .text = {}});
}

TEST(AttributeText, Scalars) {
  EXPECT_EQ(text({}), "");
  EXPECT_EQ(text({.kind = ValueKind::kBool, .boolean = true, .text = {}}), "true");
  EXPECT_EQ(text({.kind = ValueKind::kInt, .integer = -7, .text = {}}), "-7");
  EXPECT_EQ(text({.kind = ValueKind::kBytes, .text = "ab"}), "YWI=");
}

TEST(AttributeText, NumbersAreThoseOfEcmaScript) {
  EXPECT_EQ(number(1), "1");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(1e20), "100000000000000000000");
  EXPECT_EQ(number(123456789012345678901.0), "123456789012345680000");
  EXPECT_EQ(number(1e21), "1e+21");
  EXPECT_EQ(number(1e-7), "1e-7");
  EXPECT_EQ(number(1.5e-10), "1.5e-10");
  EXPECT_EQ(number(std::nan("")), "NaN");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity()), "-Infinity");
}

TEST(AttributeText, ListsAndMapsAreJson) {
  const std::string list = fakes::ProtoMessage()
                               .message(1, fakes::otlp_string("a\"b"))
                               .message(1, fakes::otlp_int(2))
                               .encode();
  EXPECT_EQ(text({.kind = ValueKind::kArray, .text = list}), "[\"a\\\"b\",2]");
  const std::string map = fakes::ProtoMessage()
                              .message(1, fakes::otlp_attribute("z", "1"))
                              .message(1, fakes::otlp_attribute("a", fakes::otlp_int(2)))
                              .encode();
  EXPECT_EQ(text({.kind = ValueKind::kKvlist, .text = map}), "{\"a\":2,\"z\":\"1\"}");
  EXPECT_EQ(text({.kind = ValueKind::kArray, .text = "\x0a\x7f"}), "");
}

}  // namespace
}  // namespace spanway::promseries
