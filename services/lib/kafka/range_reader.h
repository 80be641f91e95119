// Reads a range of a topic's log without a consumer group: nothing is committed, and no right on a
// group is needed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/kafka/consumer_config.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kafka {

// Offsets [begin, end) of a partition.
struct OffsetRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool operator==(const OffsetRange&) const = default;
};
using OffsetRanges = std::map<std::int32_t, OffsetRange>;  // By partition.

// One end of a range: an offset of every partition, or a time; without both, the end of the log.
struct RangeBound {
  std::optional<std::int64_t> offset;
  std::optional<std::int64_t> time_ms;  // Since the epoch: the first record of that time or later.
};

struct StoredRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;  // Since the epoch; 0 when the record carries none.
  std::string value;
  std::vector<std::pair<std::string, std::string>> headers;

  // The first value of that name; empty when there is none.
  std::string_view header(std::string_view name) const noexcept {
    for (const auto& [known, text] : headers)
      if (known == name) return text;
    return {};
  }
};

// One thread, which the methods block for at most a few seconds.
class RangeReader {
 public:
  virtual ~RangeReader() = default;
  // The bounds as offsets of what the log holds now; partitions without a record in the range are
  // left out. NOT_FOUND, configuration: the topic does not exist.
  virtual Result<OffsetRanges> resolve(const RangeBound& from, const RangeBound& to) = 0;
  // Reads this range next, in place of the one before. Returns the first offset that the log still
  // has: above range.begin, the records below it were deleted. OUT_OF_RANGE: the log is shorter.
  virtual Result<std::int64_t> start(std::int32_t partition, OffsetRange range) = 0;
  // The next record of the range; nothing when none has come within `wait`, or at_end().
  virtual Result<std::optional<StoredRecord>> next(Duration wait) = 0;
  virtual bool at_end() const = 0;
  // Why nothing comes, as far as it is known; OK when brokers answer.
  virtual Status brokers() const = 0;
};

// `log` outlives the reader. Memory: 16 MiB and one fetch that librdkafka has ahead.
Result<std::unique_ptr<RangeReader>> create_range_reader(const ClientConfig& client,
                                                         ConsumerConfig::Isolation isolation,
                                                         std::string topic,
                                                         const telemetry::Logger& log);

}  // namespace spanway::kafka
