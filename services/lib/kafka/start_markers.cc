#include "services/lib/kafka/start_markers.h"

#include <utility>

#include "services/lib/kafka/queries.h"

namespace spanway::kafka {
namespace {

// Far below offsets.retention.minutes (7 days by default).
constexpr Duration kRenewal = std::chrono::minutes(10);
constexpr Duration kRetry = std::chrono::seconds(30);

Status commit_marker(rd_kafka_s* handle, const std::string& topic, const std::string& marker) {
  const std::string metadata = "this group has begun with " + topic;
  // First where it is answered at once, also when the topic is missing.
  SPANWAY_TRY(native::commit_offsets(handle, {{{marker, 0}, 0, -1, metadata}}));
  const auto end = native::list_offsets(handle, {{marker, 0}}, native::LogEnd::kLast, false);
  if (!end.status.ok() || end.found.empty()) return ok_status();
  const std::int64_t offset = end.found.begin()->second.offset;
  if (offset <= 0) return ok_status();
  return native::commit_offsets(handle, {{{marker, 0}, offset, -1, metadata}});
}

}  // namespace

StartMarkers::StartMarkers(const ConsumerConfig& config, const std::atomic<bool>& stopping)
    : enabled_(config.start_from == ConsumerConfig::StartFrom::kLatest &&
               !config.marker_suffix.empty()),
      group_(config.group),
      suffix_(config.marker_suffix),
      stopping_(stopping) {}

Result<std::set<std::string>> StartMarkers::find(rd_kafka_s* handle,
                                                 const std::set<std::string>& names) const {
  std::set<std::string> found;
  if (!enabled_) return found;
  for (const std::string& topic : names) {
    const auto committed = native::committed_offsets(handle, {{topic + suffix_, 0}});
    if (!committed.ok() && committed.error().refusal == Refusal::kTransient) {
      return committed.error();
    }
    if (committed.ok() && !committed->empty() && committed->front().offset >= 0) {
      found.insert(topic);
    }
  }
  return found;
}

void StartMarkers::begin(const std::string& topic) {
  if (enabled_) due_.try_emplace(topic);
}

void StartMarkers::keep(rd_kafka_s* handle, SteadyTime now) {
  for (auto& [topic, due] : due_) {
    if (stopping_) return;
    if (due && *due > now) continue;
    const Status status = commit_marker(handle, topic, topic + suffix_);
    due = now + (status.ok() ? kRenewal : kRetry);
    // A rebalance or a broker that is away: the next try is soon, and the marker of before holds.
    if (!status.ok() && status.error().refusal == Refusal::kTransient) continue;
    MutexLock lock(mutex_);
    missing_.erase(topic);
    if (!status.ok()) missing_[topic] = describe(topic, status.error());
  }
}

std::string StartMarkers::describe(const std::string& topic, const Error& error) const {
  const std::string marker = topic + suffix_;
  return topic + ": group " + group_ + " cannot commit on " + marker + " (" + error.message +
         "): when " + topic +
         " is deleted and created again while no consumer runs, start_from: latest skips what is "
         "written before one runs again; create " +
         marker + " and grant the group's user Read on it";
}

std::vector<std::string> StartMarkers::missing() const {
  MutexLock lock(mutex_);
  std::vector<std::string> texts;
  for (const auto& [topic, text] : missing_) texts.push_back(text);
  return texts;
}

}  // namespace spanway::kafka
