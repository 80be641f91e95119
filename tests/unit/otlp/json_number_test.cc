#include "services/lib/otlp/json_number.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace spanway::otlp {
namespace {

struct Whole {
  const char* text;
  std::uint64_t magnitude;
  bool negative;
};

TEST(JsonNumber, WholeNumbersAreExact) {
  for (const Whole& example : {Whole{"0", 0, false},
                               {"-0", 0, false},
                               {"18446744073709551615", 18446744073709551615u, false},
                               {"-9223372036854775808", 9223372036854775808u, true},
                               {"9007199254740993", 9007199254740993u, false},
                               {"10.0", 10, false},
                               {"1.5e1", 15, false},
                               {"1e3", 1000, false},
                               {"1E+3", 1000, false},
                               {"12000e-3", 12, false},
                               {"1234567890123456789.0", 1234567890123456789u, false},
                               {"0.00001e5", 1, false},
                               {"0e999999999999999999", 0, false},
                               {"0.000e-7", 0, false}}) {
    WholeNumber number;
    EXPECT_EQ(parse_whole(example.text, number), NumberFault::kNone) << example.text;
    EXPECT_EQ(number.magnitude, example.magnitude) << example.text;
    EXPECT_EQ(number.negative, example.negative) << example.text;
  }
}

TEST(JsonNumber, FractionsAndLargeNumbersAreNoIntegers) {
  WholeNumber number;
  for (const char* text : {"0.5", "1.5", "15e-1", "1e-999999999999999999999", "1.00000000001"}) {
    EXPECT_EQ(parse_whole(text, number), NumberFault::kFraction) << text;
  }
  for (const char* text :
       {"18446744073709551616", "1e20", "1e999999999999999999999", "99999999999999999999999999"}) {
    EXPECT_EQ(parse_whole(text, number), NumberFault::kRange) << text;
  }
}

TEST(JsonNumber, DoublesRoundToNearest) {
  double value = 1;
  EXPECT_EQ(parse_double("0.1", value), NumberFault::kNone);
  EXPECT_EQ(value, 0.1);
  EXPECT_EQ(parse_double("1.7976931348623157e308", value), NumberFault::kNone);
  EXPECT_EQ(value, std::numeric_limits<double>::max());
  EXPECT_EQ(parse_double("5e-324", value), NumberFault::kNone);
  EXPECT_EQ(value, std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(parse_double("-0", value), NumberFault::kNone);
  EXPECT_TRUE(std::signbit(value));
}

TEST(JsonNumber, TooLargeForADoubleIsAFaultAndTooSmallIsZero) {
  double value = 1;
  for (const std::string& text : {std::string("1e400"), std::string("-1.8e308"),
                                  "1" + std::string(400, '0'), std::string("0.001e500")}) {
    EXPECT_EQ(parse_double(text, value), NumberFault::kRange) << text;
  }
  for (const std::string& text :
       {std::string("1e-400"), "0." + std::string(400, '0') + "1", std::string("100e-500")}) {
    value = 1;
    EXPECT_EQ(parse_double(text, value), NumberFault::kNone) << text;
    EXPECT_EQ(value, 0) << text;
  }
  EXPECT_EQ(parse_double("-1e-400", value), NumberFault::kNone);
  EXPECT_TRUE(std::signbit(value));
}

}  // namespace
}  // namespace spanway::otlp
