#include "services/query/insight_job/job_events.h"

#include <array>
#include <chrono>

#include "services/lib/base/rfc3339.h"

namespace spanway::query {
namespace {

using telemetry::LogLevel;
using telemetry::MetricKind;
using telemetry::MetricSpec;

constexpr MetricSpec kFinding = {"spanway_finding", MetricKind::kGauge,
                                 "Findings of the insight in the newest window, at most 500 "
                                 "series; further services count as \"\".",
                                 "tenant,kind,service"};
constexpr MetricSpec kWindows = {"spanway_insight_windows_total", MetricKind::kCounter,
                                 "Computations of a window by their result; given_up = failed so "
                                 "often that it is left out.",
                                 "result"};
constexpr MetricSpec kDuration = {"spanway_insight_window_duration_seconds", MetricKind::kHistogram,
                                  "Time to compute and write a window.", ""};
constexpr MetricSpec kLag = {"spanway_insight_lag_seconds", MetricKind::kGauge,
                             "Time since the oldest window without a result became due; 0 = none.",
                             ""};
constexpr MetricSpec kPart = {"spanway_insight_read_traces_ratio", MetricKind::kGauge,
                              "Part of the traces of the last window that was read.", ""};
constexpr MetricSpec kInMemory = {"spanway_insight_kept_in_memory_status", MetricKind::kGauge,
                                  "1 while results cannot be written to the store: they end with "
                                  "the process, and other replicas do not see them.",
                                  ""};
constexpr std::array kSpecs = {kFinding, kWindows, kDuration, kLag, kPart, kInMemory};

telemetry::Labels labels_of(const JobEvents::FindingLabels& finding) {
  return {{"tenant", finding.tenant}, {"kind", finding.kind}, {"service", finding.service}};
}

}  // namespace

std::span<const MetricSpec> insight_metric_specs() { return kSpecs; }

JobEvents::JobEvents(telemetry::Telemetry telemetry)
    : metrics_(telemetry.metrics), log_(telemetry.log) {
  computed_ = metrics_.counter(kWindows, {{"result", "computed"}});
  failed_ = metrics_.counter(kWindows, {{"result", "failed"}});
  given_up_ = metrics_.counter(kWindows, {{"result", "given_up"}});
  duration_ = metrics_.histogram(kDuration);
  lag_ = metrics_.gauge(kLag);
  part_ = metrics_.gauge(kPart);
  in_memory_ = metrics_.gauge(kInMemory);
}

void JobEvents::computed(Duration took, double part) {
  computed_.add();
  duration_.observe(std::chrono::duration<double>(took).count());
  part_.set(part);
}

void JobEvents::failed(std::int64_t begin_unix_nano, const Error& error) {
  failed_.add();
  log_.limited(LogLevel::kWarn, "insight.failed", "A window of the insight was not computed",
               {{"window", unix_nano_to_rfc3339(begin_unix_nano)},
                {"reason", error.reason},
                {"error", error.message}});
}

void JobEvents::given_up(std::int64_t begin_unix_nano) {
  given_up_.add();
  log_.limited(LogLevel::kWarn, "insight.given_up",
               "A window of the insight has failed repeatedly and is left out: the warnings before "
               "it name the error; raise insight.window_time or lower insight.traces",
               {{"window", unix_nano_to_rfc3339(begin_unix_nano)}});
}

void JobEvents::lag(Duration lag) { lag_.set(std::chrono::duration<double>(lag).count()); }

void JobEvents::findings(const std::map<FindingLabels, std::size_t>& counts) {
  std::map<FindingLabels, std::size_t> shown;
  for (const auto& [labels, count] : counts) {
    FindingLabels own = labels;
    if (shown.size() >= kSeriesMax) own = {.tenant = "", .kind = labels.kind, .service = ""};
    shown[own] += count;
  }
  for (const auto& [labels, count] : shown_)
    if (!shown.contains(labels)) metrics_.remove_gauge(kFinding, labels_of(labels));
  for (const auto& [labels, count] : shown)
    metrics_.gauge(kFinding, labels_of(labels)).set(static_cast<double>(count));
  shown_ = std::move(shown);
}

void JobEvents::kept_in_memory(const Status& written) {
  in_memory_.set(written.ok() ? 0 : 1);
  if (written.ok()) {
    log_.info("Results of the insight are written to the store");
    return;
  }
  log_.limited(LogLevel::kWarn, "insight.kept_in_memory",
               "Results of the insight cannot be written and are kept in this process: migrate the "
               "schema, and give insight.username the right to INSERT",
               {{"reason", written.error().reason}, {"error", written.error().message}});
}

}  // namespace spanway::query
