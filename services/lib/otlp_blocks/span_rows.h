// Rows of spans, of one day.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "services/lib/block/block.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/attribute_keys.h"
#include "services/lib/otlp_blocks/attribute_maps.h"
#include "services/lib/otlp_blocks/item_context.h"

namespace spanway::otlp_blocks {

class SpanRows {
 public:
  explicit SpanRows(std::int32_t day);
  // False when an attribute cannot be stored: the block is of no use then.
  bool append(const ItemContext& context, const otlp::SpanView& span, AttributeKeys& keys);
  const block::Block& block() const noexcept { return block_; }
  block::Block take();

 private:
  void append_fixed(const ItemContext& context, const otlp::SpanView& span);
  bool append_attributes(const otlp::SpanView& span, AttributeKeys& keys);
  bool append_promoted(int index, const otlp::ValueView& value);
  bool append_events(const otlp::SpanView& span, AttributeKeys& keys);
  bool append_links(const otlp::SpanView& span, AttributeKeys& keys);

  const std::int32_t day_;
  block::Block block_;
  std::size_t rows_ = 0;
  AttributeMaps maps_;
  // By name of their columns.
  block::DictionaryColumn &tenant_, &service_name_, &name_, &scope_name_, &scope_version_;
  block::FixedColumn &ts_, &duration_ns_, &trace_id_, &span_id_, &parent_span_id_, &flags_, &kind_,
      &status_, &res_id_, &dropped_attributes_, &dropped_events_, &dropped_links_;
  block::StringColumn &trace_state_, &status_message_, &scope_attrs_;
  std::vector<block::Column*> promoted_;  // By the index of schema::promoted_attributes().
  block::ListColumn &event_ts_, &event_name_, &event_attrs_, &event_dropped_;
  block::ListColumn &link_trace_id_, &link_span_id_, &link_trace_state_, &link_attrs_,
      &link_dropped_, &link_flags_;
  std::string json_;
};

}  // namespace spanway::otlp_blocks
