#include "services/lib/kafka/produce_admission.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "services/lib/base/check.h"

namespace spanway::kafka {
namespace {

constexpr auto kRetrySoon = std::chrono::seconds(1);
constexpr double kRateSmoothingSeconds = 2;

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

std::string name_of(std::string_view topic, std::int32_t partition) {
  return "partition " + std::to_string(partition) + " of topic " + std::string(topic);
}

std::string one_decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f", value);
  return text;
}

}  // namespace

ProduceAdmission::Partition& ProduceAdmission::at(std::string_view topic, std::int32_t partition) {
  auto found = topics_.find(topic);
  if (found == topics_.end()) found = topics_.try_emplace(std::string(topic)).first;
  const auto index = static_cast<std::size_t>(std::max(partition, 0));
  if (found->second.size() <= index) found->second.resize(index + 1);
  return found->second[index];
}

double ProduceAdmission::rate(const Partition& partition, SteadyTime now) const {
  const double age = seconds(now - partition.rate_at);
  return partition.rate * std::exp(-age / kRateSmoothingSeconds);
}

Status ProduceAdmission::check_room(std::size_t bytes, std::size_t records) const {
  if (records_ == 0) return ok_status();  // A single request may be larger than the queue.
  if (bytes_ + bytes <= limits_.bytes_max && records_ + records <= limits_.records_max) {
    return ok_status();
  }
  return unavailable("the producer's queue is full: " + std::to_string(bytes_ >> 10) + " KiB in " +
                     std::to_string(records_) + " records wait for the brokers, no room for " +
                     std::to_string(bytes >> 10) + " KiB in " + std::to_string(records))
      .with_reason("kafka_queue_full")
      .with_retry_after(kRetrySoon);
}

Status ProduceAdmission::check(std::string_view topic, const Part& part, SteadyTime now) {
  const Partition& partition = at(topic, part.partition);
  if (partition.records == 0) return ok_status();
  if (partition.failed) {
    // Another request is probing it.
    Error error = partition.failure;
    error.message = name_of(topic, part.partition) + " takes no records: " + error.message;
    return error;
  }
  const Duration silent = now - partition.progress_at;
  if (silent > limits_.stalled_after) {
    return unavailable(name_of(topic, part.partition) + " has confirmed nothing for " +
                       one_decimal(seconds(silent)) +
                       " s; its leader may be unreachable, or in-sync replicas are missing")
        .with_reason("kafka_partition_stalled")
        .with_retry_after(kRetrySoon);
  }
  const bool late = now < throttled_until_ || partition.last_latency > limits_.late_after ||
                    silent > limits_.late_after;
  if (!late) return ok_status();
  const double confirmed = rate(partition, now);
  const double backlog_max = confirmed * seconds(limits_.backlog_max);
  if (static_cast<double>(partition.bytes + part.bytes) <= backlog_max) return ok_status();
  return unavailable(name_of(topic, part.partition) + " confirms " +
                     std::to_string(static_cast<std::int64_t>(confirmed / 1024)) + " KiB/s, and " +
                     std::to_string(partition.bytes >> 10) +
                     " KiB wait already; the brokers throttle it (quota) or are slow")
      .with_reason("kafka_backlog")
      .with_retry_after(kRetrySoon);
}

Result<std::vector<std::int32_t>> ProduceAdmission::admit(std::string_view topic,
                                                          std::span<const Part> parts,
                                                          SteadyTime now) {
  std::size_t bytes = 0;
  std::size_t records = 0;
  for (const Part& part : parts) {
    bytes += part.bytes;
    records += part.records;
  }
  std::vector<std::int32_t> probes;
  MutexLock lock(mutex_);
  SPANWAY_TRY(check_room(bytes, records));
  for (const Part& part : parts) {
    SPANWAY_TRY(check(topic, part, now));
    if (at(topic, part.partition).failed) probes.push_back(part.partition);
  }
  bytes_ += bytes;
  records_ += records;
  for (const Part& part : parts) {
    if (probes.empty() || at(topic, part.partition).failed) hand_over(topic, part, now);
  }
  return probes;
}

Status ProduceAdmission::admit_record(std::string_view topic, const Part& part, SteadyTime now) {
  MutexLock lock(mutex_);
  SPANWAY_TRY(check_room(part.bytes, part.records));
  bytes_ += part.bytes;
  records_ += part.records;
  hand_over(topic, part, now);
  return ok_status();
}

void ProduceAdmission::on_handed_over(std::string_view topic, const Part& part, SteadyTime now) {
  MutexLock lock(mutex_);
  hand_over(topic, part, now);
}

void ProduceAdmission::hand_over(std::string_view topic, const Part& part, SteadyTime now) {
  Partition& state = at(topic, part.partition);
  if (state.records == 0) state.progress_at = now;
  state.records += part.records;
  state.bytes += part.bytes;
}

void ProduceAdmission::on_report(std::string_view topic, std::int32_t partition, std::size_t bytes,
                                 SteadyTime handed_over, const Error* error, SteadyTime now) {
  MutexLock lock(mutex_);
  bytes_ -= bytes;
  --records_;
  Partition& state = at(topic, partition);
  if (state.records == 0 || state.bytes < bytes) {
    count_bug("produce_admission_unknown_record");
    return;
  }
  --state.records;
  state.bytes -= bytes;
  if (error != nullptr) {
    // Too large, or not a record: no evidence about the partition.
    if (error->refusal == Refusal::kData) return;
    state.failed = true;
    state.failure = *error;
    return;
  }
  state.failed = false;
  state.progress_at = now;
  state.last_latency = now - handed_over;
  state.rate = rate(state, now) + static_cast<double>(bytes) / kRateSmoothingSeconds;
  state.rate_at = now;
}

void ProduceAdmission::on_dropped(std::size_t bytes) {
  MutexLock lock(mutex_);
  bytes_ -= bytes;
  --records_;
}

void ProduceAdmission::on_throttled(Duration by, SteadyTime now) {
  MutexLock lock(mutex_);
  throttled_until_ = std::max(throttled_until_, now + std::max(by, limits_.throttle_memory));
}

std::size_t ProduceAdmission::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace spanway::kafka
