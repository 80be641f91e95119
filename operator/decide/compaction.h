// How the last run of an S3 exporter's `compact` went, read from its CronJob and pods: pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "operator/decide/status.h"

namespace spanway::decide {

// By exporter: when the pod of its newest good run was created. A container that others put beside
// ours (a service mesh) keeps a run from its end; its deadline then deletes the pod, and the
// CronJob counts no success.
using GoodRuns = std::map<std::string, std::string>;

// How the last run of each CronJob ended. One that is under way changes nothing until our container
// in it ends. `good_runs` is what the last call has left, for runs whose pods are gone: without it
// such a run counts as failed until the next one.
std::vector<CompactionView> observe_compactions(const std::vector<Json>& cron_jobs,
                                                const std::vector<Json>& pods, GoodRuns& good_runs);

}  // namespace spanway::decide
