// `spanway-exporter migrate`: brings the destination's database to the newest schema.
#pragma once

#include <string>
#include <vector>

#include "services/exporter/config.h"

namespace spanway::exporter {

// [--dry-run]. Prints the files that were applied or, with --dry-run, the statements that would be.
// Returns the exit code: 0 done, 1 failed, 2 bad usage or a destination without a schema. Blocks.
int migrate_command(const ExporterConfig& config, const std::vector<std::string>& arguments);

}  // namespace spanway::exporter
