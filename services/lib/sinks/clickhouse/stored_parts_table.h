// The table `stored_parts`: which parts of a batch are stored. Internal to the sink.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/clickhouse/clickhouse_client.h"
#include "services/lib/sinks/clickhouse/insert_settings.h"
#include "services/lib/sinks/stored_part.h"

namespace spanway::sinks {

inline constexpr const char* kStoredPartsTable = "stored_parts";

// All of one tenant's batch, of any of its parts. The callback runs on an io thread, once.
void read_stored_parts(clickhouse::Client& client, const std::string& tenant,
                       const std::string& batch, Deadline deadline,
                       std::function<void(Result<std::vector<StoredPart>>)> done);

clickhouse::Insert stored_parts_insert(const std::string& tenant,
                                       const std::vector<StoredPart>& parts, SystemTime now,
                                       const InsertPolicy& policy);

}  // namespace spanway::sinks
