// The rows with the newest start among many. Internal to query/store/s3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "services/lib/block/block.h"

namespace spanway::query {

// External lock. Holds copies of at most twice `limit` rows.
class NewestRows {
 public:
  // `fields`: the columns that are kept, which are the first ones of every batch.
  NewestRows(std::size_t limit, std::vector<block::Field> fields);

  void add(const block::Block& batch, std::size_t row, std::int64_t start);
  // Nothing older or equal can still become one of them.
  bool is_older(std::int64_t start) const noexcept;
  std::size_t memory_bytes() const noexcept { return rows_.memory_bytes(); }
  // Newest first.
  block::Block take();

 private:
  block::Block sorted() const;

  const std::size_t limit_;
  const std::vector<block::Field> fields_;
  block::Block rows_;
  std::multimap<std::int64_t, std::size_t> kept_;  // Start -> row of `rows_`; at most `limit_`.
};

}  // namespace spanway::query
