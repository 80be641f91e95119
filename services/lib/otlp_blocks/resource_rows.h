// Rows of resources: each resource of a request once.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/lib/otlp/reader.h"
#include "services/lib/otlp_blocks/attribute_maps.h"
#include "services/lib/otlp_blocks/request_blocks.h"

namespace spanway::otlp_blocks {

class ResourceRows {
 public:
  ResourceRows(std::string_view tenant, const KnownRows* known);
  // False when an attribute cannot be stored.
  bool add(std::uint64_t id, const otlp::ResourceView& resource);
  // An item of a resource that was added, at that time.
  void seen(std::uint64_t id, std::uint32_t seconds);
  DictionaryBlock take();

 private:
  const std::string tenant_;
  const KnownRows* const known_;
  DictionaryBlock result_;
  AttributeMaps maps_;
  std::unordered_map<std::uint64_t, std::size_t> row_of_;  // kNoRow for those known already.
  std::vector<std::uint32_t> last_seen_;                   // By row.
};

// The text of a resource attribute; "" when it is missing or no string.
std::string_view text_of(const otlp::ResourceView& resource, std::string_view key) noexcept;

}  // namespace spanway::otlp_blocks
