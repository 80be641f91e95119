// One query's view of the bucket: which objects hold its rows, and how they are opened. Internal to
// query/store/s3.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "services/lib/objectstore/manifest.h"
#include "services/lib/objectstore/object_store.h"
#include "services/lib/parquet_file/codec.h"
#include "services/query/store/query_context.h"
#include "services/query/store/s3/bucket.h"
#include "services/query/store/s3/byte_cache.h"

namespace spanway::query {

// One thread's, but for open(). The context and the rest outlive it. Its requests end with the
// query: by the deadline, or at once when the query is cancelled.
class BucketQuery {
 public:
  BucketQuery(const Bucket& bucket, ByteCache& cache, QueryContext& context);
  ~BucketQuery();
  BucketQuery(const BucketQuery&) = delete;
  BucketQuery& operator=(const BucketQuery&) = delete;

  struct Day {
    std::string folder;
    std::int64_t begin_ms = 0;
  };
  // The tenant's days with rows in the range, newest first.
  Result<std::vector<Day>> days(TimeRange range);
  // The objects of a day with rows in the range, the one with the newest row first; each row of the
  // day is in one of them.
  Result<std::vector<objectstore::LiveObject>> objects(const Day& day, TimeRange range);
  // Reads the footer. Thread-safe.
  Result<std::unique_ptr<parquet_file::File>> open(const objectstore::LiveObject& object);

  // The query holds so much while it reads, and its list of objects.
  Status reserve(std::size_t bytes);
  // Counts rows that were read, and enforces the budget and the cancellation.
  Status count_rows(std::uint64_t rows);
  QueryContext& context() noexcept { return context_; }

  // The greatest and smallest start of the rows of an object, in ns.
  static std::int64_t end_of(const objectstore::LiveObject& object) noexcept;
  static std::int64_t begin_of(const objectstore::LiveObject& object) noexcept;

 private:
  const Bucket& bucket_;
  ByteCache& cache_;
  QueryContext& context_;
  std::stop_source stop_;
  const std::unique_ptr<objectstore::ObjectStore> store_;
  const CancelToken::Registration cancel_;
  std::atomic<std::uint64_t> fetched_bytes_ = 0;
  std::size_t listed_bytes_ = 0;  // The day that was listed last.
};

// The error as a query's client understands it: what is stored is not what the client has sent.
Error explained_by_store(Error error);

}  // namespace spanway::query
