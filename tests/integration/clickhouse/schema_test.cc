#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "services/lib/block/text_view.h"
#include "services/lib/schema/cluster.h"
#include "services/lib/schema/difference.h"
#include "services/lib/schema/migrations.h"
#include "services/lib/schema/table.h"
#include "tests/integration/clickhouse/clickhouse_server.h"

namespace spanway::clickhouse {
namespace {

using schema::Migration;

std::vector<std::string> statements_of(const Migration& migration, std::string_view cluster) {
  auto statements = schema::render(migration, cluster);
  SPANWAY_CHECK(statements.ok());
  return std::move(statements).value();
}

std::vector<schema::ServerColumn> columns_of(BlockingClient& client) {
  std::vector<schema::ServerColumn> columns;
  const auto blocks = client.select(
      "SELECT table, name, type FROM system.columns WHERE database = currentDatabase()");
  SPANWAY_CHECK(blocks.ok());
  for (const block::Block& block : *blocks)
    for (std::size_t row = 0; row < block.rows(); ++row) {
      const auto text = [&](std::size_t column) {
        return std::string(*block::TextView::of(block.column(column))->at(row));
      };
      columns.push_back({text(0), text(1), text(2)});
    }
  return columns;
}

TEST(SchemaOnServer, EveryMigrationCreatesTheColumnsThatAreReadFromIt) {
  SPANWAY_NEEDS_CLICKHOUSE();
  auto* server = ClickHouseServer::shared();
  BlockingClient client(server->url(), server->database("schema_test"));
  for (int round = 0; round < 2; ++round)  // Executing a file again changes nothing.
    for (const Migration& migration : schema::migrations())
      for (const std::string& statement : statements_of(migration, "")) {
        const Status status = client.execute(statement);
        ASSERT_TRUE(status.ok()) << migration.name << ": " << status.error().message;
      }
  EXPECT_EQ(schema::differences(schema::tables(), columns_of(client)), std::vector<std::string>());

  ASSERT_TRUE(client.execute("ALTER TABLE spans MODIFY COLUMN flags UInt64").ok());
  ASSERT_TRUE(client.execute("ALTER TABLE logs DROP COLUMN event_name").ok());
  EXPECT_EQ(schema::differences(schema::tables(), columns_of(client)),
            (std::vector<std::string>{"column spans.flags is UInt64, expected UInt32",
                                      "column logs.event_name LowCardinality(String) is missing"}));
}

TEST(SchemaOnServer, TheServerParsesTheFormForAClusterToo) {
  SPANWAY_NEEDS_CLICKHOUSE();
  BlockingClient client(ClickHouseServer::shared()->url(), "default");
  for (const Migration& migration : schema::migrations())
    for (const std::string& statement : statements_of(migration, "main")) {
      const auto parsed = client.select("EXPLAIN AST " + statement);
      ASSERT_TRUE(parsed.ok()) << statement << ": " << parsed.error().message;
      EXPECT_FALSE(parsed->empty());
    }
  EXPECT_FALSE(client.select("EXPLAIN AST CREATE TABEL x").ok());
}

TEST(SchemaOnServer, AttributesAndTraceIdsAreFoundByTheirIndex) {
  SPANWAY_NEEDS_CLICKHOUSE();
  auto* server = ClickHouseServer::shared();
  BlockingClient client(server->url(), server->database("schema_index"));
  for (const Migration& migration : schema::migrations())
    for (const std::string& statement : statements_of(migration, ""))
      ASSERT_TRUE(client.execute(statement).ok());
  ASSERT_TRUE(
      client
          .execute("INSERT INTO spans (tenant, ts, trace_id, http_route, attr_str) SELECT 'a', "
                   "now64(9), toString(number), '/x', map('user.id', 'u1') FROM numbers(100)")
          .ok());
  const auto plan_of = [&](const std::string& condition) {
    std::string plan;
    const auto blocks =
        client.select("EXPLAIN indexes = 1 SELECT count() FROM spans WHERE " + condition);
    SPANWAY_CHECK(blocks.ok());
    for (const block::Block& block : *blocks)
      for (std::size_t row = 0; row < block.rows(); ++row)
        plan += std::string(*block::TextView::of(block.column(0))->at(row)) + "\n";
    return plan;
  };
  EXPECT_NE(plan_of("has(tokens, 'user.id=u1')").find("by_token"), std::string::npos);
  EXPECT_NE(plan_of("trace_id = '7'").find("by_trace"), std::string::npos);
  // A promoted attribute lies in its column, the second one of a span in a map.
  const auto route_is = [](const std::string& value) {
    return "(ifNull(http_route = '" + value + "', 0) OR has(tokens, 'http.route=" + value +
           "') AND (mapContains(attr_str, 'http.route') AND attr_str['http.route'] = '" + value +
           "'))";
  };
  EXPECT_NE(plan_of(route_is("/x")).find("Granules: 1/1"), std::string::npos);
  EXPECT_NE(plan_of(route_is("/none")).find("Granules: 0/1"), std::string::npos)
      << plan_of(route_is("/none"));
}

}  // namespace
}  // namespace spanway::clickhouse
