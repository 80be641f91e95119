// How the last run of an S3 exporter's `compact` went, read from its CronJob and pods: pure.
#pragma once

#include <vector>

#include "operator/decide/status.h"

namespace spanway::decide {

// How the last run of each CronJob ended. One that is under way changes nothing until it ends.
std::vector<CompactionView> observe_compactions(const std::vector<Json>& cron_jobs,
                                                const std::vector<Json>& pods);

}  // namespace spanway::decide
