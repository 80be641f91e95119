// Empty objects whose names say which parts of a batch are stored:
//   <prefix>/v1/<signal>/tenant=<t>/stored-parts/<batch>/<first>-<count>-<day>
// Internal to the sink.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/lib/sinks/s3/stored_object.h"
#include "services/lib/sinks/stored_part.h"

namespace spanway::sinks {

// The folder of one batch, with its '/'.
std::string stored_parts_folder(const ObjectIdentity& identity, std::string_view batch);
std::string stored_part_key(const ObjectIdentity& identity, const StoredPart& part);
// `key` is below the folder of `batch`; nothing for other objects. `table` is not part of a name.
std::optional<StoredPart> parse_stored_part(std::string_view key, const std::string& batch);

}  // namespace spanway::sinks
