// Rates, errors and durations, span by span.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// External lock. Memory grows with the number of rows of the result.
class RedCounter {
 public:
  explicit RedCounter(RedQuery query);
  // A span that starts in the query's range; others of services and kinds are left out.
  void add(const otlp_blocks::StoredSpan& stored);
  std::size_t memory_bytes() const noexcept;
  // By time, service, name and kind.
  std::vector<RedRow> take();

 private:
  const RedQuery query_;
  std::map<std::tuple<std::int64_t, std::string, std::string, int>, RedRow> rows_;
};

}  // namespace spanway::query
