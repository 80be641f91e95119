#include "services/query/store/absent_stores.h"

#include <string>

namespace spanway::query {
namespace {

Error absent(const std::string& signal) {
  return configuration_error(Code::kUnimplemented, "no store of " + signal +
                                                       " is configured: set " + signal +
                                                       "_from to clickhouse or memory")
      .with_reason("no_store");
}

}  // namespace

Result<std::vector<LogStream>> AbsentLogStore::streams(std::span<const LabelMatcher>, TimeRange,
                                                       QueryContext&) {
  return absent("logs");
}
Result<BlockStreamPtr> AbsentLogStore::select(const LogSelect&, QueryContext&) {
  return absent("logs");
}
Result<block::Block> AbsentLogStore::resources_of(std::span<const std::uint64_t>, QueryContext&) {
  return absent("logs");
}
Result<std::vector<LogVolume>> AbsentLogStore::volume(std::span<const LabelMatcher>, TimeRange,
                                                      QueryContext&) {
  return absent("logs");
}

Result<std::vector<Series>> AbsentMetricStore::series(std::span<const LabelMatcher>, TimeRange,
                                                      QueryContext&) {
  return absent("metrics");
}
Result<std::vector<MetricMetadata>> AbsentMetricStore::metadata(const std::optional<std::string>&,
                                                                TimeRange, std::size_t,
                                                                QueryContext&) {
  return absent("metrics");
}
Result<SeriesStreamPtr> AbsentMetricStore::samples(const MetricSelect&, QueryContext&) {
  return absent("metrics");
}
Result<BlockStreamPtr> AbsentMetricStore::histograms(const MetricSelect&, QueryContext&) {
  return absent("metrics");
}

}  // namespace spanway::query
