#include "services/lib/block/text_view.h"

#include <gtest/gtest.h>

#include "services/lib/block/dictionary_column.h"

namespace spanway::block {
namespace {

Type type_of(std::string_view text) { return parse_type(text).value(); }

TEST(TextView, ReadsTextsOfEveryForm) {
  StringColumn strings;
  strings.append("a");
  EXPECT_EQ(TextView::of(strings)->at(0), "a");

  FixedColumn fixed(type_of("FixedString(2)"));
  fixed.append_text("xy");
  EXPECT_EQ(TextView::of(fixed)->at(0), "xy");

  DictionaryColumn dictionary(type_of("LowCardinality(Nullable(String))"));
  dictionary.append_null();
  dictionary.append("d");
  EXPECT_EQ(TextView::of(dictionary)->at(0), std::nullopt);
  EXPECT_EQ(TextView::of(dictionary)->at(1), "d");

  NullableColumn nullable(type_of("Nullable(String)"));
  nullable.append_null();
  static_cast<StringColumn&>(nullable.append_value()).append("n");
  EXPECT_EQ(TextView::of(nullable)->at(0), std::nullopt);
  EXPECT_EQ(TextView::of(nullable)->at(1), "n");
  EXPECT_EQ(TextView::of(nullable)->rows(), 2u);
}

TEST(TextView, NumbersAreNoTexts) {
  EXPECT_FALSE(TextView::of(FixedColumn(type_of("Int64"))).has_value());
  EXPECT_FALSE(TextView::of(*make_column(type_of("Array(String)"))).has_value());
  EXPECT_FALSE(TextView::of(*make_column(type_of("Nullable(Int64)"))).has_value());
}

}  // namespace
}  // namespace spanway::block
