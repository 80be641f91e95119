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

MemoryTraceStore::Entries MemoryTraceStore::entries_of(const std::string& tenant) const {
  MutexLock lock(mutex_);
  return ring_.of_tenant(tenant);
}

Status MemoryTraceStore::each(const SpanQuery& query, QueryContext& context,
                              const Visit& visit) const {
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
        const otlp_blocks::StoredSpan* stored = reader.read(row);
        SPANWAY_CHECK(stored != nullptr);  // Our own converter has written it.
        if (matches(query, *stored, entry->resources.find(stored->resource_id)))
          visit(*entry, rows, row, *stored);
      }
    }
  return {};
}

Result<BlockStreamPtr> MemoryTraceStore::spans_of(const TraceId& trace_id,
                                                  std::optional<TimeRange> hint, SpanColumns,
                                                  QueryContext& context) {
  SpanQuery query;
  if (hint) query.range = *hint;
  block::Block result;
  SPANWAY_TRY(each(query, context,
                   [&](const Entry&, const block::Block& rows, std::size_t row,
                       const otlp_blocks::StoredSpan& stored) {
                     if (stored.span.trace_id != trace_id) return;
                     if (result.columns() == 0) result = block::empty_like(rows);
                     block::append_row(rows, row, result);
                   }));
  SPANWAY_TRY(context.budget.keep(context.budget.memory.bytes() + result.memory_bytes()));
  return one_block(std::move(result));
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
  const Entries entries = entries_of(context.tenant);
  SPANWAY_TRY(each(query, context,
                   [&](const Entry& entry, const block::Block& rows, std::size_t row,
                       const otlp_blocks::StoredSpan& stored) {
                     const auto owner =
                         std::find_if(entries.begin(), entries.end(),
                                      [&](const auto& e) { return e.get() == &entry; });
                     if (owner == entries.end()) return;
                     kept.emplace(static_cast<std::int64_t>(stored.span.start_time_unix_nano),
                                  Kept{*owner, &rows, row});
                     if (kept.size() > query.limit) kept.erase(kept.begin());
                   }));
  block::Block result;
  for (auto it = kept.rbegin(); it != kept.rend(); ++it) {
    if (result.columns() == 0) result = block::empty_like(*it->second.rows);
    block::append_row(*it->second.rows, it->second.row, result);
  }
  SPANWAY_TRY(context.budget.keep(context.budget.memory.bytes() + result.memory_bytes()));
  return one_block(std::move(result));
}

Result<Found> MemoryTraceStore::find(const SpanQuery& query, QueryContext& context) {
  context.coverage = {
      .requested = query.range, .searched = query.range, .complete = true, .why = ""};
  std::map<TraceId, FoundTrace> by_id;
  SPANWAY_TRY(each(
      query, context,
      [&](const Entry&, const block::Block&, std::size_t, const otlp_blocks::StoredSpan& stored) {
        FoundTrace& found = by_id[TraceId(stored.span.trace_id)];
        const auto start = static_cast<std::int64_t>(stored.span.start_time_unix_nano);
        found.newest_unix_nano =
            found.matched == 0 ? start : std::max(found.newest_unix_nano, start);
        ++found.matched;
      }));
  Found result{.traces = {}, .applied = std::vector<bool>(query.all_of.size(), true)};
  for (auto& [id, found] : by_id) {
    found.trace_id = id;
    result.traces.push_back(std::move(found));
  }
  std::stable_sort(result.traces.begin(), result.traces.end(),
                   [](const FoundTrace& a, const FoundTrace& b) {
                     return a.newest_unix_nano > b.newest_unix_nano;
                   });
  if (result.traces.size() > query.limit) result.traces.resize(query.limit);
  return result;
}

Result<std::vector<std::string>> MemoryTraceStore::services(TimeRange range,
                                                            QueryContext& context) {
  std::set<std::string> names;
  SPANWAY_TRY(
      each({.range = range}, context,
           [&](const Entry&, const block::Block&, std::size_t,
               const otlp_blocks::StoredSpan& stored) { names.emplace(stored.service_name); }));
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> MemoryTraceStore::operations(const std::string& service,
                                                              TimeRange range,
                                                              QueryContext& context) {
  std::set<std::string> names;
  SPANWAY_TRY(
      each({.range = range, .service = service}, context,
           [&](const Entry&, const block::Block&, std::size_t,
               const otlp_blocks::StoredSpan& stored) { names.emplace(stored.span.name); }));
  return std::vector<std::string>(names.begin(), names.end());
}

Result<StoreStatus> MemoryTraceStore::status(QueryContext& context) {
  StoreStatus status{
      .type = "memory", .endpoint = "", .spans = 0, .newest_unix_nano = std::nullopt};
  SPANWAY_TRY(each(
      {}, context,
      [&](const Entry&, const block::Block&, std::size_t, const otlp_blocks::StoredSpan& stored) {
        const auto start = static_cast<std::int64_t>(stored.span.start_time_unix_nano);
        ++status.spans;
        status.newest_unix_nano = std::max(status.newest_unix_nano.value_or(start), start);
      }));
  return status;
}

Status MemoryTraceStore::ping(QueryContext&) { return {}; }

}  // namespace spanway::query
