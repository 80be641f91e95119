#include "services/query/store/s3/newest_rows.h"

#include <utility>

#include "services/lib/block/copy_rows.h"

namespace spanway::query {

NewestRows::NewestRows(std::size_t limit, std::vector<block::Field> fields)
    : limit_(limit), fields_(std::move(fields)), rows_(fields_) {}

bool NewestRows::is_older(std::int64_t start) const noexcept {
  return limit_ == 0 || (kept_.size() == limit_ && start <= kept_.begin()->first);
}

void NewestRows::add(const block::Block& batch, std::size_t row, std::int64_t start) {
  if (is_older(start)) return;
  if (kept_.size() == limit_) kept_.erase(kept_.begin());
  if (rows_.rows() >= 2 * limit_) {
    const std::vector<std::pair<std::int64_t, std::size_t>> old(kept_.rbegin(), kept_.rend());
    rows_ = sorted();
    kept_.clear();
    for (std::size_t i = 0; i < old.size(); ++i) kept_.emplace(old[i].first, i);
  }
  kept_.emplace(start, rows_.rows());
  for (std::size_t i = 0; i < fields_.size(); ++i)
    block::append_row(batch.column(i), row, rows_.column(i));
}

block::Block NewestRows::sorted() const {
  block::Block sorted(fields_);
  for (auto kept = kept_.rbegin(); kept != kept_.rend(); ++kept)
    block::append_row(rows_, kept->second, sorted);
  return sorted;
}

block::Block NewestRows::take() { return sorted(); }

}  // namespace spanway::query
