// Objects by key, for code that may block: compaction and queries.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/objectstore/s3_client.h"
#include "services/lib/parquet_file/byte_source.h"

namespace spanway::objectstore {

struct Listing {
  std::vector<ObjectInfo> objects;    // Ascending by key.
  std::vector<std::string> prefixes;  // Folders, with their '/'.
};

// Thread-safe. Blocks; not for io threads. Errors are those of S3Client.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // All pages, at most kKeysMax keys: RESOURCE_EXHAUSTED beyond. `by_folder`: see ListRequest.
  virtual Result<Listing> list(const std::string& prefix, bool by_folder) = 0;
  virtual Result<Object> get(const std::string& key) = 0;
  virtual Result<Bytes> read(const std::string& key, ByteRange range) = 0;
  // The ETag.
  virtual Result<std::string> put(PutRequest request) = 0;
  virtual Status remove(const std::string& key) = 0;

  static constexpr std::size_t kKeysMax = 1'000'000;
};

// One object of known size as the source of a Parquet file. The store outlives it.
std::shared_ptr<parquet_file::ByteSource> object_source(ObjectStore& store, std::string key,
                                                        std::uint64_t bytes);

struct S3StoreOptions {
  Duration timeout = std::chrono::seconds(60);  // Bound of one request.
  int attempts = 4;                             // Tries of a request that fails transiently.
  // Bound of each call, all its tries together: DEADLINE_EXCEEDED.
  Deadline deadline = Deadline::never();
  // A call that waits returns CANCELLED at once, and no request is sent any more. Those that were
  // sent before end by themselves, within their timeout.
  std::stop_token stop = {};
};

// Retries transient failures with back-off. `io` and `clock` outlive the store.
std::unique_ptr<ObjectStore> make_s3_store(std::shared_ptr<S3Client> client, http::IoPool& io,
                                           const Clock& clock, S3StoreOptions options = {});

}  // namespace spanway::objectstore
