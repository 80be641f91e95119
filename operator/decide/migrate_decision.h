// The Job that creates and updates the tables of a ClickHouse exporter: when it runs, and whether
// the exporter may be rolled out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/decide/status.h"
#include "operator/render/render.h"

namespace spanway::decide {

struct MigrateJobDecision {
  SchemaView view;
  bool create = false;       // The Job is missing, or has no owner and is adopted.
  bool remove = false;       // It has failed and has waited long enough: the next one replaces it.
  Duration requeue_after{};  // When time alone changes this; 0 = never.
};
struct MigrateJobInput {
  const render::MigrateJob& desired;
  const std::optional<Json>& job;  // The live one of the same name.
  const std::vector<Json>& pods;   // All pods of the Pipeline.
  int failures = 1;                // Failed Jobs of this name in a row, this one included.
  std::string refused = {};        // Why the Job has no pod; "" = it is not known to be refused.
  // Why it must not be started now: a Secret is missing, an upgrade waits; "" = it may.
  std::string held = {};
  // The stored status of the Pipeline: pods of ended Jobs get lost. May be null.
  const Json* status = nullptr;
  SystemTime wall_now{};
};
// Pure.
MigrateJobDecision decide_migrate_job(const MigrateJobInput& input);

}  // namespace spanway::decide
