#include "operator/reconcile/statusz_monitor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "operator/api/pipeline.h"
#include "operator/decide/lag_scaler.h"
#include "operator/decide/observation.h"

namespace spanway::reconcile {
namespace {

// Pods polled in one call of the reader: bounds the reports in memory.
constexpr std::size_t kPodsAtOnce = 256;

// The parts of one pod's lag that a status depends on: its bucket, the next lower one, and
// beyond all buckets steps of a tenth, for the comparison with what Kafka keeps.
std::string lag_text(double seconds) {
  constexpr double kLastBorder = 3600;
  std::string text =
      decide::lag_bucket(seconds) + decide::lag_bucket(seconds * decide::kBucketLeaves);
  if (seconds <= kLastBorder) return text;
  return text + std::to_string(std::lround(std::log(seconds / kLastBorder) / std::log(1.1)));
}

std::string activity_text(char name, const std::optional<decide::ActivityReport>& activity) {
  if (!activity) return "";
  return std::string(1, name) + (activity->ok ? "+" : "-" + activity->reason);
}

std::string text_of(const decide::TopicSettingsReport& topic) {
  std::string text = topic.name + ':' + std::to_string(topic.partitions) + ',' +
                     std::to_string(topic.replication_factor) + ',' + topic.cleanup_policy;
  for (const auto& number : {topic.min_insync_replicas, topic.retention_ms, topic.retention_bytes})
    text += ',' + (number ? std::to_string(*number) : "?");
  return text + (topic.unclean_leader_election == true ? "u;" : ";");
}

// Everything in these reports that a status depends on, as text: while it stays equal, the Pipeline
// is not enqueued.
std::string digest_of(const std::map<std::string, decide::StatuszReport>& reports) {
  std::string out;
  for (const auto& [pod, report] : reports) {
    out += pod;
    out += report.answered ? 'a' : '-';
    out += report.ready == true ? 'r' : '-';
    out += report.kafka_reachable ? 'k' : '-';
    out += report.destination_reachable ? 'd' : '-';
    // While it is ready the reason names what is degraded, in words that change.
    if (report.ready != true) out += report.reason;
    out += '|' + report.destination_error_reason + '|' + report.error + '|';
    out += report.destination_known ? 'D' : '-';
    out += report.destination_degraded ? 'o' : '-';
    out += activity_text('n', report.next) + activity_text('q', report.store) +
           activity_text('p', report.produce) + activity_text('g', report.assignment);
    if (report.lost_records > 0) out += 'l';
    if (!report.certificate_error.empty()) out += 'c';
    for (const std::string& error : report.credential_errors) out += error + ',';
    for (const decide::TopicSettingsReport& topic : report.topic_settings) out += text_of(topic);
    for (const decide::StallReport& stall : report.stalls)
      out += stall.scope + stall.signal + stall.tenant + ',';
    for (const std::string& weakness : report.weaknesses) out += weakness + ',';
    for (const decide::TopicReport& topic : report.topics)
      out += topic.name + ':' + std::to_string(topic.partitions) + topic.error + ',';
    double lag = -1;
    for (const decide::PartitionReport& partition : report.partitions) {
      lag = std::max(lag, partition.lag_seconds);
      if (partition.stalled) out += 's' + partition.topic + std::to_string(partition.partition);
    }
    if (lag >= 0) out += lag_text(lag);
  }
  return out;
}

}  // namespace

StatuszMonitor::StatuszMonitor(StatuszReader& reader, const Stores& stores, const Clock& clock,
                               MonitorTimes times, Changed changed)
    : reader_(reader),
      stores_(stores),
      clock_(clock),
      times_(times),
      changed_(std::move(changed)) {}

StatuszMonitor::Reports StatuszMonitor::reports(const kube::ObjectKey& pipeline) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(pipeline);
  return found == entries_.end() ? Reports{} : found->second.reports;
}

void StatuszMonitor::set_pace(const kube::ObjectKey& pipeline, bool is_moving,
                              bool wants_every_round) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[pipeline];
  entry.is_moving = is_moving;
  entry.wants_every_round = wants_every_round;
}

void StatuszMonitor::forget(const kube::ObjectKey& pipeline) {
  MutexLock lock(mutex_);
  entries_.erase(pipeline);
}

std::vector<StatuszReader::Address> StatuszMonitor::addresses(
    const kube::ObjectKey& pipeline) const {
  std::vector<StatuszReader::Address> out;
  for (const Json& pod : stores_.of_owner(kube::kPods, pipeline)) {
    // Pods of Jobs have no track and serve nothing.
    const std::string ip = kube::string_at(pod, "status/podIP");
    if (kube::find(pod, "metadata/labels/spanway.dev~1track") == nullptr || ip.empty()) continue;
    // The address of a pod that has ended may be another pod's by now.
    if (decide::has_ended(pod)) continue;
    if (!kube::string_at(pod, "metadata/deletionTimestamp").empty()) continue;
    out.push_back({.pod = kube::string_at(pod, "metadata/name"),
                   .ip = ip,
                   .node = kube::string_at(pod, "spec/nodeName")});
  }
  return out;
}

void StatuszMonitor::poll() {
  std::vector<kube::ObjectKey> due;
  {
    MutexLock lock(mutex_);
    const SteadyTime now = clock_.now();
    for (auto& [pipeline, entry] : entries_) {
      const Duration every =
          entry.is_moving || entry.wants_every_round ? times_.moving : times_.idle;
      if (entry.reports.round != 0 && now - entry.polled_at < every) continue;
      entry.polled_at = now;
      due.push_back(pipeline);
    }
  }
  // Many Pipelines share a call, so that one slow pod does not hold up all of them one by one.
  std::map<std::string, kube::ObjectKey> pipelines;  // By "<namespace>/<pod>".
  std::map<kube::ObjectKey, std::map<std::string, decide::StatuszReport>> answers;
  std::vector<StatuszReader::Address> batch;
  const auto poll_batch = [&] {
    for (auto& [pod, report] : reader_.read(batch)) {
      const auto of = pipelines.find(pod);
      if (of == pipelines.end()) continue;
      answers[of->second][pod.substr(of->second.name_space.size() + 1)] = std::move(report);
    }
    for (auto& [pipeline, reports] : answers) take(pipeline, std::move(reports));
    batch.clear();
    answers.clear();
    pipelines.clear();
  };
  for (const kube::ObjectKey& pipeline : due) {
    answers[pipeline];  // One without pods has an answer too: nothing.
    for (StatuszReader::Address& address : addresses(pipeline)) {
      address.pod = pipeline.name_space + "/" + address.pod;
      pipelines[address.pod] = pipeline;
      batch.push_back(std::move(address));
    }
    if (batch.size() >= kPodsAtOnce) poll_batch();
  }
  if (!answers.empty()) poll_batch();
}

void StatuszMonitor::take(const kube::ObjectKey& pipeline,
                          std::map<std::string, decide::StatuszReport> reports) {
  bool is_new = false;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(pipeline);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    std::string digest = digest_of(reports);
    is_new = entry.wants_every_round || entry.digest != digest;
    entry.digest = std::move(digest);
    entry.reports.by_pod = std::move(reports);
    ++entry.reports.round;
  }
  if (is_new) changed_(pipeline);
}

}  // namespace spanway::reconcile
