// Traces in the tables of services/lib/schema.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/lib/clickhouse/client.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

// Thread-safe. The client outlives the store.
class ClickHouseTraceStore final : public TraceStore {
 public:
  explicit ClickHouseTraceStore(clickhouse::Client& client) noexcept : client_(client) {}

  Result<BlockStreamPtr> spans_of(const TraceId& trace_id, std::optional<TimeRange> hint,
                                  SpanColumns columns, QueryContext& context) override;
  Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                    QueryContext& context) override;
  Result<BlockStreamPtr> newest(const SpanQuery& query, SpanColumns columns,
                                QueryContext& context) override;
  Result<Found> find(const SpanQuery& query, QueryContext& context) override;
  Result<std::vector<std::string>> services(TimeRange range, QueryContext& context) override;
  Result<std::vector<std::string>> operations(const std::string& service, TimeRange range,
                                              QueryContext& context) override;
  Result<StoreStatus> status(QueryContext& context) override;
  Status ping(QueryContext& context) override;

 private:
  Result<std::vector<std::string>> names(clickhouse::Select select, QueryContext& context) const;
  // The begin of a range that holds at least `query.limit` spans of the service, by the rollup; the
  // range's own begin when there are fewer.
  Result<std::int64_t> begin_of_newest(const SpanQuery& query, QueryContext& context) const;

  clickhouse::Client& client_;
};

}  // namespace spanway::query
