#include "services/lib/block/dictionary_column.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::block {
namespace {

Type plain() { return parse_type("LowCardinality(String)").value(); }
Type nullable() { return parse_type("LowCardinality(Nullable(String))").value(); }

TEST(DictionaryColumn, KeepsEachTextOnceInTheOrderOfAppearance) {
  DictionaryColumn column(plain());
  for (const char* text : {"b", "a", "b", "", "a"}) column.append(text);
  ASSERT_EQ(column.dictionary().rows(), 3u);
  EXPECT_EQ(column.dictionary().at(0), "");
  EXPECT_EQ(column.dictionary().at(1), "b");
  EXPECT_EQ(column.dictionary().at(2), "a");
  EXPECT_EQ(column.at(3), "");
  EXPECT_EQ(column.at(4), "a");
}

TEST(DictionaryColumn, NullAndTheEmptyTextDiffer) {
  DictionaryColumn column(nullable());
  column.append("");
  column.append_null();
  column.append("x");
  EXPECT_EQ(column.at(0), "");
  EXPECT_EQ(column.at(1), std::nullopt);
  EXPECT_EQ(column.at(2), "x");
}

TEST(DictionaryColumn, FindsEachOfManyTextsAgain) {
  DictionaryColumn column(plain());
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 5000; ++i) column.append("value " + std::to_string(i));
  EXPECT_EQ(column.dictionary().rows(), 5001u);
  for (std::size_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(column.at(i), "value " + std::to_string(i));
    ASSERT_EQ(column.indexes()[i], column.indexes()[i + 5000]);
  }
}

TEST(DictionaryColumn, StartsAfreshAfterClear) {
  DictionaryColumn column(plain());
  column.append("old");
  column.clear();
  column.append("new");
  EXPECT_EQ(column.dictionary().rows(), 2u);
  EXPECT_EQ(column.at(0), "new");
}

TEST(DictionaryColumn, TakesADecodedDictionary) {
  DictionaryColumn column(nullable());
  const std::string_view texts[] = {"", "", "x"};
  ASSERT_TRUE(column.assign(texts, {2, 0, 1}).ok());
  EXPECT_EQ(column.at(0), "x");
  EXPECT_EQ(column.at(1), std::nullopt);
  EXPECT_EQ(column.at(2), "");
}

TEST(DictionaryColumn, ADecodedDictionaryNeedNotBeginWithTheDefault) {
  DictionaryColumn column(plain());
  const std::string_view texts[] = {"x", "y"};
  ASSERT_TRUE(column.assign(texts, {1, 0}).ok());
  column.append_default();
  EXPECT_EQ(column.at(0), "y");
  EXPECT_EQ(column.at(1), "x");
  EXPECT_EQ(column.at(2), "");
}

TEST(DictionaryColumn, RefusesAnIndexWithoutAText) {
  DictionaryColumn column(plain());
  const std::string_view texts[] = {"x"};
  const Status status = column.assign(texts, {0, 1});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kData);
  EXPECT_EQ(column.rows(), 0u);
  EXPECT_FALSE(column.assign({}, {0}).ok());
  EXPECT_TRUE(column.assign({}, {}).ok());
}

}  // namespace
}  // namespace spanway::block
