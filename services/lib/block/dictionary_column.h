// A column of texts of which few differ: each distinct text is kept once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/block/column.h"

namespace spanway::block {

// LowCardinality(String) or LowCardinality(Nullable(String)). Texts get their index in the order of
// their first appearance, so that equal rows make equal bytes. Index 0 is NULL where the type is
// nullable, and "" where it is not.
class DictionaryColumn final : public Column {
 public:
  explicit DictionaryColumn(Type type);

  void append(std::string_view text);
  void append_null() { append_default(); }
  void append_default() override { indexes_.push_back(0); }
  // For decoders: replaces all rows. INVALID_ARGUMENT, data, when an index has no text.
  Status assign(std::span<const std::string_view> dictionary, std::vector<std::uint32_t> indexes);

  bool nullable() const noexcept { return nullable_; }
  // Nothing = NULL.
  std::optional<std::string_view> at(std::size_t row) const {
    if (nullable_ && indexes_[row] == 0) return std::nullopt;
    return dictionary_.at(indexes_[row]);
  }
  // The texts by index; that of index 0 is "" in a column that was filled by append().
  const StringColumn& dictionary() const noexcept { return dictionary_; }
  std::span<const std::uint32_t> indexes() const noexcept { return indexes_; }

  std::size_t rows() const noexcept override { return indexes_.size(); }
  std::size_t memory_bytes() const noexcept override;
  void clear() noexcept override;

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t index = 0;  // 0 = free: index 0 is never looked up.
  };
  std::uint32_t index_of(std::string_view text);
  void grow_slots();

  const bool nullable_;
  StringColumn dictionary_;
  std::vector<std::uint32_t> indexes_;
  std::vector<Slot> slots_;  // Open addressing; a power of two, at most half full.
  std::uint32_t last_ = 0;   // The index appended last: consecutive rows are mostly equal.
};

}  // namespace spanway::block
