// Schedules of CronJobs, as Kubernetes reads them (github.com/robfig/cron, ParseStandard).
#pragma once

#include <string_view>

namespace spanway::api {

enum class CronProblem {
  kNone,
  kMalformed,  // Not five fields of lists, ranges and steps within the bounds of each.
  kReversed,   // A range that ends before it begins.
};
// Five fields, one space between two. Names of months and days in any case.
CronProblem cron_problem(std::string_view schedule);

// The same as an expression of RE2, but for kReversed.
extern const char* const kCronCel;

}  // namespace spanway::api
