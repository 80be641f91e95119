#include "services/lib/parquet_file/codec_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/lib/block/text_view.h"
#include "services/lib/parquet_file/arrow/arrow_codec.h"

namespace spanway::parquet_file {
namespace {

using testing::AllOf;
using testing::HasSubstr;

block::Block names() {
  block::Block rows(std::vector<block::Field>{{"name", *block::parse_type("String")}});
  for (const char* name : {"a", "b", "a"}) rows.get<block::StringColumn>("name").append(name);
  return rows;
}

TEST(LoadCodec, TheSharedLibraryWritesTheSameBytesAndReadsThem) {
  const auto loaded = load_codec();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_NE(*loaded, &arrow_codec());  // Its own copy.
  auto bytes = (*loaded)->encode(names(), {});
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  EXPECT_EQ(bytes->view(), arrow_codec().encode(names(), {})->view());
  const auto file = (*loaded)->open(memory_source(std::move(*bytes)));
  ASSERT_TRUE(file.ok()) << file.error().message;
  const std::vector<block::Field> fields = {{"name", *block::parse_type("String")}};
  const auto rows = (*file)->read(0, fields);
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  EXPECT_EQ(block::TextView::of(*rows->find("name"))->at(1), "b");
}

TEST(LoadCodec, AMissingLibraryIsNamedWithWhereItBelongs) {
  const auto loaded = load_codec("libspanway_absent.so");
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().refusal, Refusal::kConfiguration);
  EXPECT_STREQ(loaded.error().reason, "parquet_library");
  EXPECT_THAT(loaded.error().message, AllOf(HasSubstr("libspanway_absent.so"), HasSubstr("lib")));
}

TEST(LoadCodec, AnotherLibraryIsRefused) {
  const auto loaded = load_codec("libz.so.1");
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.error().message, HasSubstr("not Spanway's library"));
}

}  // namespace
}  // namespace spanway::parquet_file
