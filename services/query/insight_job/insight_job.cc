#include "services/query/insight_job/insight_job.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace spanway::query {
namespace {

std::int64_t nanos(Duration duration) { return std::chrono::nanoseconds(duration).count(); }

std::int64_t rounded_down(std::int64_t time) { return time - time % kRollupNanos; }

// Another window may pass: this one was too large, or its spans cannot be read.
bool is_of_window(const Error& error) noexcept {
  return error.code == Code::kDeadlineExceeded || error.refusal == Refusal::kData;
}

}  // namespace

InsightJob::InsightJob(InsightJobOptions options, Parts parts)
    : options_(std::move(options)), parts_(std::move(parts)) {}

std::int64_t InsightJob::now_unix_nano() const {
  return parts_.clock.system_now().time_since_epoch().count();
}

QueryContext InsightJob::context_of(const std::string& tenant) const {
  QueryContext context;
  context.tenant = tenant;
  context.deadline = Deadline::after(parts_.clock, options_.window_time);
  context.clock = &parts_.clock;
  context.budget.rows_max = options_.limits.rows_max;
  context.budget.bytes_max = options_.limits.bytes_max;
  context.budget.store_memory_max = options_.limits.store_memory_max;
  context.budget.spans_max = options_.limits.spans_max;
  context.budget.memory_max = options_.memory_bytes_max;
  context.budget.memory = parts_.budget.empty_permit();
  context.budget.reading = parts_.budget.empty_permit();
  context.cancel = cancel_;
  return context;
}

TimeRange InsightJob::windows_in_reach(std::int64_t now) const {
  const std::int64_t closed = rounded_down(now - nanos(options_.delay));
  return {rounded_down(closed - nanos(options_.catch_up)), closed};
}

WindowVersion InsightJob::version_at(std::int64_t begin, std::int64_t now) const {
  return now >= begin + kRollupNanos + nanos(options_.final_delay) ? WindowVersion::kFinal
                                                                   : WindowVersion::kPreliminary;
}

Result<std::vector<InsightJob::Due>> InsightJob::find_due(const std::vector<std::string>& tenants,
                                                          std::int64_t now) {
  const TimeRange reach = windows_in_reach(now);
  std::vector<Due> due;
  for (const std::string& tenant : tenants) {
    QueryContext context = context_of(tenant);
    SPANWAY_ASSIGN(const auto states, parts_.results.windows(reach, context));
    std::map<std::int64_t, WindowVersion> computed;
    for (const WindowState& state : states) computed[state.begin_unix_nano] = state.version;
    for (std::int64_t begin = reach.begin; begin < reach.end; begin += kRollupNanos) {
      const Due one{begin, tenant, version_at(begin, now)};
      const auto found = computed.find(begin);
      if (found != computed.end() && found->second >= one.version) continue;
      const auto attempts = attempts_.find(one.key());
      if (attempts == attempts_.end() || attempts->second < kAttemptsMax) due.push_back(one);
    }
  }
  std::stable_sort(due.begin(), due.end(), [](const Due& a, const Due& b) {
    return a.begin_unix_nano > b.begin_unix_nano;
  });
  return due;
}

Result<bool> InsightJob::is_computed(const Due& due) {
  QueryContext context = context_of(due.tenant);
  SPANWAY_ASSIGN(const auto states,
                 parts_.results.windows({due.begin_unix_nano, due.begin_unix_nano + 1}, context));
  return std::any_of(states.begin(), states.end(),
                     [&](const WindowState& state) { return state.version >= due.version; });
}

Status InsightJob::compute(const Due& due) {
  QueryContext context = context_of(due.tenant);
  const SteadyTime begin = parts_.clock.now();
  auto result = compute_window(parts_.traces, due.begin_unix_nano, due.version, options_.thresholds,
                               options_.bounds, parts_.budget, context);
  context.budget.memory.shrink_to(0);
  Status status = result.ok() ? parts_.results.write(*result, context) : Status(result.error());
  if (cancel_.cancelled()) return status;
  if (status.ok()) {
    attempts_.erase(due.key());
    parts_.events.computed(parts_.clock.now() - begin, result->state.part);
    return {};
  }
  parts_.events.failed(due.begin_unix_nano, status.error());
  if (!is_of_window(status.error())) return status;
  if (++attempts_[due.key()] >= kAttemptsMax) parts_.events.given_up(due.begin_unix_nano);
  return {};
}

void InsightJob::run_due() {
  if (cancel_.cancelled()) return;
  const std::int64_t now = now_unix_nano();
  const TimeRange reach = windows_in_reach(now);
  std::erase_if(attempts_, [&](const auto& one) { return std::get<0>(one.first) < reach.begin; });
  QueryContext context = context_of("");
  auto tenants = parts_.tenants(reach, context);
  auto due = tenants.ok() ? find_due(*tenants, now) : Result<std::vector<Due>>(tenants.error());
  if (!due.ok()) {
    if (!cancel_.cancelled()) parts_.events.failed(reach.end, due.error());
    return;
  }
  std::optional<std::int64_t> oldest;
  const auto is_late = [&](const Due& one) {
    oldest = std::min(oldest.value_or(one.begin_unix_nano), one.begin_unix_nano);
  };
  for (auto one = due->begin(); one != due->end(); ++one) {
    // Another replica may have been faster.
    const auto computed = is_computed(*one);
    Status status = computed.ok() ? ok_status() : Status(computed.error());
    if (computed.ok() && !*computed) status = compute(*one);
    if (cancel_.cancelled()) return;
    if (status.ok()) continue;
    // The others would fail alike.
    std::for_each(one, due->end(), is_late);
    break;
  }
  for (const auto& [key, attempts] : attempts_)
    if (attempts < kAttemptsMax)
      oldest = std::min(oldest.value_or(std::get<0>(key)), std::get<0>(key));
  parts_.events.lag(oldest ? Duration(now - *oldest - kRollupNanos - nanos(options_.delay))
                           : Duration::zero());
  show(*tenants, now);
}

// The findings of each tenant's newest window, if it is no older than a window that is late by one.
void InsightJob::show(const std::vector<std::string>& tenants, std::int64_t now) {
  const std::int64_t end = windows_in_reach(now).end;
  const TimeRange recent{end - 3 * kRollupNanos, end};
  std::map<JobEvents::FindingLabels, std::size_t> counts;
  for (const std::string& tenant : tenants) {
    QueryContext context = context_of(tenant);
    const auto states = parts_.results.windows(recent, context);
    if (!states.ok()) return;
    if (states->empty()) continue;
    const std::int64_t newest = states->back().begin_unix_nano;
    const auto findings = parts_.results.findings({.range = {newest, newest + 1}}, context);
    if (!findings.ok()) return;
    for (const FindingRow& finding : *findings)
      ++counts[{.tenant = tenant, .kind = finding.kind, .service = finding.service}];
  }
  parts_.events.findings(counts);
}

}  // namespace spanway::query
