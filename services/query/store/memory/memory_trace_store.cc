#include "services/query/store/memory/memory_trace_store.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "services/lib/block/copy_rows.h"
#include "services/query/store/filter/span_matcher.h"

namespace spanway::query {
Status MemoryTraceStore::add(std::string_view tenant, std::string_view payload) {
  MutexLock lock(mutex_);
  SPANWAY_ASSIGN(auto blocks,
                 converter_.convert(otlp::Signal::kTraces, payload, {.tenant = tenant}));
  auto entry = std::make_shared<Entry>();
  entry->tenant = tenant;
  for (auto& data : blocks.data) {
    entry->bytes += data.rows.memory_bytes();
    entry->spans.push_back(std::move(data.rows));
  }
  for (auto& dictionary : blocks.dictionaries) {
    if (dictionary.table != "resources") continue;
    block::Block copy = block::empty_like(dictionary.rows);
    for (std::size_t row = 0; row < dictionary.rows.rows(); ++row)
      block::append_row(dictionary.rows, row, copy);
    entry->bytes += 2 * copy.memory_bytes();
    entry->resource_rows.push_back(std::move(copy));
    SPANWAY_TRY(entry->resources.add(std::move(dictionary.rows)));
  }
  return ring_.push(std::move(entry));
}

std::size_t MemoryTraceStore::memory_bytes() const {
  MutexLock lock(mutex_);
  return ring_.bytes();
}

std::set<std::string> MemoryTraceStore::tenants() const {
  MutexLock lock(mutex_);
  return ring_.tenants();
}

MemoryTraceStore::Entries MemoryTraceStore::entries_of(const std::string& tenant) const {
  MutexLock lock(mutex_);
  return ring_.of_tenant(tenant);
}

Status MemoryTraceStore::each(const SpanQuery& query, QueryContext& context,
                              const VisitRow& visit) const {
  SPANWAY_ASSIGN(const SpanMatcher matcher, SpanMatcher::create(query.where));
  ++context.cost.statements;
  for (const auto& entry : entries_of(context.tenant))
    for (const block::Block& rows : entry->spans) {
      if (context.cancel.cancelled())
        return transient_error(Code::kCancelled, "the query was cancelled")
            .with_reason("cancelled");
      context.cost.rows_read += rows.rows();
      context.cost.bytes_read += rows.memory_bytes();
      otlp_blocks::SpanReader reader(rows);
      for (std::size_t row = 0; row < rows.rows(); ++row) {
        if (!query.range.contains(reader.start_unix_nano(row))) continue;
        const otlp_blocks::StoredSpan* stored = reader.read(row);
        SPANWAY_CHECK(stored != nullptr);  // Our own converter has written it.
        const otlp::ResourceView* resource = entry->resources.find(stored->resource_id);
        if (matcher.matches(*stored, resource))
          SPANWAY_TRY(visit(entry, rows, row, *stored, resource));
      }
    }
  return {};
}

Status MemoryTraceStore::scan(const SpanQuery& query, const Columns&, QueryContext& context,
                              const Visit& visit) {
  return each(
      query, context,
      [&](const auto&, const block::Block&, std::size_t, const otlp_blocks::StoredSpan& stored,
          const otlp::ResourceView* resource) { return visit(stored, resource); });
}

Result<BlockStreamPtr> MemoryTraceStore::spans_of(const TraceId& trace_id,
                                                  std::optional<TimeRange> hint,
                                                  SpanColumns columns, QueryContext& context) {
  return spans_of(std::span(&trace_id, 1), hint, columns, context);
}

Result<BlockStreamPtr> MemoryTraceStore::spans_of(std::span<const TraceId> trace_ids,
                                                  std::optional<TimeRange> hint, SpanColumns,
                                                  QueryContext& context) {
  std::map<std::string_view, block::Block> by_trace;
  for (const TraceId& id : trace_ids) by_trace.try_emplace(id);
  std::size_t bytes = context.budget.memory.bytes();
  SPANWAY_TRY(each({.range = hint.value_or(TimeRange{})}, context,
                   [&](const auto&, const block::Block& rows, std::size_t row,
                       const otlp_blocks::StoredSpan& stored, const otlp::ResourceView*) -> Status {
                     const auto found = by_trace.find(stored.span.trace_id);
                     if (found == by_trace.end()) return {};
                     block::Block& own = found->second;
                     if (own.columns() == 0) own = block::empty_like(rows);
                     block::append_row(rows, row, own);
                     return {};
                   }));
  std::vector<block::Block> blocks;
  for (auto& [id, rows] : by_trace)
    if (rows.rows() > 0) {
      bytes += rows.memory_bytes();
      blocks.push_back(std::move(rows));
    }
  SPANWAY_TRY(context.budget.keep(bytes));
  return block_stream(std::move(blocks));
}

Result<block::Block> MemoryTraceStore::resources_of(std::span<const std::uint64_t> ids,
                                                    QueryContext& context) {
  std::set<std::uint64_t> missing(ids.begin(), ids.end());
  block::Block result;
  for (const auto& entry : entries_of(context.tenant))
    for (const block::Block& rows : entry->resource_rows) {
      const auto& column = static_cast<const block::FixedColumn&>(*rows.find("res_id"));
      for (std::size_t row = 0; row < rows.rows(); ++row) {
        if (missing.erase(column.values<std::uint64_t>()[row]) == 0) continue;
        if (result.columns() == 0) result = block::empty_like(rows);
        block::append_row(rows, row, result);
      }
    }
  return result;
}

Result<BlockStreamPtr> MemoryTraceStore::newest(const SpanQuery& query, SpanColumns,
                                                QueryContext& context) {
  context.coverage = {
      .requested = query.range, .searched = query.range, .complete = true, .why = ""};
  // The oldest of those kept is the first.
  struct Kept {
    std::shared_ptr<const Entry> entry;
    const block::Block* rows;
    std::size_t row;
  };
  std::multimap<std::int64_t, Kept> kept;
  SPANWAY_TRY(each(query, context,
                   [&](const auto& entry, const block::Block& rows, std::size_t row,
                       const otlp_blocks::StoredSpan& stored, const otlp::ResourceView*) -> Status {
                     kept.emplace(static_cast<std::int64_t>(stored.span.start_time_unix_nano),
                                  Kept{entry, &rows, row});
                     if (kept.size() > query.limit) kept.erase(kept.begin());
                     return {};
                   }));
  block::Block result;
  for (auto it = kept.rbegin(); it != kept.rend(); ++it) {
    if (result.columns() == 0) result = block::empty_like(*it->second.rows);
    block::append_row(*it->second.rows, it->second.row, result);
  }
  SPANWAY_TRY(context.budget.keep(context.budget.memory.bytes() + result.memory_bytes()));
  return one_block(std::move(result));
}

Result<StoreStatus> MemoryTraceStore::status(QueryContext& context) {
  StoreStatus status{
      .type = "memory", .endpoint = "", .spans = 0, .newest_unix_nano = std::nullopt};
  SPANWAY_TRY(scan({}, {}, context,
                   [&](const otlp_blocks::StoredSpan& stored, const otlp::ResourceView*) -> Status {
                     const auto start = static_cast<std::int64_t>(stored.span.start_time_unix_nano);
                     ++status.spans;
                     status.newest_unix_nano =
                         std::max(status.newest_unix_nano.value_or(start), start);
                     return {};
                   }));
  return status;
}

Status MemoryTraceStore::ping(QueryContext&) { return {}; }

}  // namespace spanway::query
