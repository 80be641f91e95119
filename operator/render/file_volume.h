// The size of the volume of a File destination.
#pragma once

#include <cstdint>
#include <optional>

#include "operator/json/json.h"

namespace spanway::render {

// From the rotation in the exporter's file, as the service reads it: all files together and the
// write buffer. nullopt without rotation, because no size is enough; for an invalid file, the size
// with the service's defaults.
std::optional<std::uint64_t> file_volume_bytes(const kube::Json& config);

}  // namespace spanway::render
