// Traces in the memory of this process.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/otlp_blocks/resource_reader.h"
#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/store/filter/scanning_trace_store.h"
#include "services/query/store/memory/request_ring.h"

namespace spanway::query {

struct MemoryTraceStoreOptions {
  std::size_t bytes_max = 256u << 20;  // For all tenants together.
};

// Thread-safe. The oldest requests are dropped when there are more bytes than allowed.
class MemoryTraceStore final : public ScanningTraceStore {
 public:
  explicit MemoryTraceStore(MemoryTraceStoreOptions options = {}) : ring_(options.bytes_max) {}

  // An ExportTraceServiceRequest. Errors as of otlp_blocks::Converter; RESOURCE_EXHAUSTED, data,
  // for one that is larger than the ring.
  Status add(std::string_view tenant, std::string_view payload);
  std::size_t memory_bytes() const;
  // Those that have spans, by name.
  std::set<std::string> tenants() const;

  Result<BlockStreamPtr> spans_of(const TraceId& trace_id, std::optional<TimeRange> hint,
                                  SpanColumns columns, QueryContext& context) override;
  Result<BlockStreamPtr> spans_of(std::span<const TraceId> trace_ids, std::optional<TimeRange> hint,
                                  SpanColumns columns, QueryContext& context) override;
  Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                    QueryContext& context) override;
  Result<BlockStreamPtr> newest(const SpanQuery& query, SpanColumns columns,
                                QueryContext& context) override;
  Result<StoreStatus> status(QueryContext& context) override;
  Status ping(QueryContext& context) override;

 protected:
  Status scan(const SpanQuery& query, const Columns& columns, QueryContext& context,
              const Visit& visit) override;

 private:
  // The rows of one request. Immutable once it is in the ring.
  struct Entry {
    std::string tenant;
    std::vector<block::Block> spans;
    std::vector<block::Block> resource_rows;
    otlp_blocks::ResourceReader resources;
    std::size_t bytes = 0;
  };
  using Entries = RequestRing<Entry>::Entries;
  using VisitRow = std::function<Status(
      const std::shared_ptr<const Entry>& entry, const block::Block& block, std::size_t row,
      const otlp_blocks::StoredSpan& span, const otlp::ResourceView* resource)>;

  Entries entries_of(const std::string& tenant) const;
  // Every span of the tenant that the query matches.
  Status each(const SpanQuery& query, QueryContext& context, const VisitRow& visit) const;

  mutable Mutex mutex_;
  otlp_blocks::Converter converter_ SPANWAY_GUARDED_BY(mutex_);
  RequestRing<Entry> ring_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::query
