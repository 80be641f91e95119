// `spanway-exporter compact`: joins the small objects of past hours in the destination's bucket.
#pragma once

#include <string>
#include <vector>

#include "services/exporter/config.h"

namespace spanway::exporter {

// One run; prints what it did. Returns the exit code, see compact_help(). Blocks.
std::string compact_help();
int compact_command(const ExporterConfig& config, const std::vector<std::string>& arguments);

}  // namespace spanway::exporter
