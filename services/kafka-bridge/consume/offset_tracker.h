// Which offset of one partition may be committed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace spanway::kafka_bridge {

// Offsets from `first` to `last`, both included.
struct OffsetRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
  auto operator<=>(const OffsetRange&) const = default;
};

// Records are taken in runs of increasing offsets and finished in any order; what may be committed
// is the end of the contiguous finished prefix. Offsets between runs (compacted records,
// transaction markers) belong to the run behind them. Single-thread. Bound: the caller's number of
// unfinished runs; finished ones take no memory.
class OffsetTracker {
 public:
  using Run = std::uint64_t;

  // `start`: the offset that reading begins at, as committed.
  explicit OffsetTracker(std::int64_t start) noexcept : end_(start) {}

  // first <= last, first >= everything taken before; `timestamp_ms` is the oldest record's.
  Run begin(std::int64_t first, std::int64_t last, std::int64_t timestamp_ms);
  // Once for each run; finishing an unknown run is a counted bug and changes nothing.
  void finish(Run run);
  // Everything below `next` that is in no run needs nothing more.
  void skip_to(std::int64_t next) noexcept { end_ = next > end_ ? next : end_; }

  // The next offset to read after a restart: everything below it is finished.
  std::int64_t position() const noexcept {
    return runs_.empty() ? end_ : runs_.begin()->second.from;
  }
  // Behind everything taken.
  std::int64_t end() const noexcept { return end_; }
  bool idle() const noexcept { return runs_.empty(); }
  // Runs that are not finished.
  std::size_t open_runs() const noexcept { return runs_.size(); }
  // The oldest unfinished run's.
  std::optional<std::int64_t> oldest_timestamp_ms() const noexcept;
  // The unfinished runs, in order.
  std::vector<OffsetRange> open() const;

 private:
  struct Entry {
    std::int64_t from;  // Behind the run before it.
    std::int64_t first;
    std::int64_t last;
    std::int64_t timestamp_ms;
  };
  std::int64_t end_;
  std::map<Run, Entry> runs_;
  Run next_run_ = 0;
};

}  // namespace spanway::kafka_bridge
