#include "services/lib/block/copy_rows.h"

#include <gtest/gtest.h>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/block/text_view.h"

namespace spanway::block {
namespace {

TEST(CopyRows, CopiesEveryKindOfColumn) {
  const Field fields[] = {{"f", parse_type("FixedString(2)").value()},
                          {"s", parse_type("String").value()},
                          {"l", parse_type("LowCardinality(Nullable(String))").value()},
                          {"n", parse_type("Nullable(Int64)").value()},
                          {"m", parse_type("Map(LowCardinality(String), String)").value()}};
  Block from(fields);
  for (int row = 0; row < 2; ++row) {
    from.get<FixedColumn>("f").append_text(row == 0 ? "ab" : "cd");
    from.get<StringColumn>("s").append(row == 0 ? "" : "text");
    row == 0 ? from.get<DictionaryColumn>("l").append_null()
             : from.get<DictionaryColumn>("l").append("word");
    row == 0 ? from.get<NullableColumn>("n").append_null()
             : from.get<NullableColumn>("n").append(std::int64_t{7});
    auto& map = from.get<ListColumn>("m");
    for (int i = 0; i < row; ++i) {
      static_cast<DictionaryColumn&>(map.nested(0)).append("key");
      static_cast<StringColumn&>(map.nested(1)).append("value");
    }
    map.close_row();
  }
  Block to = empty_like(from);
  append_row(from, 1, to);
  append_row(from, 0, to);
  ASSERT_TRUE(to.check().ok());
  ASSERT_EQ(to.rows(), 2u);
  EXPECT_EQ(to.get<FixedColumn>("f").bytes(), "cdab");
  EXPECT_EQ(to.get<StringColumn>("s").at(0), "text");
  EXPECT_EQ(to.get<DictionaryColumn>("l").at(0), "word");
  EXPECT_EQ(to.get<DictionaryColumn>("l").at(1), std::nullopt);
  EXPECT_TRUE(to.get<NullableColumn>("n").is_null(1));
  EXPECT_FALSE(to.get<NullableColumn>("n").is_null(0));
  EXPECT_EQ(TextView::of(to.get<ListColumn>("m").nested(1))->at(0), "value");
  EXPECT_EQ(to.get<ListColumn>("m").end_of(1), 1u);
}

}  // namespace
}  // namespace spanway::block
