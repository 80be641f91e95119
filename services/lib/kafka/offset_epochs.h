// The leader epochs of the records of a partition. With the epoch that is committed beside an
// offset, the brokers detect on resuming whether the log has diverged since it was read (KIP-320):
// after an unclean election it has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>

namespace spanway::kafka {

// Single-thread. Bound: kChangesMax changes of the epoch since the oldest offset that may still be
// committed; further ones count as the epoch before, which makes a later check stricter.
class OffsetEpochs {
 public:
  static constexpr std::int32_t kUnknown = -1;
  static constexpr std::size_t kChangesMax = 64;

  // `epoch`: of the last record before the start offset.
  explicit OffsetEpochs(std::int32_t epoch = kUnknown)
      : changes_{{std::numeric_limits<std::int64_t>::min(), epoch}} {}

  // In order of offsets.
  void read(std::int64_t offset, std::int32_t epoch) {
    if (epoch != changes_.back().epoch && changes_.size() < kChangesMax) {
      changes_.push_back({offset, epoch});
    }
  }
  // The epoch of the last record below `offset`; kUnknown without one.
  std::int32_t before(std::int64_t offset) const noexcept {
    std::int32_t epoch = changes_.front().epoch;
    for (const Change& change : changes_) {
      if (change.first < offset) epoch = change.epoch;
    }
    return epoch;
  }
  // Offsets below `offset` are not queried any more.
  void forget_below(std::int64_t offset) noexcept {
    while (changes_.size() > 1 && changes_[1].first < offset) changes_.pop_front();
  }

 private:
  struct Change {
    std::int64_t first;  // The first offset of this epoch.
    std::int32_t epoch;
  };
  std::deque<Change> changes_;  // Never empty.
};

}  // namespace spanway::kafka
