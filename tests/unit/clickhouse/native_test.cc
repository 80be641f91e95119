#include <gtest/gtest.h>

#include <random>
#include <string>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/clickhouse/native_reader.h"
#include "services/lib/clickhouse/native_writer.h"

namespace spanway::clickhouse {
namespace {

using block::Block;
using block::DictionaryColumn;
using block::Field;
using block::FixedColumn;
using block::ListColumn;
using block::NullableColumn;
using block::StringColumn;

Field field(const char* name, std::string_view type) {
  return {name, block::parse_type(type).value()};
}
std::string encoded(const Block& block) {
  Bytes bytes;
  append_native(block, bytes);
  return std::string(bytes.view());
}
std::string word(std::uint64_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// A block with a column of each form, two rows.
Block sample() {
  const Field fields[] = {field("id", "FixedString(2)"),
                          field("n", "Nullable(Int64)"),
                          field("s", "LowCardinality(Nullable(String))"),
                          field("m", "Map(LowCardinality(String), String)"),
                          field("a", "Array(LowCardinality(String))"),
                          field("k", "Enum8('a' = 0, 'b' = 1)"),
                          field("t", "String")};
  Block block(fields);
  for (int row = 0; row < 2; ++row) {
    block.get<FixedColumn>("id").append_text(row == 0 ? "xy" : "z");
    row == 0 ? block.get<NullableColumn>("n").append_null()
             : block.get<NullableColumn>("n").append(std::int64_t{-7});
    row == 0 ? block.get<DictionaryColumn>("s").append("")
             : block.get<DictionaryColumn>("s").append_null();
    block.get<FixedColumn>("k").append(static_cast<std::int8_t>(row));
    block.get<StringColumn>("t").append(row == 0 ? std::string(300, 'q') : "");
    auto& map = block.get<ListColumn>("m");
    for (int i = 0; i < row * 2; ++i) {
      static_cast<DictionaryColumn&>(map.nested(0)).append("key " + std::to_string(i));
      static_cast<StringColumn&>(map.nested(1)).append("value");
    }
    map.close_row();
    block.get<ListColumn>("a").close_row();
  }
  SPANWAY_CHECK(block.check().ok());
  return block;
}

TEST(Native, DictionariesAreWrittenAsTheServerReadsThem) {
  const Field fields[] = {field("a", "LowCardinality(String)"),
                          field("d", "Map(LowCardinality(String), LowCardinality(String))")};
  Block block(fields);
  block.get<DictionaryColumn>("a").append("x");
  auto& map = block.get<ListColumn>("d");
  static_cast<DictionaryColumn&>(map.nested(0)).append("x");
  static_cast<DictionaryColumn&>(map.nested(1)).append("y");
  map.close_row();
  const std::string one_key_of = word(0x600) + word(2) + std::string("\0\1", 2);
  EXPECT_EQ(encoded(block),
            "\x02\x01\x01"
            "a\x16"
            "LowCardinality(String)" +
                word(1) + one_key_of + "x" + word(1) + "\x01" +
                "\x01"
                "d\x33"
                "Map(LowCardinality(String), LowCardinality(String))" +
                word(1) + word(1) + word(1) + one_key_of + "x" + word(1) + "\x01" + one_key_of +
                "y" + word(1) + "\x01");
}

TEST(Native, ReadsWhatItWrites) {
  const Block block = sample();
  const std::string bytes = encoded(block);
  EXPECT_LE(bytes.size(), native_bytes_max(block));
  NativeReader reader(bytes);
  auto read = reader.next();
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_TRUE(read->has_value());
  EXPECT_TRUE((*read)->check().ok());
  EXPECT_EQ(encoded(**read), bytes);
  const auto end = reader.next();
  ASSERT_TRUE(end.ok());
  EXPECT_FALSE(end->has_value());
}

TEST(Native, IndexesOfLargeDictionariesAreWider) {
  for (const std::size_t distinct : {255u, 256u, 65'535u, 65'536u}) {
    const Field fields[] = {field("a", "LowCardinality(String)")};
    Block block(fields);
    for (std::size_t i = 0; i < distinct; ++i)
      block.get<DictionaryColumn>("a").append(std::to_string(i));
    const std::string bytes = encoded(block);
    EXPECT_LE(bytes.size(), native_bytes_max(block));
    NativeReader reader(bytes);
    auto read = reader.next();
    ASSERT_TRUE(read.ok());
    EXPECT_EQ((*read)->get<DictionaryColumn>("a").at(distinct - 1), std::to_string(distinct - 1));
  }
}

TEST(Native, ABlockWithoutRowsHasNamesOnly) {
  const Field fields[] = {field("a", "LowCardinality(String)"), field("m", "Map(String, String)")};
  const std::string bytes = encoded(Block(fields));
  NativeReader reader(bytes);
  auto read = reader.next();
  ASSERT_TRUE(read.ok());
  EXPECT_EQ((*read)->rows(), 0u);
  EXPECT_EQ((*read)->columns(), 2u);
  EXPECT_FALSE(reader.next()->has_value());
}

TEST(Native, AnAnswerThatEndsAnywhereWithinABlockIsRefused) {
  const std::string bytes = encoded(sample());
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    NativeReader reader(std::string_view(bytes).substr(0, size));
    const auto read = reader.next();
    ASSERT_FALSE(read.ok()) << size;
    EXPECT_EQ(read.error().refusal == Refusal::kData ||
                  std::string(read.error().reason) == "unsupported_type",
              true);
  }
}

TEST(Native, ChangedBytesAreReadOrRefusedAndTakeNoMemory) {
  const std::string bytes = encoded(sample());
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = bytes;
    for (int i = 0; i < 3; ++i) changed[random() % changed.size()] = static_cast<char>(random());
    NativeReader reader(changed);
    const auto read = reader.next();
    if (read.ok() && read->has_value()) {
      EXPECT_LT((*read)->memory_bytes(), 64 * bytes.size());
    }
  }
}

TEST(Native, SizesAreNotBelievedBeforeTheBytesCome) {
  const std::string huge("\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9);
  for (const std::string type : {"UInt64", "String", "Nullable(Int64)", "LowCardinality(String)",
                                 "Array(String)", "Map(String, UInt128)"}) {
    std::string bytes = "\x01" + huge +
                        "\x01"
                        "a";
    bytes += static_cast<char>(type.size());
    bytes += type + word(1) + word(0x600) + word(~std::uint64_t{0}) + word(~std::uint64_t{0});
    NativeReader reader(bytes);
    EXPECT_FALSE(reader.next().ok()) << type;
  }
}

TEST(Native, NamesTheColumnOfATypeThatBlocksDoNotHold) {
  NativeReader reader(
      std::string_view("\x01\x01\x01"
                       "c\x0b"
                       "Decimal(9,2)....",
                       20));
  const auto read = reader.next();
  ASSERT_FALSE(read.ok());
  EXPECT_STREQ(read.error().reason, "unsupported_type");
  EXPECT_NE(read.error().message.find("column c"), std::string::npos);
}

}  // namespace
}  // namespace spanway::clickhouse
