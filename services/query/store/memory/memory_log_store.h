// Logs in the memory of this process.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/query/store/log_store.h"
#include "services/query/store/memory/request_ring.h"

namespace spanway::query {

struct MemoryLogStoreOptions {
  std::size_t bytes_max = 256u << 20;  // For all tenants together.
};

// Thread-safe. The oldest requests are dropped when there are more bytes than allowed.
class MemoryLogStore final : public LogStore {
 public:
  explicit MemoryLogStore(MemoryLogStoreOptions options = {}) : ring_(options.bytes_max) {}

  // An ExportLogsServiceRequest. Errors as of otlp_blocks::Converter; RESOURCE_EXHAUSTED, data, for
  // one that is larger than the ring.
  Status add(std::string_view tenant, std::string_view payload);
  std::size_t memory_bytes() const;

  Result<std::vector<LogStream>> streams(std::span<const LabelMatcher> matchers, TimeRange range,
                                         QueryContext& context) override;
  Result<BlockStreamPtr> select(const LogSelect& query, QueryContext& context) override;
  Result<block::Block> resources_of(std::span<const std::uint64_t> ids,
                                    QueryContext& context) override;
  Result<std::vector<LogVolume>> volume(std::span<const LabelMatcher> matchers, TimeRange range,
                                        QueryContext& context) override;

 private:
  // A label set on one day.
  struct DayStream {
    std::uint64_t id = 0;
    std::int64_t day = 0;  // Since 1970.
    Labels labels;
  };
  // The rows of one request. Immutable once it is in the ring.
  struct Entry {
    std::string tenant;
    std::vector<block::Block> logs;
    std::vector<DayStream> streams;
    std::vector<block::Block> resources;
    std::size_t bytes = 0;
  };
  using Entries = RequestRing<Entry>::Entries;
  using Visit = std::function<void(const std::shared_ptr<const Entry>& entry,
                                   const block::Block& rows, std::size_t row, std::int64_t time)>;

  Entries entries_of(const std::string& tenant) const;
  // Every record of the tenant that the query matches, whatever its limit.
  Status each(const LogSelect& query, QueryContext& context, const Visit& visit) const;

  mutable Mutex mutex_;
  otlp_blocks::Converter converter_ SPANWAY_GUARDED_BY(mutex_);
  RequestRing<Entry> ring_ SPANWAY_GUARDED_BY(mutex_);
};

}  // namespace spanway::query
