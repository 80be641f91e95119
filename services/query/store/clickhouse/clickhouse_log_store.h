// Logs in the tables of services/lib/schema.
#pragma once

#include <vector>

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/log_store.h"

namespace spanway::query {

// Thread-safe. The client outlives the store.
class ClickHouseLogStore final : public LogStore {
 public:
  explicit ClickHouseLogStore(clickhouse::Client& client) noexcept : client_(client) {}

  Result<std::vector<LogStream>> streams(std::span<const LabelMatcher> matchers, TimeRange range,
                                         QueryContext& context) override;
  Result<BlockStreamPtr> select(const LogSelect& query, QueryContext& context) override;
  Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                    QueryContext& context) override;
  Result<std::vector<LogVolume>> volume(std::span<const LabelMatcher> matchers, TimeRange range,
                                        QueryContext& context) override;

 private:
  clickhouse::Client& client_;
};

}  // namespace spanway::query
