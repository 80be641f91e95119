#include "services/lib/block/block.h"

#include <gtest/gtest.h>

#include "services/lib/block/dictionary_column.h"

namespace spanway::block {
namespace {

std::vector<Field> fields() {
  return {{"ts", parse_type("UInt64").value()},
          {"name", parse_type("LowCardinality(String)").value()},
          {"tags", parse_type("Map(String, Nullable(Int64))").value()}};
}

TEST(Block, HasAColumnForEachField) {
  Block block(fields());
  ASSERT_EQ(block.columns(), 3u);
  block.get<FixedColumn>("ts").append(std::uint64_t{1});
  block.get<DictionaryColumn>("name").append("a");
  block.get<ListColumn>("tags").close_row();
  EXPECT_EQ(block.rows(), 1u);
  EXPECT_TRUE(block.check().ok());
  EXPECT_EQ(block.find("nothing"), nullptr);
  EXPECT_GT(block.memory_bytes(), 0u);
  block.clear();
  EXPECT_EQ(block.rows(), 0u);
  EXPECT_TRUE(block.check().ok());
}

TEST(Block, NamesTheColumnThatHasOtherRows) {
  Block block(fields());
  block.get<FixedColumn>("ts").append(std::uint64_t{1});
  block.get<ListColumn>("tags").close_row();
  const Status status = block.check();
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("name"), std::string::npos);
}

TEST(Block, FindsAMapWhoseValuesDoNotMatchItsKeys) {
  Block block(fields());
  block.get<FixedColumn>("ts").append(std::uint64_t{1});
  block.get<DictionaryColumn>("name").append("a");
  auto& tags = block.get<ListColumn>("tags");
  static_cast<StringColumn&>(tags.nested(0)).append("key without a value");
  tags.close_row();
  EXPECT_FALSE(block.check().ok());
}

TEST(Block, ColumnsKeepTheirAddressWhenItIsMoved) {
  Block block(fields());
  const Column* column = block.find("name");
  const Block moved = std::move(block);
  EXPECT_EQ(moved.find("name"), column);
}

}  // namespace
}  // namespace spanway::block
