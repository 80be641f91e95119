// The attributes of each row's resource, as columns of the row: a file needs no other object to be
// understood. Internal to the sink.
#pragma once

#include "services/lib/block/block.h"
#include "services/lib/otlp_blocks/request_blocks.h"

namespace spanway::sinks {

// Columns that a stored block has besides those of its table: LowCardinality(String) both.
inline constexpr const char* kResourceAttributesColumn = "resource_attributes";
inline constexpr const char* kResourceSchemaColumn = "resource_schema_url";

// Adds them to each data block, from the rows of `resources` among the dictionaries, which must
// have all resources of the request. The attributes are one JSON object in the form of
// otlp_blocks/value_json.h; "" without attributes.
void add_resource_columns(otlp_blocks::RequestBlocks& blocks);

}  // namespace spanway::sinks
