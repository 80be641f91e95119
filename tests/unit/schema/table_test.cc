#include "services/lib/schema/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/lib/schema/migrations.h"
#include "services/lib/schema/sql_reader.h"

namespace spanway::schema {
namespace {

using testing::ElementsAre;
using testing::IsSupersetOf;

std::vector<std::string> names(std::span<const Table> tables) {
  std::vector<std::string> all;
  for (const Table& table : tables) all.push_back(table.name);
  return all;
}

TEST(Migrations, AreNumberedFromZeroWithoutAGap) {
  std::uint32_t expected = 0;
  for (const Migration& migration : migrations()) {
    EXPECT_EQ(migration.version, expected++);
    EXPECT_EQ(migration.checksum.size(), 64u);
    EXPECT_FALSE(migration.sql.empty());
  }
  EXPECT_GE(expected, 4u);
  EXPECT_EQ(migrations().front().name, "000_schema_version.sql");
}

TEST(Tables, AreReadFromTheEmbeddedFiles) {
  EXPECT_THAT(names(tables()),
              IsSupersetOf({"schema_version", "resources", "spans", "red_5m", "red_1h", "logs",
                            "log_streams", "series", "samples", "histograms", "exemplars",
                            "edges_5m", "findings", "attribute_keys"}));
  EXPECT_EQ(find_table("nothing"), nullptr);
}

TEST(Tables, NestedColumnsAreArraysAndAliasesAreNotInserted) {
  const Table* spans = find_table("spans");
  ASSERT_NE(spans, nullptr);
  EXPECT_EQ(spans->columns.size(), 62u);
  ASSERT_NE(spans->find("events.ts"), nullptr);
  EXPECT_EQ(spans->find("events.ts")->type, "Array(DateTime64(9))");
  EXPECT_TRUE(spans->find("tokens")->is_alias);
  EXPECT_EQ(spans->find("by_token"), nullptr);
  const auto fields = spans->insert_fields();
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(fields->size(), 61u);
  EXPECT_EQ(fields->front().name, "tenant");
}

TEST(Tables, EachTableThatNoViewFillsCanBeInsertedInto) {
  for (const Table& table : tables()) {
    if (!table.filled_from.empty()) continue;
    const auto fields = table.insert_fields();
    EXPECT_TRUE(fields.ok()) << fields.error().message;
  }
}

TEST(Tables, KnowWhichViewFillsThem) {
  EXPECT_EQ(find_table("red_5m")->filled_from, "spans");
  EXPECT_EQ(find_table("red_1h")->filled_from, "red_5m");
  EXPECT_EQ(find_table("samples_5m")->filled_from, "samples");
  EXPECT_EQ(find_table("samples_5m")->filled_by, "samples_5m_mv");
  EXPECT_EQ(find_table("spans")->filled_from, "");
}

TEST(Tables, EveryInsertedTableDeduplicatesWhereItsRowsDoNotReplaceEachOther) {
  for (const Migration& migration : migrations()) {
    for (const std::string& statement : split_statements(migration.sql)) {
      if (!statement.starts_with("CREATE TABLE")) continue;
      if (statement.find("ReplacingMergeTree") != std::string::npos) continue;
      if (statement.find("schema_version") != std::string::npos) continue;
      EXPECT_NE(statement.find("non_replicated_deduplication_window = 100000"), std::string::npos)
          << statement.substr(0, 80);
    }
  }
}

TEST(ReadTables, ATableMayHaveTheColumnsOfAnother) {
  const std::vector<std::string> statements = {
      "CREATE TABLE IF NOT EXISTS a (x UInt8, y String DEFAULT 'z, (') ENGINE = MergeTree",
      "CREATE TABLE IF NOT EXISTS b AS a ENGINE = MergeTree"};
  const auto read = read_tables(statements);
  ASSERT_TRUE(read.ok());
  EXPECT_THAT(names(*read), ElementsAre("a", "b"));
  EXPECT_EQ((*read)[1].columns.size(), 2u);
  EXPECT_EQ((*read)[1].columns[1].type, "String");
}

TEST(ReadTables, RefusesWhatItDoesNotUnderstand) {
  for (const std::string statement :
       {"DROP TABLE spans", "CREATE TABLE spans (x UInt8) ENGINE = MergeTree",
        "CREATE TABLE IF NOT EXISTS a AS unknown ENGINE = MergeTree",
        "CREATE TABLE IF NOT EXISTS a (x UInt8)",
        "CREATE MATERIALIZED VIEW IF NOT EXISTS v TO unknown AS SELECT 1 FROM a"}) {
    const std::vector<std::string> statements = {statement};
    EXPECT_FALSE(read_tables(statements).ok()) << statement;
  }
}

}  // namespace
}  // namespace spanway::schema
