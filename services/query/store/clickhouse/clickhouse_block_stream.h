// A streamed SELECT as a BlockStream. Internal to query/store/clickhouse.
#pragma once

#include <memory>

#include "services/lib/clickhouse/select_stream.h"
#include "services/query/store/block_stream.h"
#include "services/query/store/query_context.h"

namespace spanway::query {

// The context outlives the stream. Counts its cost there when it ends, and enforces spans_max.
class ClickHouseBlockStream final : public BlockStream {
 public:
  ClickHouseBlockStream(std::unique_ptr<clickhouse::SelectStream> stream, QueryContext& context);
  ~ClickHouseBlockStream() override;
  Result<std::optional<block::Block>> next() override;

 private:
  const std::unique_ptr<clickhouse::SelectStream> stream_;
  QueryContext& context_;
  CancelToken::Registration cancel_;
  std::uint64_t rows_ = 0;
};

// The error as a query's client understands it.
Error explained(Error error);

}  // namespace spanway::query
