#include "services/lib/schema/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/lib/schema/table.h"

namespace spanway::schema {
namespace {

using testing::ElementsAre;

Migration migration_of(std::string_view sql) { return {9, "009_test.sql", sql, "0"}; }

TEST(Cluster, OneServerExecutesTheFileAsItIs) {
  const auto statements = render(migration_of("A; B -- c\n;"), "");
  ASSERT_TRUE(statements.ok());
  EXPECT_THAT(*statements, ElementsAre("A", "B"));
}

TEST(Cluster, ATableBecomesAReplicatedAndADistributedOne) {
  const auto statements = render(
      migration_of("CREATE TABLE IF NOT EXISTS spans (x UInt8 CODEC(ZSTD(1))) ENGINE = MergeTree "
                   "ORDER BY x SETTINGS non_replicated_deduplication_window = 100000"),
      "main");
  ASSERT_TRUE(statements.ok());
  EXPECT_THAT(
      *statements,
      ElementsAre("CREATE TABLE IF NOT EXISTS spans_local ON CLUSTER 'main' (x UInt8 "
                  "CODEC(ZSTD(1))) ENGINE = "
                  "ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', "
                  "'{replica}') ORDER BY x SETTINGS replicated_deduplication_window = 100000, "
                  "replicated_deduplication_window_seconds = 604800",
                  "CREATE TABLE IF NOT EXISTS spans ON CLUSTER 'main' AS spans_local ENGINE = "
                  "Distributed('main', currentDatabase(), 'spans_local', cityHash64(trace_id))"));
}

TEST(Cluster, ArgumentsOfTheEngineAreKept) {
  const auto statements = render(
      migration_of("CREATE TABLE IF NOT EXISTS a AS b ENGINE = ReplacingMergeTree(v) ORDER BY x"),
      "c");
  ASSERT_TRUE(statements.ok());
  EXPECT_EQ(statements->front(),
            "CREATE TABLE IF NOT EXISTS a_local ON CLUSTER 'c' AS b_local ENGINE = "
            "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', "
            "'{replica}', v) ORDER BY x");
}

TEST(Cluster, AViewReadsAndWritesLocalTables) {
  const auto statements =
      render(migration_of("CREATE MATERIALIZED VIEW IF NOT EXISTS v TO b AS\nSELECT s.x AS x FROM "
                          "a AS s GROUP BY x"),
             "c");
  ASSERT_TRUE(statements.ok());
  EXPECT_THAT(*statements,
              ElementsAre("CREATE MATERIALIZED VIEW IF NOT EXISTS v ON CLUSTER 'c' TO b_local "
                          "AS\nSELECT s.x AS x FROM a_local AS s GROUP BY x"));
}

TEST(Cluster, EveryTableThatIsInsertedIntoHasAShardingKey) {
  for (const Table& table : tables())
    EXPECT_EQ(sharding_key(table.name).empty(), !table.filled_from.empty()) << table.name;
}

TEST(Cluster, EveryMigrationHasAClusterForm) {
  for (const Migration& migration : migrations()) {
    const auto statements = render(migration, "main");
    ASSERT_TRUE(statements.ok()) << statements.error().message;
    for (const std::string& statement : *statements)
      EXPECT_EQ(statement.find("non_replicated"), std::string::npos) << statement;
  }
}

TEST(Cluster, ANameCannotBreakOutOfItsQuotes) {
  const auto statements = render(migrations().front(), "main' SETTINGS x='");
  ASSERT_FALSE(statements.ok());
  EXPECT_EQ(statements.error().refusal, Refusal::kConfiguration);
}

}  // namespace
}  // namespace spanway::schema
