#include "services/lib/schema/difference.h"

#include <map>
#include <string_view>

#include "services/lib/schema/sql_reader.h"

namespace spanway::schema {

std::vector<std::string> differences(std::span<const Table> expected,
                                     std::span<const ServerColumn> actual) {
  std::map<std::string_view, std::map<std::string_view, std::string_view>> by_table;
  for (const ServerColumn& column : actual) by_table[column.table][column.name] = column.type;

  std::vector<std::string> lines;
  for (const Table& table : expected) {
    const auto found = by_table.find(table.name);
    if (found == by_table.end()) {
      lines.push_back("table " + table.name + " is missing");
      continue;
    }
    for (const Column& column : table.columns) {
      const auto own = found->second.find(column.name);
      const std::string name = "column " + table.name + "." + column.name;
      if (own == found->second.end()) {
        lines.push_back(name + " " + column.type + " is missing");
      } else if (without_space(own->second) != column.type) {
        lines.push_back(name + " is " + std::string(own->second) + ", expected " + column.type);
      }
    }
  }
  return lines;
}

}  // namespace spanway::schema
