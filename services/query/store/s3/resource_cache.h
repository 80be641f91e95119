// Resources of spans that were read, for the question that follows. Internal to query/store/s3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "services/lib/block/block.h"
#include "services/query/store/s3/byte_cache.h"

namespace spanway::query {

// The resource of a row, by its columns.
struct RowResource {
  std::uint64_t id = 0;
  std::string_view attributes;  // JSON
  std::string_view schema_url;
};
// The batch has the columns of with_resource() and res_id.
RowResource resource_of(const block::Block& batch, std::size_t row);

// Thread-safe. Holds what was read last, as far as the cache has room.
class ResourceCache {
 public:
  explicit ResourceCache(ByteCache& cache) : cache_(cache) {}

  void remember(std::string_view tenant, const RowResource& resource);
  struct Found {
    std::shared_ptr<const std::string> text;
    std::string_view attributes;
    std::string_view schema_url;
  };
  std::optional<Found> find(std::string_view tenant, std::uint64_t id);

 private:
  ByteCache& cache_;
};

}  // namespace spanway::query
