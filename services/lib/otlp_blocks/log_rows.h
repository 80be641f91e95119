// Rows of logs, of one day.
#pragma once

#include <cstdint>
#include <string>

#include "services/lib/block/block.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/attribute_keys.h"
#include "services/lib/otlp_blocks/attribute_maps.h"
#include "services/lib/otlp_blocks/item_context.h"

namespace spanway::otlp_blocks {

// When a record happened: its time, or when it was observed where it has none.
std::int64_t time_of(const otlp::LogView& log) noexcept;

class LogRows {
 public:
  explicit LogRows(std::int32_t day);
  // False when a value cannot be stored: the block is of no use then.
  bool append(const ItemContext& context, const otlp::LogView& log, AttributeKeys& keys);
  const block::Block& block() const noexcept { return block_; }
  block::Block take();

 private:
  bool append_body(const otlp::ValueView& body);

  const std::int32_t day_;
  block::Block block_;
  AttributeMaps maps_;
  // By name of their columns.
  block::DictionaryColumn &tenant_, &service_name_, &severity_text_, &event_name_, &scope_name_,
      &scope_version_;
  block::FixedColumn &ts_, &observed_ts_, &res_id_, &stream_id_, &severity_, &body_kind_,
      &trace_id_, &span_id_, &flags_, &dropped_attributes_;
  block::StringColumn &body_, &scope_attrs_;
  std::string json_;
};

}  // namespace spanway::otlp_blocks
