// Whether the records of one request may be handed to librdkafka now, all of them or none. Private
// to services/lib/kafka.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"

namespace spanway::kafka {

// Three rules, so that a request is refused before its first record instead of half-written:
//  - room: its bytes and records fit the queue. A request larger than the whole queue is admitted
//    alone, when the queue is empty.
//  - health: a partition that has confirmed nothing for `stalled_after` although records wait, or
//    whose last record failed, refuses requests. Once none of its records is left, one request may
//    probe it: its records for that partition are written first, the others after they are
//    confirmed.
//  - pace: a partition whose broker throttles us, or that confirms late, takes no more than it
//    confirms in `backlog_max`.
//
// Thread-safe. The caller gives the time.
class ProduceAdmission {
 public:
  struct Limits {
    std::size_t bytes_max = 64u << 20;
    std::size_t records_max = 1'000'000;
    Duration stalled_after = std::chrono::seconds(2);
    Duration late_after = std::chrono::seconds(1);
    Duration backlog_max = std::chrono::seconds(2);
    // How long a broker's throttling is remembered after its last answer that says so.
    Duration throttle_memory = std::chrono::seconds(10);
  };
  // All records of one request for one partition.
  struct Part {
    std::int32_t partition = 0;
    std::size_t bytes = 0;
    std::size_t records = 1;
  };

  explicit ProduceAdmission(Limits limits) : limits_(limits) {}

  // Reserves room for `parts` (one entry per partition), or says why not: transient, or the last
  // error of the partition. Returns the partitions to probe, in the order of `parts`: the caller
  // hands over their records now and keeps the others until these are confirmed. Empty: all go now.
  // Each record leads to one on_report() or on_dropped().
  Result<std::vector<std::int32_t>> admit(std::string_view topic, std::span<const Part> parts,
                                          SteadyTime now);
  // The room rule alone, for one record that goes now.
  Status admit_record(std::string_view topic, const Part& part, SteadyTime now);
  // Records that were kept back for a probe go now.
  void on_handed_over(std::string_view topic, const Part& part, SteadyTime now);
  // It is confirmed, or has failed. `error` is null when confirmed.
  void on_report(std::string_view topic, std::int32_t partition, std::size_t bytes,
                 SteadyTime handed_over, const Error* error, SteadyTime now);
  // A record that was kept back for a probe and is never handed over.
  void on_dropped(std::size_t bytes);
  // A broker has delayed its answer because of a quota.
  void on_throttled(Duration by, SteadyTime now);
  std::size_t bytes() const;

 private:
  struct Partition {
    std::size_t bytes = 0;     // Handed over and not reported.
    std::size_t records = 0;   // The same.
    SteadyTime progress_at{};  // Of the last confirmation, or of the first record that waits.
    Duration last_latency{};
    bool failed = false;  // The last report was a failure, which `failure` holds.
    Error failure;
    double rate = 0;  // Bytes confirmed per second, smoothed; as of rate_at.
    SteadyTime rate_at{};
  };
  Status check_room(std::size_t bytes, std::size_t records) const SPANWAY_REQUIRES(mutex_);
  Status check(std::string_view topic, const Part& part, SteadyTime now) SPANWAY_REQUIRES(mutex_);
  void hand_over(std::string_view topic, const Part& part, SteadyTime now) SPANWAY_REQUIRES(mutex_);
  Partition& at(std::string_view topic, std::int32_t partition) SPANWAY_REQUIRES(mutex_);
  double rate(const Partition& partition, SteadyTime now) const;

  const Limits limits_;
  mutable Mutex mutex_;
  std::size_t bytes_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t records_ SPANWAY_GUARDED_BY(mutex_) = 0;
  SteadyTime throttled_until_ SPANWAY_GUARDED_BY(mutex_){};
  std::map<std::string, std::vector<Partition>, std::less<>> topics_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::kafka
