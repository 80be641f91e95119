// Entries for LogQL, off a store of logs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "services/query/logql/entry.h"
#include "services/query/store/log_store.h"

namespace spanway::query {

struct StoreEntrySourceOptions {
  // Rows of the first page of a query of entries, at least; and of any page.
  std::size_t page_rows_min = 100;
  std::size_t page_rows_max = 20'000;
  // Bytes of lines that a metric reads at once, about.
  std::uint64_t window_bytes = 32u << 20;
};

// Belongs to one query and its thread. All that it is given outlives it and its streams. A query of
// entries that reaches a bound behind its first page ends early: the context's coverage says so.
class StoreEntrySource final : public logql::EntrySource {
 public:
  StoreEntrySource(LogStore& store, QueryContext& context, const Clock& clock,
                   StoreEntrySourceOptions options = {})
      : store_(store), context_(context), clock_(clock), options_(options) {}

  Result<std::unique_ptr<logql::EntryStream>> select(const logql::EntrySelect& query) override;
  Status hold(std::size_t bytes) override;

 private:
  class Stream;
  // CANCELLED or DEADLINE_EXCEEDED once the query is over, or will be in `margin`.
  Status check(Duration margin = {}) const;
  // A stream holds `bytes` now and `held` before.
  Status exchange(std::size_t& held, std::size_t bytes);

  LogStore& store_;
  QueryContext& context_;
  const Clock& clock_;
  const StoreEntrySourceOptions options_;
  std::size_t by_engine_ = 0;
  std::size_t by_streams_ = 0;
};

}  // namespace spanway::query
