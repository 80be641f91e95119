#include "services/lib/otlp_blocks/series_rows.h"

#include <algorithm>
#include <utility>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/otlp_blocks/table_block.h"

namespace spanway::otlp_blocks {

Hash128 series_id(std::string_view metric, promseries::Labels labels) {
  std::string content;
  append_part(content, metric);
  for (const promseries::Label& label : labels) {
    append_part(content, label.name);
    append_part(content, label.value);
  }
  return murmur3(content);
}

SeriesRows::SeriesRows(std::string_view tenant, const KnownRows* known)
    : tenant_(tenant),
      known_(known),
      result_{.table = "series", .rows = table_block("series"), .identities = {}} {}

void SeriesRows::seen(const Hash128& id, const SeriesView& series, std::int32_t day,
                      std::uint32_t seconds) {
  const auto [place, is_new] = row_of_.emplace(Key{id, day}, kNoRow);
  if (is_new) place->second = add(id, series, day);
  if (place->second != kNoRow)
    last_seen_[place->second] = std::max(last_seen_[place->second], seconds);
}

std::size_t SeriesRows::add(const Hash128& id, const SeriesView& series, std::int32_t day) {
  std::string content = "series";
  append_part(content, tenant_);
  append_part(content, series.unit);
  append_part(content, series.help);
  content += std::to_string(id.low) + '/' + std::to_string(id.high) + '/' + std::to_string(day) +
             '/' + std::to_string(static_cast<int>(series.type)) + '/' +
             std::to_string(series.temporality) + '/' + std::to_string(series.resource_id);
  const std::uint64_t identity = murmur3(content).low;
  if (known_ != nullptr && known_->contains(identity)) return kNoRow;
  block::Block& rows = result_.rows;
  rows.get<block::DictionaryColumn>("tenant").append(tenant_);
  rows.get<block::FixedColumn>("day").append(static_cast<std::uint16_t>(day));
  rows.get<block::DictionaryColumn>("metric").append(series.metric);
  rows.get<block::FixedColumn>("series_id").append(id);
  rows.get<block::DictionaryColumn>("otlp_name").append(series.otlp_name);
  auto& labels = rows.get<block::ListColumn>("labels");
  for (const promseries::Label& label : series.labels) {
    static_cast<block::DictionaryColumn&>(labels.nested(0)).append(label.name);
    static_cast<block::StringColumn&>(labels.nested(1)).append(label.value);
  }
  labels.close_row();
  rows.get<block::FixedColumn>("type").append(series.type);
  rows.get<block::FixedColumn>("temporality")
      .append(static_cast<std::int8_t>(
          series.temporality == 1 || series.temporality == 2 ? series.temporality : 0));
  rows.get<block::FixedColumn>("monotonic").append(series.is_monotonic);
  rows.get<block::DictionaryColumn>("unit").append(series.unit);
  rows.get<block::StringColumn>("help").append(series.help);
  rows.get<block::FixedColumn>("res_id").append(series.resource_id);
  result_.identities.push_back(identity);
  last_seen_.push_back(0);
  return last_seen_.size() - 1;
}

DictionaryBlock SeriesRows::take() {
  auto& column = result_.rows.get<block::FixedColumn>("last_seen");
  for (const std::uint32_t seconds : last_seen_) column.append(seconds);
  return std::move(result_);
}

}  // namespace spanway::otlp_blocks
