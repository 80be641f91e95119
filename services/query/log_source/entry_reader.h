// Rows of the table of logs as entries of Loki.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"
#include "services/lib/otlp_blocks/log_reader.h"
#include "services/lib/otlp_blocks/resource_reader.h"
#include "services/query/logql/entry.h"
#include "services/query/store/log_query.h"

namespace spanway::query {

// The streams of a selector and the resources that were read so far. Belongs to one thread.
class EntryReader {
 public:
  explicit EntryReader(std::vector<LogStream> streams);

  // Ids of resources in these rows that add() has not had.
  std::vector<std::uint64_t> missing_resources(const block::Block& rows) const;
  Status add_resources(block::Block resources);
  // One row of a reader; nothing for a stream that is none of the selector's. INTERNAL, data,
  // "stored_value_unreadable" for a row that no converter of ours has written.
  Result<std::optional<logql::Entry>> read(otlp_blocks::LogReader& rows, std::size_t row) const;
  std::size_t memory_bytes() const noexcept;

 private:
  std::map<std::uint64_t, std::shared_ptr<const Labels>> streams_;
  otlp_blocks::ResourceReader resources_;
  std::size_t labels_bytes_ = 0;
};

}  // namespace spanway::query
