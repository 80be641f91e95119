// `spanway-exporter migrate`: brings the destination's database to the newest schema.
#pragma once

#include <string>
#include <vector>

#include "services/exporter/config.h"

namespace spanway::exporter {

// [--dry-run]. Prints the files that were applied or, with --dry-run, the statements that would be.
// Returns the exit code, see migrate_help(). Blocks.
std::string migrate_help();
int migrate_command(const ExporterConfig& config, const std::vector<std::string>& arguments);

}  // namespace spanway::exporter
