// Traces out of the blocks of a store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "services/lib/block/block.h"
#include "services/lib/otlp_blocks/resource_reader.h"
#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/store/trace_store.h"
#include "services/query/traceql/trace.h"

namespace spanway::query::traceql {

// Rows of blocks as spans of a trace, with the resources that they refer to. Single-thread; the
// store and the context outlive it.
class SpanRows {
 public:
  SpanRows(TraceStore& store, BlockStreamPtr rows, QueryContext& context)
      : store_(store), rows_(std::move(rows)), context_(context) {}

  // Moves to the next row; false at the end.
  Result<bool> next();
  // The current row, valid until the next call of next().
  const otlp_blocks::StoredSpan& stored() const noexcept { return *stored_; }
  // Appends the current row to the trace.
  void append_to(Trace& trace);
  // A new trace begins: resources are numbered anew.
  void begin_trace() { resource_indexes_.clear(); }
  std::uint64_t spans_read() const noexcept { return spans_read_; }
  // Bytes that the caller holds beside the rows; counted against the budget, too.
  void set_held(std::size_t bytes) noexcept { held_ = bytes; }
  // Grows the budget's permit to what is held, the current block and `more`.
  Status keep(std::size_t more);

 private:
  Status read_resources();

  TraceStore& store_;
  const BlockStreamPtr rows_;
  QueryContext& context_;
  std::optional<block::Block> block_;
  std::optional<otlp_blocks::SpanReader> reader_;
  std::size_t row_ = 0;
  const otlp_blocks::StoredSpan* stored_ = nullptr;
  otlp_blocks::ResourceReader resources_;
  std::unordered_map<std::uint64_t, std::size_t> resource_indexes_;  // In the trace.
  std::uint64_t spans_read_ = 0;
  std::size_t held_ = 0;
};

// Complete traces, one after the other, of rows in which the spans of one trace are adjacent.
class TraceStream {
 public:
  TraceStream(TraceStore& store, BlockStreamPtr rows, QueryContext& context)
      : rows_(store, std::move(rows), context), context_(context) {}

  // Nothing at the end. RESOURCE_EXHAUSTED for a trace beyond the budget's spans or memory.
  Result<std::optional<Trace>> next();
  std::uint64_t spans_read() const noexcept { return rows_.spans_read(); }
  void set_held(std::size_t bytes) noexcept { rows_.set_held(bytes); }

 private:
  SpanRows rows_;
  QueryContext& context_;
  bool has_row_ = false;
  bool ended_ = false;
};

}  // namespace spanway::query::traceql
