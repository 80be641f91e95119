#include "services/lib/schema/sql_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::schema {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SqlReader, StatementsEndAtSemicolonsOutsideOfQuotesAndComments) {
  EXPECT_THAT(split_statements("A ';' -- x; y\n B ; /* c; */ C('\\';');\n;"),
              ElementsAre("A ';' \n B", "C('\\';')"));
  EXPECT_THAT(split_statements(" -- nothing\n"), IsEmpty());
}

TEST(SqlReader, ListsAreSplitAtTheTopLevelOnly) {
  EXPECT_THAT(split_list("a Map(K, V), b Enum8('x,y' = 1) , [c, d]"),
              ElementsAre("a Map(K, V)", "b Enum8('x,y' = 1)", "[c, d]"));
}

TEST(SqlReader, WhiteSpaceInQuotesIsKept) {
  EXPECT_EQ(without_space("Enum8('a b' = 0, 'c'=1)"), "Enum8('a b'=0,'c'=1)");
}

TEST(SqlReader, TakesWordsOnlyAsAWhole) {
  SqlReader reader("CREATE TABLE  IF NOT\nEXISTS spans (x)");
  EXPECT_FALSE(reader.take("CREATE VIEW"));
  EXPECT_FALSE(reader.take("CREATE TABLE IF NOT EX"));
  EXPECT_TRUE(reader.take("CREATE TABLE IF NOT EXISTS"));
  EXPECT_EQ(reader.word(), "spans");
  EXPECT_EQ(reader.parenthesised(), "x");
  EXPECT_EQ(reader.rest(), "");
}

TEST(SqlReader, ParenthesesInQuotesDoNotCount) {
  SqlReader reader("(a, ')', (b)) rest");
  EXPECT_EQ(reader.parenthesised(), "a, ')', (b)");
  EXPECT_EQ(reader.rest(), " rest");
  SqlReader open("(a, b");
  EXPECT_EQ(open.parenthesised(), "");
  EXPECT_EQ(open.rest(), "(a, b");
}

TEST(SqlReader, ATypeIncludesItsArguments) {
  SqlReader reader("Map(K, Array(V)) CODEC(ZSTD(1))");
  EXPECT_EQ(reader.type(), "Map(K, Array(V))");
  EXPECT_TRUE(reader.take("CODEC"));
}

}  // namespace
}  // namespace spanway::schema
