// How large the volume of a File destination may become.
#pragma once

#include <cstdint>
#include <optional>

#include "operator/json/json.h"

namespace spanway::render {

// From the rotation in the exporter's file, as the service itself reads it: all files that may lie
// there, and what waits to be written. Nothing when files are never put aside, so that no size is
// enough; of a file with mistakes, the size by the service's defaults.
std::optional<std::uint64_t> file_volume_bytes(const kube::Json& config);

}  // namespace spanway::render
