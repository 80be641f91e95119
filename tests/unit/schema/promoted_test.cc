#include "services/lib/schema/promoted.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "services/lib/schema/migrations.h"
#include "services/lib/schema/table.h"

namespace spanway::schema {
namespace {

TEST(Promoted, EachKeyIsFoundAndNoOtherIs) {
  int index = 0;
  for (const PromotedAttribute& attribute : promoted_attributes())
    EXPECT_EQ(find_promoted(attribute.key), index++) << attribute.key;
  for (const char* key : {"", "a", "http.rout", "http.routes", "HTTP.ROUTE", "db.names", "db.nam",
                          "messaging.destination", "a key that is much longer than all of them"})
    EXPECT_EQ(find_promoted(key), -1) << key;
}

TEST(Promoted, EachHasAColumnOfItsTypeAndEachNullableColumnHasAKey) {
  const Table* spans = find_table("spans");
  ASSERT_NE(spans, nullptr);
  std::set<std::string> columns;
  for (const PromotedAttribute& attribute : promoted_attributes()) {
    const Column* column = spans->find(attribute.column);
    ASSERT_NE(column, nullptr) << attribute.column;
    columns.insert(column->name);
    if (attribute.kind == PromotedKind::kInteger) {
      EXPECT_EQ(column->type, "Nullable(Int64)") << attribute.key;
    } else {
      EXPECT_TRUE(column->type == "Nullable(String)" ||
                  column->type == "LowCardinality(Nullable(String))")
          << attribute.key;
    }
  }
  for (const Column& column : spans->columns) {
    if (column.type.find("Nullable(") != std::string::npos) {
      EXPECT_TRUE(columns.contains(column.name)) << column.name;
    }
  }
}

TEST(Promoted, TheTokensOfTheTextIndexAreThoseThatAreMarked) {
  std::string_view sql = migrations()[1].sql;
  sql = sql.substr(sql.find("tokens Array(String) ALIAS"));
  sql = sql.substr(0, sql.find("INDEX by_token"));
  for (const PromotedAttribute& attribute : promoted_attributes()) {
    const std::string token = "concat('" + std::string(attribute.key) + "=', ";
    EXPECT_EQ(sql.find(token) != std::string_view::npos, attribute.is_indexed) << attribute.key;
  }
}

TEST(Promoted, NothingFiltersInsideTheIndexedExpression) {
  for (const Migration& migration : migrations())
    EXPECT_EQ(migration.sql.find("arrayFilter"), std::string_view::npos) << migration.name;
}

}  // namespace
}  // namespace spanway::schema
