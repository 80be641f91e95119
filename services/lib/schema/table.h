// Tables and their columns, read from the embedded SQL: the SQL is their only declaration.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"

namespace spanway::schema {

struct Column {
  std::string name;
  std::string type;       // As declared, without white space.
  bool is_alias = false;  // Computed by the server: never inserted.
};

struct Table {
  std::string name;
  std::vector<Column> columns;  // Nested columns are flattened: "events.ts", Array(...).
  // Name of the materialized view's source when a view fills the table; else empty.
  std::string filled_from;
  std::string filled_by;  // That view's name.

  const Column* find(std::string_view column) const noexcept;
  // All columns that an INSERT names. INTERNAL when a type is none that blocks hold, as in tables
  // that views fill.
  Result<std::vector<block::Field>> insert_fields() const;
};

// All tables, in the order of the files. Built once; thread-safe.
std::span<const Table> tables();
// Null when there is no such table.
const Table* find_table(std::string_view name) noexcept;

// The tables that these statements create; INVALID_ARGUMENT when one is not understood.
Result<std::vector<Table>> read_tables(std::span<const std::string> statements);

}  // namespace spanway::schema
