#include "services/lib/block/type.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::block {
namespace {

TEST(Type, PrintsAsItWasDeclared) {
  for (const std::string text :
       {"Bool", "UInt8", "UInt128", "Int64", "Float64", "Date", "DateTime", "DateTime64(9)",
        "FixedString(16)", "String", "Nullable(Int64)", "LowCardinality(String)",
        "LowCardinality(Nullable(String))", "Array(DateTime64(9))", "Array(FixedString(8))",
        "Map(LowCardinality(String), Array(UInt64))", "Enum8('unset' = 0, 'it\\'s' = -3)"}) {
    const auto type = parse_type(text);
    ASSERT_TRUE(type.ok()) << text;
    EXPECT_EQ(to_string(*type), text);
  }
}

TEST(Type, TakesWhiteSpaceAsPeopleWriteIt) {
  const auto type = parse_type("Enum8('unset'=0,'ok'=1)");
  ASSERT_TRUE(type.ok());
  EXPECT_EQ(to_string(*type), "Enum8('unset' = 0, 'ok' = 1)");
  EXPECT_EQ(to_string(*parse_type("Map( String ,  String )")), "Map(String, String)");
}

TEST(Type, AnAggregateOfOneValueIsStoredAsTheValue) {
  EXPECT_EQ(to_string(*parse_type("SimpleAggregateFunction(sumMap, Map(Int16, UInt64))")),
            "Map(Int16, UInt64)");
}

TEST(Type, ATimeZoneChangesNothingThatIsStored) {
  EXPECT_EQ(*parse_type("DateTime64(9, 'UTC')"), *parse_type("DateTime64(9)"));
  EXPECT_EQ(*parse_type("DateTime('Europe/Berlin')"), *parse_type("DateTime"));
}

TEST(Type, RefusesWhatNoColumnHolds) {
  for (const std::string text :
       {"", "Decimal(9, 2)", "Strin", "String)", "FixedString(0)", "FixedString(x)",
        "FixedString(99999999)", "DateTime64(10)", "DateTime64", "Array()", "Map(String)",
        "LowCardinality(Int64)", "Nullable(Array(String))", "Nullable(LowCardinality(String))",
        "Enum8('a = 1)", "Enum8('a' = 300)", "AggregateFunction(argMin, Float64, DateTime)",
        "Tuple(String)", "String String"}) {
    const auto type = parse_type(text);
    ASSERT_FALSE(type.ok()) << text;
    EXPECT_STREQ(type.error().reason, "unsupported_type");
  }
}

TEST(Type, NestingFromOutsideIsBounded) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "Array(";
  EXPECT_FALSE(parse_type(text).ok());
}

TEST(Type, KnowsTheSizeOfFixedValues) {
  EXPECT_EQ(value_bytes(*parse_type("UInt128")), 16u);
  EXPECT_EQ(value_bytes(*parse_type("FixedString(8)")), 8u);
  EXPECT_EQ(value_bytes(*parse_type("Date")), 2u);
  EXPECT_EQ(value_bytes(*parse_type("String")), 0u);
}

}  // namespace
}  // namespace spanway::block
