// Entries in the memory of a test.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "services/query/logql/entry.h"

namespace spanway::query::logql {

// Applies the matchers, the range and the order, and nothing else: conditions on lines are the
// engine's to apply.
class VectorSource final : public EntrySource {
 public:
  void add(std::int64_t time, const Labels& stream, std::string line, Labels metadata = {});
  Result<std::unique_ptr<EntryStream>> select(const EntrySelect& query) override;
  Status hold(std::size_t bytes) override;

  std::size_t held_max = 0;               // By the engine so far.
  std::size_t hold_max = 1u << 30;        // Beyond, hold() fails.
  std::vector<EntrySelect> selects = {};  // All so far.
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace spanway::query::logql
