// The reading contract of a store of logs. APIs and engines know nothing else of a store.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "services/query/store/block_stream.h"
#include "services/query/store/log_query.h"

namespace spanway::query {

// Thread-safe. Every call sees the records of the context's tenant only, and blocks until it has an
// answer or the deadline has passed. Errors as of TraceStore, and INVALID_ARGUMENT, data, for a
// regex that is none and for more than kMatchersMax or kLineFiltersMax conditions. The suite
// tests/contract/store_contract/log_store_contract_test.cc holds for every store.
class LogStore {
 public:
  virtual ~LogStore() = default;

  // The streams that match and have a record on a day of the range, by id, each once.
  virtual Result<std::vector<LogStream>> streams(std::span<const LabelMatcher> matchers,
                                                 TimeRange range, QueryContext& context) = 0;
  // The records that match, as columns of the table of logs, by time, at most `limit` of them. From
  // the newest on it may end early, as TraceStore's searches do: see QueryContext::coverage.
  virtual Result<BlockStreamPtr> select(const LogSelect& query, QueryContext& context) = 0;
  // Rows of the table of resources: each of these ids that exists, once.
  virtual Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                            QueryContext& context) = 0;
  // Figures of each stream that matches and has records, by id; of the five minutes that the range
  // touches, whole.
  virtual Result<std::vector<LogVolume>> volume(std::span<const LabelMatcher> matchers,
                                                TimeRange range, QueryContext& context) = 0;
};

// INVALID_ARGUMENT, data, for too many conditions and for a regex that is none: every store checks
// it first.
Status check(const LogSelect& query);

}  // namespace spanway::query
