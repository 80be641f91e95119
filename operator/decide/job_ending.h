// How a Job of ours went, read from the Job and its pods: pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/json/json.h"
#include "services/lib/base/clock.h"

namespace spanway::decide {

using kube::Json;

// The condition of the Job, when it is True; null otherwise. "Complete", "Failed".
const Json* job_condition(const Json& job, std::string_view type);
// Since when; nothing when the condition does not say so.
std::optional<SystemTime> condition_time(const Json& condition);

// Left by a Pipeline that was deleted with --cascade=orphan: applied again, it is adopted.
bool has_no_owner(const Json& job);

// The termination of the Job's own container in its newest pod. Others may have put containers
// beside it (a service mesh): they neither end a Job nor keep it from its end.
struct JobEnding {
  bool known = false;
  std::int64_t exit_code = 0;
  std::string message;
  std::string ended;  // When, as Kubernetes writes times.

  bool is_well() const { return known && exit_code == 0; }
};
JobEnding job_ending(const std::vector<Json>& pods, const std::string& job,
                     std::string_view container);
// The same of one pod.
JobEnding pod_ending(const Json& pod, std::string_view container);
// The last line of a message, at most 256 bytes: what people can do something with.
std::string last_line(const std::string& message);

// Why a pod of a Job whose own container has not ended is missing or does not run; "" = nothing is
// in its way. `refused`: why the API server refuses its pods, when it does.
std::string what_blocks_job(const std::string& job, std::string_view container,
                            const std::vector<Json>& pods, const std::string& refused,
                            SystemTime wall_now);

// The wait before a failed Job is started again: 30 s, doubling to 10 min. `failures` from 1 on.
Duration job_retry_wait(int failures);
inline constexpr Duration kJobRetryWaitMax = std::chrono::minutes(10);

}  // namespace spanway::decide
