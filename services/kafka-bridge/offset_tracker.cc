#include "services/kafka-bridge/offset_tracker.h"

#include "services/lib/base/check.h"

namespace spanway::kafka_bridge {

OffsetTracker::Run OffsetTracker::begin(std::int64_t first, std::int64_t last,
                                        std::int64_t timestamp_ms) {
  SPANWAY_CHECK(first <= last);
  SPANWAY_CHECK(runs_.empty() ? first >= position_ : first > runs_.back().last);
  runs_.push_back({last, timestamp_ms, false});
  return first_run_ + runs_.size() - 1;
}

void OffsetTracker::finish(Run run) {
  if (run < first_run_ || run - first_run_ >= runs_.size() || runs_[run - first_run_].finished) {
    count_bug("offset_tracker_unknown_run");
    return;
  }
  runs_[run - first_run_].finished = true;
  while (!runs_.empty() && runs_.front().finished) {
    position_ = runs_.front().last + 1;
    runs_.pop_front();
    ++first_run_;
  }
}

std::optional<std::int64_t> OffsetTracker::oldest_timestamp_ms() const noexcept {
  if (runs_.empty()) return std::nullopt;
  return runs_.front().timestamp_ms;  // The front is never finished.
}

std::vector<std::int64_t> OffsetTracker::open_ends() const {
  std::vector<std::int64_t> ends;
  ends.reserve(runs_.size());
  for (const Entry& entry : runs_) ends.push_back(entry.last);
  return ends;
}

}  // namespace spanway::kafka_bridge
