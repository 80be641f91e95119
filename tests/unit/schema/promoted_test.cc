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

// The columns of all bloom filters of spans, each as often as it is named.
std::multiset<std::string> filtered_columns() {
  std::multiset<std::string> columns;
  const std::string_view sql = migrations()[1].sql;
  for (std::size_t end = 0; (end = sql.find(" TYPE bloom_filter", end)) != std::string_view::npos;
       ++end) {
    std::string_view names = sql.substr(0, end);
    names.remove_prefix(names.rfind("INDEX by_") + 9);
    names.remove_prefix(names.find(' '));
    for (std::size_t begin;
         (begin = names.find_first_not_of(" (),\n")) != std::string_view::npos;) {
      names.remove_prefix(begin);
      const std::size_t length = std::min(names.find_first_of(" (),\n"), names.size());
      columns.emplace(names.substr(0, length));
      names.remove_prefix(length);
    }
  }
  return columns;
}

TEST(Promoted, EachColumnHasOneFilterAndNoneHasATokenInTheTextIndex) {
  const auto filtered = filtered_columns();
  EXPECT_EQ(filtered.count("trace_id"), 1u);
  std::string_view tokens = migrations()[1].sql;
  tokens = tokens.substr(tokens.find("tokens Array(String) ALIAS"));
  tokens = tokens.substr(0, tokens.find("INDEX by_token"));
  EXPECT_NE(tokens.find("attr_int"), std::string_view::npos);
  for (const PromotedAttribute& attribute : promoted_attributes()) {
    EXPECT_EQ(filtered.count(std::string(attribute.column)), 1u) << attribute.column;
    EXPECT_EQ(tokens.find(attribute.column), std::string_view::npos) << attribute.column;
  }
}

TEST(Promoted, NothingFiltersInsideTheIndexedExpression) {
  for (const Migration& migration : migrations())
    EXPECT_EQ(migration.sql.find("arrayFilter"), std::string_view::npos) << migration.name;
}

}  // namespace
}  // namespace spanway::schema
