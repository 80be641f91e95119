// Parts of batches that a store has although it refused another part of the same batch. The sender
// then halves the batch, and each half leaves out what is stored. Shared by the sinks that store a
// batch in several parts, ClickHouse and S3.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/pipeline/batch_identity.h"

namespace spanway::sinks {

// The rows of one table and one day that these items of the batch have.
struct StoredPart {
  pipeline::BatchIdentity items;
  std::string table;
  std::int32_t day = 0;  // Since 1970-01-01.
};

// True when the rows of `items` in this table and of this day are stored.
inline bool is_stored(const std::vector<StoredPart>& parts, const pipeline::BatchIdentity& items,
                      std::string_view table, std::int32_t day) {
  return std::any_of(parts.begin(), parts.end(), [&](const StoredPart& part) {
    return part.table == table && part.day == day && items.lies_in(part.items);
  });
}

}  // namespace spanway::sinks
