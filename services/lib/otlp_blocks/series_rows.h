// Rows of series: what a request's data points are named and labelled, each series once a day.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/identity.h"
#include "services/lib/otlp_blocks/request_blocks.h"
#include "services/lib/promseries/series_labels.h"

namespace spanway::otlp_blocks {

// As the enumeration of series.type.
enum class StoredSeriesType : std::int8_t {
  kUnknown = 0,
  kGauge = 1,
  kCounter = 2,
  kHistogram = 3,
  kExponentialHistogram = 4,
  kSummary = 5,
};

// The series of one point. Views are valid during the call.
struct SeriesView {
  std::string_view metric;    // The name in Prometheus.
  promseries::Labels labels;  // Without __name__.
  std::string_view otlp_name;
  StoredSeriesType type = StoredSeriesType::kUnknown;
  std::int32_t temporality = 0;  // 1 = delta, 2 = cumulative.
  bool is_monotonic = false;
  std::string_view unit;  // As sent.
  std::string_view help;
  std::uint64_t resource_id = 0;
};

// A hash of the name and the labels.
Hash128 series_id(std::string_view metric, promseries::Labels labels);

class SeriesRows {
 public:
  SeriesRows(std::string_view tenant, const KnownRows* known);
  // A point of this series at that time.
  void seen(const Hash128& id, const SeriesView& series, std::int32_t day, std::uint32_t seconds);
  std::size_t memory_bytes() const noexcept { return result_.rows.memory_bytes(); }
  DictionaryBlock take();

 private:
  struct Key {
    Hash128 id;
    std::int32_t day = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return static_cast<std::size_t>(key.id.low ^ static_cast<std::uint64_t>(key.day));
    }
  };
  static constexpr std::size_t kNoRow = ~std::size_t{0};
  std::size_t add(const Hash128& id, const SeriesView& series, std::int32_t day);

  const std::string tenant_;
  const KnownRows* const known_;
  DictionaryBlock result_;
  std::unordered_map<Key, std::size_t, KeyHash> row_of_;
  std::vector<std::uint32_t> last_seen_;  // By row.
};

}  // namespace spanway::otlp_blocks
