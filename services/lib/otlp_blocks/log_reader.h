// Log records off the columns that LogRows has filled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "services/lib/block/block.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/attribute_reader.h"

namespace spanway::otlp_blocks {

// One row; valid until the next call of the reader. A record without a time of its own has the
// time of its observation.
struct StoredLog {
  otlp::LogView log;
  std::uint64_t stream_id = 0;
  std::uint64_t resource_id = 0;
  otlp::ScopeView scope;
};

// Single-thread; the block outlives the reader. Columns that the block lacks read as the default.
class LogReader {
 public:
  explicit LogReader(const block::Block& block);
  std::size_t rows() const noexcept { return block_.rows(); }
  // Null when a stored JSON value is not one of ours.
  const StoredLog* read(std::size_t row);

  // Single columns, without reading the row.
  std::int64_t unix_nano(std::size_t row) const;
  std::uint64_t stream_id(std::size_t row) const;
  std::uint64_t resource_id(std::size_t row) const;

 private:
  template <typename T>
  T number(const char* column, std::size_t row) const;
  bool read_body(std::size_t row);

  const block::Block& block_;
  const AttributeReader attributes_;
  ValueReader values_;
  StoredLog stored_;
  std::string body_bytes_;
  std::vector<otlp::AttributeView> own_, scope_attributes_;
};

}  // namespace spanway::otlp_blocks
