// Results of the insight in the tables edges_5m, findings and insight_windows.
#pragma once

#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/query/store/insight_store.h"

namespace spanway::query {

// Thread-safe. The clients outlive the store; they may be one. The writer's user may INSERT into
// the three tables. An insert that is repeated changes nothing: the tables replace equal keys.
class ClickHouseInsightStore final : public InsightStore {
 public:
  ClickHouseInsightStore(clickhouse::Client& reader, clickhouse::Client& writer) noexcept
      : reader_(reader), writer_(writer) {}

  Status write(const WindowResult& result, QueryContext& context) override;
  Result<std::vector<WindowState>> windows(TimeRange range, QueryContext& context) override;
  Result<std::vector<EdgeRow>> edges(TimeRange range, std::int64_t step_ns,
                                     QueryContext& context) override;
  Result<std::vector<FindingRow>> findings(const FindingQuery& query,
                                           QueryContext& context) override;
  bool is_durable() const noexcept override { return true; }

 private:
  clickhouse::Client& reader_;
  clickhouse::Client& writer_;
};

// The tenants with spans in the five minutes that the range touches, by name, at most `limit`.
Result<std::vector<std::string>> read_tenants(clickhouse::Client& client, TimeRange range,
                                              std::size_t limit, QueryContext& context);

}  // namespace spanway::query
