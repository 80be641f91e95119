#include "services/lib/block/column.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::block {
namespace {

Type type_of(std::string_view text) { return parse_type(text).value(); }

TEST(FixedColumn, KeepsNumbersInTheirSize) {
  FixedColumn column(type_of("Int32"));
  column.append(std::int32_t{-5});
  column.append_default();
  column.append(std::int32_t{7});
  const auto values = column.values<std::int32_t>();
  EXPECT_EQ(std::vector<std::int32_t>(values.begin(), values.end()),
            (std::vector<std::int32_t>{-5, 0, 7}));
  EXPECT_EQ(column.bytes().size(), 12u);
}

TEST(FixedColumn, FillsAndTruncatesTexts) {
  FixedColumn column(type_of("FixedString(4)"));
  column.append_text("ab");
  column.append_text("abcdef");
  column.append_text("");
  EXPECT_EQ(column.text_at(0), std::string_view("ab\0\0", 4));
  EXPECT_EQ(column.text_at(1), "abcd");
  EXPECT_EQ(column.text_at(2), std::string_view("\0\0\0\0", 4));
  EXPECT_EQ(column.rows(), 3u);
}

TEST(StringColumn, KeepsEmptyTextsAndZeroBytes) {
  StringColumn column;
  column.append("");
  column.append(std::string_view("a\0b", 3));
  column.open_row().append("in ");
  column.open_row().append("place");
  column.close_row();
  EXPECT_EQ(column.rows(), 3u);
  EXPECT_EQ(column.at(0), "");
  EXPECT_EQ(column.at(1), std::string_view("a\0b", 3));
  EXPECT_EQ(column.at(2), "in place");
}

TEST(NullableColumn, ANullHasADefaultBehindIt) {
  NullableColumn column(type_of("Nullable(Int64)"));
  column.append_null();
  column.append(std::int64_t{200});
  EXPECT_TRUE(column.is_null(0));
  EXPECT_FALSE(column.is_null(1));
  const auto values = static_cast<const FixedColumn&>(column.nested()).values<std::int64_t>();
  EXPECT_EQ(values[0], 0);
  EXPECT_EQ(values[1], 200);
}

TEST(ListColumn, RowsMayHaveAnyNumberOfElements) {
  ListColumn column(type_of("Map(String, UInt8)"));
  auto& keys = static_cast<StringColumn&>(column.nested(0));
  auto& values = static_cast<FixedColumn&>(column.nested(1));
  column.close_row();
  keys.append("a");
  values.append(std::uint8_t{1});
  keys.append("b");
  values.append(std::uint8_t{2});
  column.close_row();
  column.append_default();
  EXPECT_EQ(column.rows(), 3u);
  EXPECT_EQ(column.begin_of(1), 0u);
  EXPECT_EQ(column.end_of(1), 2u);
  EXPECT_EQ(column.begin_of(2), column.end_of(2));
}

TEST(Column, ClearForgetsTheRowsAndKeepsTheMemory) {
  for (const std::string text : {"UInt64", "String", "Nullable(Int64)", "LowCardinality(String)",
                                 "Array(String)", "Map(LowCardinality(String), Float64)"}) {
    const ColumnPtr column = make_column(type_of(text));
    for (int i = 0; i < 100; ++i) column->append_default();
    const std::size_t memory = column->memory_bytes();
    EXPECT_GT(memory, 0u) << text;
    column->clear();
    EXPECT_EQ(column->rows(), 0u) << text;
    EXPECT_EQ(column->memory_bytes(), memory) << text;
  }
}

}  // namespace
}  // namespace spanway::block
