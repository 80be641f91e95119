// Compares the columns that a server has with those of the schema.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "services/lib/schema/table.h"

namespace spanway::schema {

// A row of system.columns.
struct ServerColumn {
  std::string table;
  std::string name;
  std::string type;
};

// One line for each table or column that is missing or has another type, empty when an INSERT into
// these tables fits. Columns that only the server has are no difference: an INSERT names its
// columns.
std::vector<std::string> differences(std::span<const Table> expected,
                                     std::span<const ServerColumn> actual);

}  // namespace spanway::schema
