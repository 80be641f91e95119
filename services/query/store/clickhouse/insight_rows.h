// Results of the insight as rows of their tables. Internal to query/store/clickhouse.
#pragma once

#include <string>

#include "services/lib/block/block.h"
#include "services/query/store/insight_store.h"

namespace spanway::query {

inline constexpr const char* kEdgesTable = "edges_5m";
inline constexpr const char* kFindingsTable = "findings";
inline constexpr const char* kInsightWindowsTable = "insight_windows";

block::Block edge_rows(const WindowResult& result, const std::string& tenant);
block::Block finding_rows(const WindowResult& result, const std::string& tenant);
block::Block window_row(const WindowState& state, const std::string& tenant);

}  // namespace spanway::query
