// Values that the items of one scope share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spanway::otlp_blocks {

// Views are valid until the next scope.
struct ItemContext {
  std::string tenant;
  std::string_view service_name;
  std::uint64_t resource_id = 0;
  std::uint64_t stream_id = 0;  // Logs only.
  std::string_view scope_name;
  std::string_view scope_version;
  std::string scope_attributes;  // JSON; empty without attributes.
};

}  // namespace spanway::otlp_blocks
