#include "services/kafka-bridge/consume/offset_tracker.h"

#include "services/lib/base/check.h"

namespace spanway::kafka_bridge {

OffsetTracker::Run OffsetTracker::begin(std::int64_t first, std::int64_t last,
                                        std::int64_t timestamp_ms) {
  SPANWAY_CHECK(first <= last);
  SPANWAY_CHECK(first >= end_);
  runs_.emplace(next_run_, Entry{end_, first, last, timestamp_ms});
  end_ = last + 1;
  return next_run_++;
}

void OffsetTracker::finish(Run run) {
  if (runs_.erase(run) == 0) count_bug("offset_tracker_unknown_run");
}

std::optional<std::int64_t> OffsetTracker::oldest_timestamp_ms() const noexcept {
  if (runs_.empty()) return std::nullopt;
  return runs_.begin()->second.timestamp_ms;
}

std::vector<OffsetRange> OffsetTracker::open() const {
  std::vector<OffsetRange> ranges;
  ranges.reserve(runs_.size());
  for (const auto& [run, entry] : runs_) ranges.push_back({entry.first, entry.last});
  return ranges;
}

}  // namespace spanway::kafka_bridge
