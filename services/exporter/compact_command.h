// `spanway-exporter compact`: joins the small objects of past hours in the destination's bucket.
#pragma once

#include <string>
#include <vector>

#include "services/exporter/config.h"

namespace spanway::exporter {

// [--days N] [--rows N]. One run; prints what it did. Returns the exit code: 0 done, 1 failed, 2
// bad usage or a destination without objects. Blocks.
int compact_command(const ExporterConfig& config, const std::vector<std::string>& arguments);

}  // namespace spanway::exporter
