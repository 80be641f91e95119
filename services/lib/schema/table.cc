#include "services/lib/schema/table.h"

#include <utility>

#include "services/lib/schema/migrations.h"
#include "services/lib/schema/sql_reader.h"

namespace spanway::schema {
namespace {

Error not_understood(std::string_view statement) {
  return invalid_argument("Cannot read the schema statement: " +
                          std::string(statement.substr(0, 120)));
}

// One element of a column list: a column, a Nested group of columns, or an index.
void read_element(std::string_view element, std::vector<Column>& columns) {
  SqlReader reader(element);
  const std::string_view name = reader.word();
  if (name == "INDEX") return;
  if (reader.take("Nested")) {
    for (const std::string_view nested : split_list(reader.parenthesised())) {
      SqlReader part(nested);
      const std::string_view field = part.word();
      columns.push_back({.name = std::string(name) + "." + std::string(field),
                         .type = "Array(" + without_space(part.type()) + ")"});
    }
    return;
  }
  Column column{.name = std::string(name), .type = without_space(reader.type())};
  column.is_alias = reader.take("ALIAS");
  columns.push_back(std::move(column));
}

Status read_create_table(SqlReader& reader, std::string_view statement,
                         std::vector<Table>& tables) {
  Table table{
      .name = std::string(reader.word()), .columns = {}, .filled_from = {}, .filled_by = {}};
  if (reader.take("AS")) {
    const std::string_view model = reader.word();
    for (const Table& other : tables)
      if (other.name == model) table.columns = other.columns;
  } else {
    for (const std::string_view element : split_list(reader.parenthesised()))
      read_element(element, table.columns);
  }
  if (table.name.empty() || table.columns.empty() || !reader.take("ENGINE"))
    return not_understood(statement);
  tables.push_back(std::move(table));
  return {};
}

Status read_create_view(SqlReader& reader, std::string_view statement, std::vector<Table>& tables) {
  const std::string_view view = reader.word();
  if (!reader.take("TO")) return not_understood(statement);
  const std::string_view target = reader.word();
  const std::string_view select = reader.rest();
  const std::size_t from = select.find("FROM ");
  for (Table& table : tables)
    if (table.name == target && from != std::string_view::npos) {
      table.filled_from = SqlReader(select.substr(from + 5)).word();
      table.filled_by = view;
      return {};
    }
  return not_understood(statement);
}

std::vector<Table> read_embedded() {
  std::vector<std::string> statements;
  for (const Migration& migration : migrations())
    for (std::string& statement : split_statements(migration.sql))
      statements.push_back(std::move(statement));
  auto tables = read_tables(statements);
  SPANWAY_CHECK(tables.ok());  // Our own files; their test reads them first.
  return std::move(tables).value();
}

}  // namespace

const Column* Table::find(std::string_view column) const noexcept {
  for (const Column& own : columns)
    if (own.name == column) return &own;
  return nullptr;
}

Result<std::vector<block::Field>> Table::insert_fields() const {
  std::vector<block::Field> fields;
  for (const Column& column : columns) {
    if (column.is_alias) continue;
    auto type = block::parse_type(column.type);
    if (!type.ok()) return std::move(type).error().with_context(name + "." + column.name);
    fields.push_back({column.name, std::move(type).value()});
  }
  return fields;
}

Result<std::vector<Table>> read_tables(std::span<const std::string> statements) {
  std::vector<Table> tables;
  for (const std::string& statement : statements) {
    SqlReader reader(statement);
    if (reader.take("CREATE TABLE IF NOT EXISTS")) {
      SPANWAY_TRY(read_create_table(reader, statement, tables));
    } else if (reader.take("CREATE MATERIALIZED VIEW IF NOT EXISTS")) {
      SPANWAY_TRY(read_create_view(reader, statement, tables));
    } else {
      return not_understood(statement);
    }
  }
  return tables;
}

std::span<const Table> tables() {
  static const std::vector<Table> all = read_embedded();
  return all;
}

const Table* find_table(std::string_view name) noexcept {
  for (const Table& table : tables())
    if (table.name == name) return &table;
  return nullptr;
}

}  // namespace spanway::schema
