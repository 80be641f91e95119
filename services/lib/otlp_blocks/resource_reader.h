// Resources off the columns that ResourceRows has filled.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"
#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/value_reader.h"

namespace spanway::otlp_blocks {

// Keeps the blocks it was given and the views into them. External lock.
class ResourceReader {
 public:
  // INTERNAL, data, "stored_value_unreadable" for rows that no converter of ours has written.
  Status add(block::Block resources);
  // Null when no row had that id. Valid as long as the reader.
  const otlp::ResourceView* find(std::uint64_t id) const;
  bool contains(std::uint64_t id) const { return by_id_.contains(id); }
  // Without the views.
  std::size_t memory_bytes() const noexcept;

 private:
  struct Resource {
    std::vector<otlp::AttributeView> attributes;
    otlp::ResourceView view;
  };
  std::deque<block::Block> blocks_;
  ValueReader values_;
  std::unordered_map<std::uint64_t, Resource> by_id_;
};

}  // namespace spanway::otlp_blocks
