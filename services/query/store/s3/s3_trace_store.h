// Traces in the Parquet files of an S3 bucket, as the s3 destination writes them and compaction
// joins them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/mutex.h"
#include "services/lib/otlp_blocks/span_reader.h"
#include "services/query/store/filter/scanning_trace_store.h"
#include "services/query/store/s3/bucket.h"
#include "services/query/store/s3/bucket_query.h"
#include "services/query/store/s3/byte_cache.h"
#include "services/query/store/s3/resource_cache.h"

namespace spanway::query {

struct S3TraceStoreOptions {
  // Ends of files and resources, for all queries.
  std::size_t cache_bytes = 32u << 20;
  // That open files for one query at once.
  std::size_t threads = 8;
  // Figures of a tenant are counted again after this time: a count lists every object.
  Duration status_age_max = std::chrono::seconds(60);
};

// Thread-safe. The budget and the clock outlive the store; the cache takes of the budget what is
// free. Reads one listing of each day, the ends of files, and of the rows only the columns that a
// query needs.
class S3TraceStore final : public ScanningTraceStore {
 public:
  S3TraceStore(Bucket bucket, MemoryBudget& budget, const Clock& clock,
               S3TraceStoreOptions options = {});

  Result<BlockStreamPtr> spans_of(const TraceId& trace_id, std::optional<TimeRange> hint,
                                  SpanColumns columns, QueryContext& context) override;
  // One trace after the other.
  Result<BlockStreamPtr> spans_of(std::span<const TraceId> trace_ids, std::optional<TimeRange> hint,
                                  SpanColumns columns, QueryContext& context) override;
  Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                    QueryContext& context) override;
  Result<BlockStreamPtr> newest(const SpanQuery& query, SpanColumns columns,
                                QueryContext& context) override;
  // Counts of the names of the objects, at most `status_age_max` old.
  Result<StoreStatus> status(QueryContext& context) override;
  // Lists the tenant's days.
  Status ping(QueryContext& context) override;

 protected:
  Status scan(const SpanQuery& query, const Columns& columns, QueryContext& context,
              const Visit& visit) override;

 private:
  using VisitRow = std::function<Status(const block::Block& batch, std::size_t row,
                                        const otlp_blocks::StoredSpan& span,
                                        const otlp::ResourceView* resource)>;
  // The conditions of one query, and the columns that they and its result need.
  struct Reading;
  Result<Reading> reading_of(const SpanQuery& query, std::vector<block::Field> fields,
                             bool with_resource) const;
  // Every span of the object that the query matches.
  Status each(BucketQuery& query, const objectstore::LiveObject& object, const Reading& reading,
              const VisitRow& visit);
  Result<StoreStatus> count(BucketQuery& query) const;
  // Figures that are young enough.
  std::optional<StoreStatus> counted(const std::string& tenant);

  const Bucket bucket_;
  const Clock& clock_;
  const S3TraceStoreOptions options_;
  ByteCache cache_;
  ResourceCache resources_;
  struct Counted {
    SteadyTime at;
    StoreStatus status;
  };
  Mutex mutex_;
  std::map<std::string, Counted> counted_
      SPANWAY_GUARDED_BY(mutex_);  // By tenant; a bounded number.
};

}  // namespace spanway::query
