// A topic in memory.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "services/lib/kafka/range_reader.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::kafka_bridge {

// External lock. Waits move the clock.
class FakeRangeReader final : public kafka::RangeReader {
 public:
  explicit FakeRangeReader(fakes::ManualClock& clock) : clock_(clock) {}
  void add(kafka::StoredRecord record) {
    log_[{record.partition, record.offset}] = std::move(record);
  }
  // As retention does.
  void delete_below(std::int32_t partition, std::int64_t offset) { low_[partition] = offset; }
  void fail_next(Error error) { failure_ = std::move(error); }
  // Nothing comes any more.
  void hang() { hanging_ = true; }

  Result<kafka::OffsetRanges> resolve(const kafka::RangeBound&, const kafka::RangeBound&) override {
    return kafka::OffsetRanges();
  }
  Result<std::int64_t> start(std::int32_t partition, kafka::OffsetRange range) override {
    partition_ = partition;
    left_ = range;
    left_.begin = std::max(left_.begin, low_[partition]);
    return left_.begin;
  }
  Result<std::optional<kafka::StoredRecord>> next(Duration wait) override {
    if (failure_) return *std::exchange(failure_, std::nullopt);
    if (hanging_) {
      clock_.advance(wait);
      return std::optional<kafka::StoredRecord>();
    }
    const auto found = log_.lower_bound({partition_, left_.begin});
    if (found == log_.end() || found->first.first != partition_ ||
        found->first.second >= left_.end) {
      left_.begin = left_.end;
      return std::optional<kafka::StoredRecord>();
    }
    left_.begin = found->first.second + 1;
    return std::optional(found->second);
  }
  bool at_end() const override { return left_.begin >= left_.end; }
  Status brokers() const override { return unavailable("no broker is up"); }

 private:
  fakes::ManualClock& clock_;
  std::map<std::pair<std::int32_t, std::int64_t>, kafka::StoredRecord> log_;
  std::map<std::int32_t, std::int64_t> low_;
  std::optional<Error> failure_;
  bool hanging_ = false;
  std::int32_t partition_ = 0;
  kafka::OffsetRange left_;
};

}  // namespace spanway::kafka_bridge
