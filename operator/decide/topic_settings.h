// Compares the settings of topics that bridges report with those of the spec: pure.
#pragma once

#include <string>
#include <vector>

#include "operator/api/pipeline.h"
#include "operator/decide/observation.h"
#include "operator/decide/traffic.h"

namespace spanway::decide {

// The first topic of the Pipeline that promises less than its spec, as `topics apply` compares it:
// "otel.traces: retention.ms is 60000, the spec requires 86400000; ...". "" = no pod reports one.
std::string weaker_topic(const api::Topics& topics, const std::vector<ComponentView>& components,
                         const Reports& reports);

// Bridges compare topics every 5 min and their reports are read every 30 s: until then a report may
// be older than a change of the topics Job.
inline constexpr Duration kTopicReportAge = std::chrono::minutes(6);

}  // namespace spanway::decide
