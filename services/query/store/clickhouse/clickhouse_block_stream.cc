#include "services/query/store/clickhouse/clickhouse_block_stream.h"

#include <string>
#include <utility>

namespace spanway::query {

ClickHouseBlockStream::ClickHouseBlockStream(std::unique_ptr<clickhouse::SelectStream> stream,
                                             QueryContext& context)
    : stream_(std::move(stream)),
      context_(context),
      cancel_(context.cancel.on_cancel([stream = stream_.get()] { stream->cancel(); })) {
  ++context_.cost.statements;
}

ClickHouseBlockStream::~ClickHouseBlockStream() {
  const clickhouse::SelectCost cost = stream_->cost();
  context_.cost.rows_read += cost.rows_read;
  context_.cost.bytes_read += cost.bytes_read;
  context_.cost.blocks += cost.blocks;
}

Result<std::optional<block::Block>> ClickHouseBlockStream::next() {
  const SteadyTime begin = context_.clock == nullptr ? SteadyTime() : context_.clock->now();
  auto block = stream_->next();
  if (context_.clock != nullptr) context_.cost.waited += context_.clock->now() - begin;
  if (!block.ok()) return explained(std::move(block).error());
  if (!block->has_value()) return block;
  rows_ += (*block)->rows();
  if (rows_ > context_.budget.spans_max)
    return data_error(Code::kResourceExhausted, "the answer has more than " +
                                                    std::to_string(context_.budget.spans_max) +
                                                    " rows; narrow it by time")
        .with_reason("too_many_rows");
  return block;
}

Error explained(Error error) {
  // Memory of the server: for an insert a matter of waiting, for a query of its size.
  if (error.code == Code::kResourceExhausted && error.refusal == Refusal::kData)
    error.message += "; narrow the query by time, service or another condition";
  return error;
}

}  // namespace spanway::query
