#include "operator/decide/exporter_status.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "operator/decide/pod_health.h"
#include "operator/decide/traffic.h"
#include "operator/decide/wall_time.h"

namespace spanway::decide {
namespace {

using render::Role;

// The bucket while no consumer reports its lag any more.
constexpr std::string_view kLagUnknown = "unknown";
// From good to bad.
constexpr std::array<std::string_view, 6> kBuckets = {"<10s", "<1m", kLagUnknown,
                                                      "<10m", "<1h", ">1h"};
constexpr std::size_t kErrorBytesMax = 300;

// "http_503" -> "Http503"
std::string camel_case(std::string_view word) {
  std::string out;
  bool upper = true;
  for (const char c : word) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return out.empty() || std::isdigit(static_cast<unsigned char>(out[0])) != 0 ? "DestinationError"
                                                                              : out;
}

const ComponentView* find_view(const StatusInput& input, Role role, const std::string& exporter) {
  for (const ComponentView& view : input.components) {
    if (view.id.role == role && view.id.exporter == exporter) return &view;
  }
  return nullptr;
}

// The reports of one component's pods.
struct PodReports {
  std::size_t pods = 0;
  std::size_t polled = 0;
  std::vector<const StatuszReport*> answers;

  bool not_polled() const noexcept { return pods > 0 && polled == 0; }
};

PodReports collect_reports(const StatusInput& input, const ComponentView* view) {
  PodReports answers;
  if (view == nullptr) return answers;
  for (const PodView& pod : view->pods) {
    if (pod.deleting) continue;
    ++answers.pods;
    const auto report = input.reports.find(pod.name);
    if (report == input.reports.end()) continue;
    ++answers.polled;
    if (report->second.answered) answers.answers.push_back(&report->second);
  }
  return answers;
}

bool none_reaches_destination(const PodReports& answers) {
  bool any = false;
  for (const StatuszReport* report : answers.answers) {
    if (!report->has_destination) continue;
    if (report->destination_reachable) return false;
    any = true;
  }
  return any;
}

std::string stall_text(const StallReport& stall) {
  std::string text = stall.scope == "destination" || stall.scope.empty() ? "" : stall.scope + " ";
  if (!stall.signal.empty() && stall.scope != "destination") text += stall.signal + " ";
  if (!stall.tenant.empty()) text += "of tenant " + stall.tenant + " ";
  return text + (text.empty() ? "" : "stalls: ") +
         (stall.reason.empty() ? "the destination refuses" : stall.reason);
}

void take_error(const PodReports& answers, ExporterStatus& status) {
  for (const StatuszReport* report : answers.answers) {
    if (!status.error_message.empty()) return;
    for (const StallReport& stall : report->stalls) {
      status.error_reason = "Stalled";
      status.error_message = one_line(stall_text(stall), kErrorBytesMax);
      return;
    }
    for (const PartitionReport& partition : report->partitions) {
      if (!partition.stalled || partition.reason.empty()) continue;
      status.error_reason = "Stalled";
      status.error_message = one_line(partition.reason, kErrorBytesMax);
      return;
    }
    if (report->destination_error.empty() || report->destination_reachable) continue;
    status.error_reason = camel_case(report->destination_error_reason);
    status.error_message = one_line(report->destination_error, kErrorBytesMax);
  }
}

bool has_stalled_partition(const PodReports& consumers) {
  for (const StatuszReport* report : consumers.answers) {
    if (!report->stalls.empty()) return true;
    for (const PartitionReport& partition : report->partitions) {
      if (partition.stalled) return true;
    }
  }
  return false;
}

std::optional<double> worst_lag(const PodReports& consumers) {
  std::optional<double> worst;
  for (const StatuszReport* report : consumers.answers) {
    for (const PartitionReport& partition : report->partitions) {
      worst = std::max(worst.value_or(0), partition.lag_seconds);
    }
  }
  return worst;
}

// The next bucket after `before`.
std::string next_bucket(const std::string& before, const PodReports& consumers,
                        std::optional<double> lag) {
  const bool silent = consumers.polled > 0 && consumers.answers.empty();
  if (silent && !before.empty()) return std::string(kLagUnknown);
  if (!lag) return consumers.polled == 0 ? "" : before;
  std::string now = lag_bucket(*lag);
  if (bucket_rank(now) >= bucket_rank(before)) return now;
  // The pod that does not answer may be the one that lags.
  if (consumers.answers.size() < consumers.pods) return before;
  std::string careful = lag_bucket(*lag * kBucketLeaves);
  return bucket_rank(careful) < bucket_rank(before) ? careful : before;
}

const Json* stored(const Json& before, const std::string& name) {
  const Json* list = kube::find(before, "exporters");
  if (list == nullptr || !list->is_array()) return nullptr;
  for (const Json& one : *list) {
    if (kube::string_at(one, "name") == name) return &one;
  }
  return nullptr;
}

// Bounds the rate of changes: a value that was written within the last 30 s stays.
void limit_change_rate(ExporterStatus& status, const Json& before, const std::string& wall_now) {
  const std::string since = kube::string_at(before, "since");
  const std::string lag = kube::string_at(before, "lag");
  const std::string reason = kube::string_at(before, "lastError/reason");
  const std::string message = kube::string_at(before, "lastError/message");
  const bool error_wobbles = !reason.empty() && reason == status.error_reason;
  if (!may_move(since, wall_now)) {
    if (!lag.empty() && lag != kLagUnknown && !status.lag.empty()) status.lag = lag;
    if (error_wobbles) status.error_message = message;
  }
  const bool same =
      status.lag == lag && status.error_reason == reason && status.error_message == message;
  status.since = same && !since.empty() ? since : wall_now;
}

std::optional<ExporterStatus::Degraded> stored_degraded(const Json& before) {
  const Json* stored = kube::find(before, "degraded");
  if (stored == nullptr || !stored->is_object()) return std::nullopt;
  return ExporterStatus::Degraded{kube::string_at(*stored, "since"),
                                  kube::string_at(*stored, "reason"),
                                  kube::string_at(*stored, "message")};
}

// The text of a failing destination differs from try to try: it stays as long as the circuit is
// open for the same reason.
std::optional<ExporterStatus::Degraded> observe_degraded(const PodReports& senders,
                                                         const Json& before,
                                                         const std::string& wall_now) {
  std::optional<ExporterStatus::Degraded> stored = stored_degraded(before);
  std::size_t open = 0;
  const StatuszReport* first = nullptr;
  for (const StatuszReport* report : senders.answers) {
    if (!report->destination_degraded) continue;
    ++open;
    if (first == nullptr) first = report;
  }
  if (first == nullptr) {
    // A pod that does not answer has not recovered, and a circuit that opens and closes all the
    // time is written seldom.
    const bool stays = stored && (senders.answers.empty() || !may_move(stored->since, wall_now));
    return stays ? stored : std::nullopt;
  }
  std::string reason = first->destination_error_reason.empty()
                           ? "CircuitOpen"
                           : camel_case(first->destination_error_reason);
  if (stored && (stored->reason == reason || !may_move(stored->since, wall_now))) return stored;
  std::string message = "only probes are sent by " + std::to_string(open) + " of " +
                        std::to_string(senders.answers.size()) + " pods";
  if (!first->destination_error.empty()) message += ": " + first->destination_error;
  return ExporterStatus::Degraded{stored ? stored->since : wall_now, std::move(reason),
                                  one_line(message, kErrorBytesMax)};
}

std::string ready_text(const ComponentView* view) {
  if (view == nullptr) return "0/0";
  return std::to_string(view->stable.ready) + "/" + std::to_string(view->stable.replicas);
}

ExporterStatus observe_exporter(const StatusInput& input, const api::Exporter& exporter,
                                const Json& before) {
  static const Json kNothing = Json::object();
  const Json* known = stored(before, exporter.name);
  const Json& then = known == nullptr ? kNothing : *known;
  const ComponentView* view = find_view(input, Role::kExporter, exporter.name);
  const PodReports senders = collect_reports(input, view);
  const PodReports consumers =
      collect_reports(input, find_view(input, Role::kConsumer, exporter.name));

  ExporterStatus status;
  status.name = exporter.name;
  status.ready = ready_text(view);
  status.lag_seconds = worst_lag(consumers);
  // Without consumers nothing is sent, as when it is paused.
  const bool has_consumers = exporter.consumer.replicas > 0 || exporter.consumer.autoscaling;
  if (exporter.paused || !has_consumers) {
    status.state = "Paused";
    limit_change_rate(status, then, input.wall_now);
    return status;
  }
  if ((senders.not_polled() || consumers.not_polled()) && known != nullptr) {
    status.state = kube::string_at(then, "state", "Unknown");
    status.lag = kube::string_at(then, "lag");
    status.error_reason = kube::string_at(then, "lastError/reason");
    status.error_message = kube::string_at(then, "lastError/message");
    status.since = kube::string_at(then, "since", input.wall_now);
    status.degraded = stored_degraded(then);
    return status;
  }
  status.lost_records =
      std::any_of(consumers.answers.begin(), consumers.answers.end(),
                  [](const StatuszReport* report) { return report->lost_records > 0; });
  const ComponentView* consumer = find_view(input, Role::kConsumer, exporter.name);
  std::optional<Obstacle> unassigned;
  if (consumer != nullptr)
    unassigned = assignment_obstacle(input.pipeline.name, *consumer, input.reports);
  const bool idle = unassigned && unassigned->blocks;
  const bool stalled = none_reaches_destination(senders) || none_reaches_destination(consumers) ||
                       has_stalled_partition(consumers) || idle;
  const bool has_reports = !senders.answers.empty() && !consumers.answers.empty();
  status.degraded = observe_degraded(senders, then, input.wall_now);
  status.state = stalled           ? "Stalled"
                 : status.degraded ? "Degraded"
                                   : (has_reports ? "Running" : "Unknown");
  status.lag = next_bucket(kube::string_at(then, "lag"), consumers, status.lag_seconds);
  // The one that speaks with the destination knows best.
  take_error(senders, status);
  if (stalled) take_error(consumers, status);
  if (idle && status.error_message.empty()) {
    status.error_reason = unassigned->reason;
    status.error_message = one_line(unassigned->message(), kErrorBytesMax);
  }
  limit_change_rate(status, then, input.wall_now);
  return status;
}

}  // namespace

int bucket_rank(std::string_view bucket) noexcept {
  const auto found = std::find(kBuckets.begin(), kBuckets.end(), bucket);
  return found == kBuckets.end() ? -1 : static_cast<int>(found - kBuckets.begin());
}

std::vector<ExporterStatus> observe_exporters(const StatusInput& input, const Json& before) {
  std::vector<ExporterStatus> out;
  for (const api::Exporter& exporter : input.pipeline.spec.exporters) {
    out.push_back(observe_exporter(input, exporter, before));
  }
  return out;
}

Json to_json(const ExporterStatus& exporter) {
  Json json = {{"name", exporter.name},
               {"state", exporter.state},
               {"ready", exporter.ready},
               {"lag", exporter.lag},
               {"since", exporter.since}};
  if (!exporter.error_message.empty()) {
    json["lastError"] = {{"reason", exporter.error_reason}, {"message", exporter.error_message}};
  }
  if (exporter.degraded) {
    json["degraded"] = {{"since", exporter.degraded->since},
                        {"reason", exporter.degraded->reason},
                        {"message", exporter.degraded->message}};
  }
  return json;
}

}  // namespace spanway::decide
