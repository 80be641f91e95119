// Spans off the columns that SpanRows has filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/attribute_reader.h"

namespace spanway::otlp_blocks {

// One row; valid until the next call of the reader.
struct StoredSpan {
  otlp::SpanView span;
  std::string_view service_name;
  std::uint64_t resource_id = 0;
  otlp::ScopeView scope;
};

// Single-thread; the block outlives the reader. Columns that the block lacks read as the default.
class SpanReader {
 public:
  explicit SpanReader(const block::Block& block);
  std::size_t rows() const noexcept { return block_.rows(); }
  // The pointer is null, and the row unreadable, when a stored JSON value is not one of ours.
  const StoredSpan* read(std::size_t row);

  // Single columns, without reading the row.
  std::uint64_t resource_id(std::size_t row) const;
  std::int64_t start_unix_nano(std::size_t row) const;
  std::string_view text(std::string_view column, std::size_t row) const {
    return text_at(block_.find(column), row);
  }

 private:
  template <typename T>
  T number(const char* column, std::size_t row) const;
  bool read_events(std::size_t row);
  bool read_links(std::size_t row);

  const block::Block& block_;
  const AttributeReader attributes_;
  ValueReader values_;
  StoredSpan stored_;
  std::vector<otlp::AttributeView> own_, scope_attributes_;
  std::vector<otlp::EventView> events_;
  std::vector<otlp::LinkView> links_;
  std::vector<std::vector<otlp::AttributeView>> event_attributes_, link_attributes_;
};

}  // namespace spanway::otlp_blocks
