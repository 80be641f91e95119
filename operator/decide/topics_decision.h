// The Job that creates or verifies the topics: its report, and when it must run again.
#pragma once

#include <optional>
#include <vector>

#include "operator/decide/status.h"
#include "operator/render/render.h"

namespace spanway::decide {

struct TopicsJobDecision {
  TopicsView view;
  bool create = false;  // The Job is desired and missing, or has no owner and is adopted.
  // It has failed, or its topics are gone, and has waited long enough: the next one takes its
  // place.
  bool remove = false;
  bool is_well = false;      // It has succeeded, and no pod misses a topic.
  Duration requeue_after{};  // When time alone changes this; 0 = never.
};
struct TopicsJobInput {
  const std::optional<render::Manifest>& desired;
  const std::optional<Json>& job;  // The live one of the same name.
  const std::vector<Json>& pods;   // All pods of the Pipeline.
  const Json& status;        // The stored status of the Pipeline: pods of ended Jobs get lost.
  int failures = 0;          // Failed Jobs in a row, also of those whose topics were gone again.
  std::string refused = {};  // Why the Job has no pod; "" = it is not known to be refused.
  bool missing = false;      // Pods report a topic that does not exist.
  std::string weaker = {};   // weaker_topic(): what a bridge has found since.
  SystemTime wall_now{};
};
// Pure. A failed Job, or one whose topics pods miss, runs again after job_retry_wait(); a topic
// that promises less than desired is verified again every 10 min: only its owner can change it.
// One that bridges find weaker later makes the Job run again at once, and then every 10 min: a
// manager that lowers it each time is not answered more often.
TopicsJobDecision decide_topics_job(const TopicsJobInput& input);

}  // namespace spanway::decide
