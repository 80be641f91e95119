#include "services/lib/otlp_blocks/resource_reader.h"

#include <utility>

#include "services/lib/otlp_blocks/attribute_reader.h"

namespace spanway::otlp_blocks {

Status ResourceReader::add(block::Block resources) {
  const block::Block& block = blocks_.emplace_back(std::move(resources));
  const auto* ids = dynamic_cast<const block::FixedColumn*>(block.find("res_id"));
  if (ids == nullptr) return {};
  const AttributeReader attributes(block);
  for (std::size_t row = 0; row < block.rows(); ++row) {
    Resource& resource = by_id_[ids->values<std::uint64_t>()[row]];
    if (!resource.attributes.empty()) continue;
    if (!attributes.read(row, values_, resource.attributes))
      return data_error(Code::kInternal, "a stored attribute is not JSON as Spanway writes it")
          .with_reason("stored_value_unreadable");
    resource.view.attributes = resource.attributes;
    resource.view.schema_url = text_at(block.find("schema_url"), row);
  }
  return {};
}

const otlp::ResourceView* ResourceReader::find(std::uint64_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second.view;
}

std::size_t ResourceReader::memory_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const block::Block& block : blocks_) bytes += block.memory_bytes();
  return bytes;
}

}  // namespace spanway::otlp_blocks
