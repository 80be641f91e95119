// An empty block with the columns of a table.
#pragma once

#include <string_view>

#include "services/lib/block/block.h"
#include "services/lib/schema/table.h"

namespace spanway::otlp_blocks {

// `name`: a table of our own schema whose types blocks can hold.
inline block::Block table_block(std::string_view name) {
  const schema::Table* table = schema::find_table(name);
  SPANWAY_CHECK(table != nullptr);
  const auto fields = table->insert_fields();
  SPANWAY_CHECK(fields.ok());
  return block::Block(*fields);
}

}  // namespace spanway::otlp_blocks
