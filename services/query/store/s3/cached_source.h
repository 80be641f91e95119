// An object as the source of a Parquet file, with its end in a cache. Internal to query/store/s3.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "services/lib/base/mutex.h"
#include "services/lib/objectstore/object_store.h"
#include "services/lib/parquet_file/byte_source.h"
#include "services/query/store/s3/byte_cache.h"

namespace spanway::query {

// Thread-safe. All references outlive the source. One request fetches the last 128 KiB of the
// object, where the footer is and all of a small file; that and other short reads, bloom filters
// among them, are kept in the cache. An object never changes under its key.
class CachedSource final : public parquet_file::ByteSource {
 public:
  CachedSource(objectstore::ObjectStore& store, std::string key, std::uint64_t bytes,
               ByteCache& cache, std::atomic<std::uint64_t>& fetched_bytes);
  std::uint64_t size() const noexcept override { return bytes_; }
  Result<Bytes> read(std::uint64_t offset, std::uint64_t length) override;

  static constexpr std::uint64_t kTailBytes = 128u << 10;
  static constexpr std::uint64_t kShortReadBytes = 256u << 10;

 private:
  // The bytes of a range that is kept in the cache.
  Result<std::shared_ptr<const std::string>> cached(std::uint64_t offset, std::uint64_t length);
  Result<Bytes> fetch(std::uint64_t offset, std::uint64_t length);

  objectstore::ObjectStore& store_;
  const std::string key_;
  const std::uint64_t bytes_;
  const std::uint64_t tail_begin_;
  ByteCache& cache_;
  std::atomic<std::uint64_t>& fetched_bytes_;
  Mutex mutex_;
  // The cache may have dropped it since.
  std::shared_ptr<const std::string> tail_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::query
