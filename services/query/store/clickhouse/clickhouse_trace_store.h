// Traces in the tables of services/lib/schema.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/trace_store.h"

namespace spanway::query {

struct ClickHouseTraceStoreOptions {
  // Spans that a search reads first, at least: the server reads granules of 8192 rows.
  std::uint64_t first_window_spans = 10'000;
};

// Thread-safe. The client outlives the store.
class ClickHouseTraceStore final : public TraceStore {
 public:
  explicit ClickHouseTraceStore(clickhouse::Client& client,
                                ClickHouseTraceStoreOptions options = {}) noexcept
      : client_(client), options_(options) {}

  Result<BlockStreamPtr> spans_of(const TraceId& trace_id, std::optional<TimeRange> hint,
                                  SpanColumns columns, QueryContext& context) override;
  Result<BlockStreamPtr> spans_of(std::span<const TraceId> trace_ids, std::optional<TimeRange> hint,
                                  SpanColumns columns, QueryContext& context) override;
  Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                    QueryContext& context) override;
  Result<BlockStreamPtr> newest(const SpanQuery& query, SpanColumns columns,
                                QueryContext& context) override;
  Result<Found> find(const SpanQuery& query, QueryContext& context) override;
  Result<std::vector<TraceSummary>> summaries(std::span<const TraceId> trace_ids,
                                              std::optional<TimeRange> hint,
                                              QueryContext& context) override;
  Result<std::vector<std::string>> services(TimeRange range, QueryContext& context) override;
  Result<std::vector<Operation>> operations(const std::string& service, TimeRange range,
                                            QueryContext& context) override;
  Result<std::vector<AttributeKey>> attribute_keys(Scope scope, TimeRange range,
                                                   QueryContext& context) override;
  Result<std::vector<Value>> values(const Subject& subject, const SpanQuery& query,
                                    QueryContext& context) override;
  Result<std::vector<Dependency>> dependencies(TimeRange range, QueryContext& context) override;
  Result<std::vector<RedRow>> red(const RedQuery& query, QueryContext& context) override;
  Result<StoreStatus> status(QueryContext& context) override;
  Status ping(QueryContext& context) override;

 private:
  clickhouse::Client& client_;
  const ClickHouseTraceStoreOptions options_;
};

}  // namespace spanway::query
