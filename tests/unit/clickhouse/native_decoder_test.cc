#include "services/lib/clickhouse/native_decoder.h"

#include <gtest/gtest.h>

#include <string>

#include "services/lib/block/column.h"
#include "services/lib/clickhouse/native_writer.h"

namespace spanway::clickhouse {
namespace {

std::string encoded(std::size_t rows, std::size_t text_bytes) {
  const block::Field fields[] = {{"n", block::parse_type("UInt64").value()},
                                 {"s", block::parse_type("String").value()}};
  block::Block block(fields);
  for (std::size_t row = 0; row < rows; ++row) {
    block.get<block::FixedColumn>("n").append(std::uint64_t{row});
    block.get<block::StringColumn>("s").append(std::string(text_bytes, 'x'));
  }
  Bytes bytes;
  append_native(block, bytes);
  return std::string(bytes.view());
}

TEST(NativeDecoder, GivesABlockWithItsLastByteAndNotBefore) {
  const std::string one = encoded(3, 5);
  NativeDecoder decoder(1u << 20);
  int blocks = 0;
  for (const char byte : one + one) {
    auto before = decoder.next();
    ASSERT_TRUE(before.ok());
    ASSERT_FALSE(before->has_value());
    decoder.append({&byte, 1});
    if (decoder.unread().empty()) continue;
    auto block = decoder.next();
    ASSERT_TRUE(block.ok()) << block.error().message;
    if (!block->has_value()) continue;
    EXPECT_EQ((*block)->rows(), 3u);
    EXPECT_EQ((*block)->get<block::StringColumn>("s").at(2), "xxxxx");
    ++blocks;
  }
  EXPECT_EQ(blocks, 2);
  EXPECT_TRUE(decoder.at_end());
}

TEST(NativeDecoder, RefusesABlockAboveItsBoundAndKeepsNoMoreThanThat) {
  const std::string large = encoded(1, 200'000);
  NativeDecoder decoder(100'000);
  Result<std::optional<block::Block>> block = std::optional<block::Block>();
  std::size_t given = 0;
  while (block.ok() && given < large.size()) {
    decoder.append(std::string_view(large).substr(given, 1000));
    given += 1000;
    block = decoder.next();
  }
  ASSERT_FALSE(block.ok());
  EXPECT_STREQ(block.error().reason, "block_too_large");
  EXPECT_LE(given, 102'000u);
}

TEST(NativeDecoder, ReadsALargeColumnThatComesInSmallPieces) {
  const std::string large = encoded(1000, 2000);
  NativeDecoder decoder(64u << 20);
  std::optional<block::Block> found;
  for (std::size_t at = 0; at < large.size(); at += 4096) {
    decoder.append(std::string_view(large).substr(at, 4096));
    auto block = decoder.next();
    ASSERT_TRUE(block.ok());
    if (block->has_value()) found = std::move(*block);
  }
  decoder.no_more();
  if (!found) found = std::move(decoder.next()).value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rows(), 1000u);
}

}  // namespace
}  // namespace spanway::clickhouse
