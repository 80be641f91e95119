#include "services/query/insight_config.h"

#include <type_traits>
#include <utility>

namespace spanway::query {
namespace {

constexpr double kSecond = 1000.0;
constexpr double kHour = 3'600 * kSecond;
constexpr double kMebi = 1024.0 * 1024.0;
constexpr double kMany = 1e9;

// A number that is not negative. Its bounds are those of `info`, or 1 and kMany.
template <typename Count>
void count_key(config::Binder& b, std::string_view name, Count& value, const char* doc,
               double min = 1, double max = kMany) {
  static_assert(std::is_unsigned_v<Count>);
  auto number = static_cast<std::int64_t>(value);
  b.key(name, number, {.doc = doc, .min = min, .max = max});
  value = static_cast<Count>(number);
}

void part_key(config::Binder& b, std::string_view name, double& value, const char* doc) {
  b.key(name, value, {.doc = doc, .min = 0, .max = 1});
}

}  // namespace

namespace insight {

// The binder finds these next to their types.
static void describe(config::Binder& b, WindowThresholds& c) {
  count_key(b, "windows", c.windows,
            "Windows that are compared with the baseline: the newest and those before it.", 1, 12);
  count_key(b, "conspicuous", c.windows_conspicuous,
            "So many of them have to be conspicuous, the newest among them.", 1, 12);
  part_key(b, "p_max", c.p_max, "Largest p-value of a conspicuous window.");
  part_key(b, "false_discovery_rate", c.false_discovery_rate,
           "Rate of false discoveries among all tests of a window.");
}

static void describe(config::Binder& b, LatencyThresholds& c) {
  b.key("growth_min", c.p95_growth_min,
        {.doc = "Growth of the 95th percentile, as a part of the baseline's.", .min = 0});
  count_key(b, "calls_min", c.calls_min, "Calls in a window; operations with fewer are left out.");
  count_key(b, "baseline_calls_min", c.baseline_calls_min, "Calls in a baseline.");
}

static void describe(config::Binder& b, ErrorRateThresholds& c) {
  part_key(b, "growth_min", c.growth_min, "Growth of the rate above the expected one.");
  count_key(b, "calls_min", c.calls_min, "Calls in a window; operations with fewer are left out.");
  count_key(b, "errors_min", c.errors_min, "Errors in a window.");
  b.key("deviations", c.deviations,
        {.doc = "Deviations of the baseline (1.4826 MAD) that are expected.", .min = 0});
  count_key(b, "baseline_calls_min", c.baseline_calls_min, "Calls in a baseline.");
}

static void describe(config::Binder& b, CallRateThresholds& c) {
  b.key("change_min", c.change_min,
        {.doc = "Change up or down, as a part of the baseline's median.", .min = 0});
  b.key("calls_min", c.calls_expected_min,
        {.doc = "Calls of a window that are expected, or for more calls those seen.", .min = 0});
  b.key("deviations", c.deviations,
        {.doc = "Deviations of the baseline (1.4826 MAD) that are expected.", .min = 0});
  count_key(b, "baseline_windows_min", c.baseline_windows_min, "Windows in a baseline.");
}

static void describe(config::Binder& b, NPlusOneThresholds& c) {
  count_key(b, "siblings_min", c.siblings_min, "Equal calls under one parent.", 2);
  part_key(b, "sequential_part_min", c.sequential_part_min,
           "Part of them that begin after all before them have ended.");
  count_key(b, "traces_min", c.traces_min, "Traces of a window that have it.");
}

static void describe(config::Binder& b, CriticalPathThresholds& c) {
  part_key(b, "part_min", c.part_min,
           "Part of the traces' time that one operation, which is not the root, has on the path.");
  count_key(b, "traces_min", c.traces_min, "Traces of a root in a window.");
}

static void describe(config::Binder& b, RelationThresholds& c) {
  count_key(b, "traces_min", c.traces_min, "Slow or failed traces that have the attribute.");
  b.key("log_odds_min", c.log_odds_min,
        {.doc = "Natural logarithm of the odds against those of other traces.", .min = 0});
  part_key(b, "false_discovery_rate", c.false_discovery_rate,
           "Rate of false discoveries among the attributes of an operation.");
  count_key(b, "results_max", c.results_max, "Findings of one operation.", 1, 100);
  part_key(b, "slow_quantile", c.slow_quantile,
           "A trace is slow beyond this quantile of its operation, where no day has been seen.");
  count_key(b, "tokens_max", c.tokens_max,
            "Attributes of one operation, with their values, that are compared.");
  count_key(b, "token_bytes_max", c.token_bytes_max, "Longest attribute that is compared.");
  b.key("symptom_keys", c.symptom_keys,
        {.doc = "Attributes that only state the failure once more; one that ends in \".\" is a "
                "prefix."});
}

static void describe(config::Binder& b, Thresholds& c) {
  b.section("windows", c.windows, "Latencies and rates.");
  b.section("latency_regression", c.latency, "Operations that have become slower.");
  b.section("error_rate", c.error_rate, "Operations that fail more often.");
  b.section("call_rate", c.call_rate, "Operations that are called more or less often.");
  b.section("n_plus_one", c.n_plus_one, "Calls made one by one in a loop.");
  b.section("critical_path", c.critical_path, "Operations that others wait for.");
  b.section("relation", c.relation, "Attributes of slow or failed traces.");
}

}  // namespace insight

void describe(config::Binder& b, InsightConfig& c) {
  b.key("enabled", c.enabled,
        {.doc = "Computes edges between services and findings from the spans, in windows of five "
                "minutes. With S3 it needs `tenants`."});
  b.key("interval", c.interval,
        {.doc = "Time between two checks for windows that are due.",
         .min = 100,
         .max = 300 * kSecond});
  b.key("delay", c.delay,
        {.doc = "From the end of a window to its first computation.", .min = 0, .max = kHour});
  b.key("final_delay", c.final_delay,
        {.doc = "From the end of a window to its second and last computation, with late spans.",
         .min = 0,
         .max = 24 * kHour});
  b.key("catch_up", c.catch_up,
        {.doc = "Windows that ended longer ago are not computed any more, after a pause.",
         .min = 300 * kSecond,
         .max = 24 * kHour});
  b.key("window_time", c.window_time,
        {.doc = "Longest time of one computation.", .min = kSecond, .max = 300 * kSecond});
  b.key(
      "traces", c.traces,
      {.doc = "Traces of a window that are read; of more, so many are chosen by a hash, and calls "
              "are extrapolated.",
       .min = 1,
       .max = 1'000'000});
  b.key("operations", c.operations,
        {.doc = "Operations whose latencies and rates are compared, those with most calls.",
         .min = 1,
         .max = 100'000});
  b.key("memory", c.memory,
        {.doc = "Memory for the traces of a window, and for one answer of the store, at most a "
                "quarter of what memory_limit leaves for queries; traces that do not fit are not "
                "read.",
         .min = kMebi,
         .max = 1e12});
  b.key("cache", c.cache,
        {.doc = "Memory for results that cannot be written to the store, at most an eighth of what "
                "memory_limit leaves for queries; the oldest are dropped.",
         .min = kMebi,
         .max = 1e12});
  b.key("tenants", c.tenants,
        {.doc = "Tenants whose spans are read, \"\" for spans without one; empty = all that have "
                "spans, which S3 cannot list."});
  b.key("tenants_max", c.tenants_max,
        {.doc = "Tenants that are read, the first by name.", .min = 1, .max = 10'000});
  b.key(
      "username", c.username,
      {.doc = "ClickHouse user that may INSERT into edges_5m, findings and insight_windows; empty "
              "= stores.clickhouse.username. Where it may not, results stay in this process."});
  b.key("password", c.password,
        {.doc = "Its password: refer to the environment or to a file; ${file:path} is read again "
                "every 5 s.",
         .example = "\"${env:INSIGHT_PASSWORD}\"",
         .reread = true});
  insight::describe(b, c.thresholds);
}

void validate(const InsightConfig& c, config::Problems& problems) {
  if (c.final_delay < c.delay)
    problems.add("insight.final_delay", "must not be shorter than insight.delay");
  if (c.catch_up < c.final_delay + std::chrono::minutes(5))
    problems.add("insight.catch_up",
                 "must be 5m longer than insight.final_delay: no window would become final");
  if (c.thresholds.windows.windows_conspicuous > c.thresholds.windows.windows)
    problems.add("insight.windows.conspicuous", "must not be above insight.windows.windows");
  if (c.username.empty() && !c.password.empty())
    problems.add("insight.password", "needs insight.username");
}

}  // namespace spanway::query
