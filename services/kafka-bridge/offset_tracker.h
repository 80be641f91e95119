// Which offset of one partition may be committed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace spanway::kafka_bridge {

// Records are taken in runs of increasing offsets and finished in any order; what may be committed
// is the end of the contiguous finished prefix. Offsets between runs (compacted records,
// transaction markers) belong to the run behind them. Single-thread. Bound: the caller's number of
// unfinished runs.
class OffsetTracker {
 public:
  using Run = std::uint64_t;

  // `start`: the offset that reading begins at, as committed.
  explicit OffsetTracker(std::int64_t start) noexcept : position_(start) {}

  // first <= last, first >= everything taken before; `timestamp_ms` is the oldest record's.
  Run begin(std::int64_t first, std::int64_t last, std::int64_t timestamp_ms);
  // Once for each run; finishing an unknown run is a counted bug and changes nothing.
  void finish(Run run);

  // The next offset to read after a restart: everything below it is finished.
  std::int64_t position() const noexcept { return position_; }
  bool idle() const noexcept { return runs_.empty(); }
  // Runs that are not finished, or wait for one before them.
  std::size_t open_runs() const noexcept { return runs_.size(); }
  // Of the oldest unfinished record.
  std::optional<std::int64_t> oldest_timestamp_ms() const noexcept;
  // The last offsets of the open runs, in order.
  std::vector<std::int64_t> open_ends() const;

 private:
  struct Entry {
    std::int64_t last;
    std::int64_t timestamp_ms;
    bool finished;
  };
  std::int64_t position_;
  std::deque<Entry> runs_;
  Run first_run_ = 0;  // The number of runs_.front().
};

}  // namespace spanway::kafka_bridge
