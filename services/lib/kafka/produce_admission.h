// Admission of produce requests: all records of one request are handed to librdkafka, or none.
// Private to services/lib/kafka.
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
//  - room: its bytes and records fit the queue. A request larger than the queue is admitted
//    alone, when the queue is empty.
//  - health: a partition that has confirmed nothing for `stalled_after` although records wait, or
//    whose last record failed, refuses requests. Once none of its records is left, one request may
//    probe it: its records for that partition are written first, the others after they are
//    confirmed.
//  - pace: a partition whose broker throttles us, or that confirms late, takes no more than it
//    confirms in `backlog_max`.
//
// Thread-safe. The caller passes the time.
class ProduceAdmission {
 public:
  struct Limits {
    std::size_t bytes_max = 64u << 20;
    std::size_t records_max = 1'000'000;
    Duration stalled_after = std::chrono::seconds(2);
    Duration late_after = std::chrono::seconds(1);
    Duration backlog_max = std::chrono::seconds(2);
    // A broker counts as throttling for this long after its last throttled response.
    Duration throttle_memory = std::chrono::seconds(10);
  };
  // All records of one request for one partition.
  struct Part {
    std::int32_t partition = 0;
    std::size_t bytes = 0;
    std::size_t records = 1;
  };

  explicit ProduceAdmission(Limits limits) : limits_(limits) {}

  // Reserves room for `parts` (one entry per partition), or returns the refusal: transient, or the
  // last error of the partition. Returns the partitions to probe, in the order of `parts`: the
  // caller produces their records now and keeps the others until these are confirmed. Empty: all
  // are produced now. Each record leads to one on_report() or on_dropped().
  Result<std::vector<std::int32_t>> admit(std::string_view topic, std::span<const Part> parts,
                                          SteadyTime now);
  // The room rule alone, for one record.
  Status admit_record(std::string_view topic, const Part& part, SteadyTime now);
  // Records that waited for a probe are produced now.
  void on_handed_over(std::string_view topic, const Part& part, SteadyTime now);
  // The delivery report of one record; `error` is null when it was confirmed.
  void on_report(std::string_view topic, std::int32_t partition, std::size_t bytes,
                 SteadyTime handed_over, const Error* error, SteadyTime now);
  // A record that waited for a probe and is never produced.
  void on_dropped(std::size_t bytes);
  // A broker has delayed its response because of a quota.
  void on_throttled(Duration by, SteadyTime now);
  std::size_t bytes() const;

 private:
  struct Partition {
    std::size_t bytes = 0;     // Produced and not reported.
    std::size_t records = 0;   // The same.
    SteadyTime progress_at{};  // Time of the last confirmation, or of the first record that waits.
    Duration last_latency{};
    bool failed = false;  // The last report was `failure`.
    Error failure;
    double rate = 0;  // Bytes confirmed per second, smoothed; at rate_at.
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
