// Empty objects whose names say which parts of a batch are stored:
//   <prefix>/v1/<folder of the table>/tenant=<t>/stored-parts/<batch>/<first>-<count>-<day>
// Internal to the sink.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/lib/objectstore/object_key.h"
#include "services/lib/sinks/stored_part.h"

namespace spanway::sinks {

// The folder of all batches of a tenant and table.
std::string stored_parts_folder(std::string_view prefix, objectstore::StoredTable table,
                                std::string_view tenant);
// The folder of one batch.
std::string stored_parts_folder(std::string_view prefix, objectstore::StoredTable table,
                                std::string_view tenant, std::string_view batch);
std::string stored_part_key(std::string_view prefix, std::string_view tenant,
                            const StoredPart& part);
// `key` is below the folder of `batch`; nothing for other objects.
std::optional<StoredPart> parse_stored_part(std::string_view key, objectstore::StoredTable table,
                                            const std::string& batch);

}  // namespace spanway::sinks
