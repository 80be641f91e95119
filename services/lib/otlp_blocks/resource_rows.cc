#include "services/lib/otlp_blocks/resource_rows.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/otlp_blocks/identity.h"
#include "services/lib/otlp_blocks/table_block.h"

namespace spanway::otlp_blocks {
namespace {

constexpr std::size_t kNoRow = ~std::size_t{0};

std::uint64_t identity_of(std::string_view tenant, std::uint64_t id) {
  std::string content = "resources";
  append_part(content, tenant);
  content += std::to_string(id);
  return murmur3(content).low;
}

}  // namespace

std::string_view text_of(const otlp::ResourceView& resource, std::string_view key) noexcept {
  const otlp::AttributeView* attribute = otlp::find_attribute(resource.attributes, key);
  return attribute == nullptr || attribute->value.kind != otlp::ValueKind::kString
             ? std::string_view()
             : attribute->value.text;
}

ResourceRows::ResourceRows(std::string_view tenant, const KnownRows* known)
    : tenant_(tenant),
      known_(known),
      result_{.table = "resources", .rows = table_block("resources"), .identities = {}},
      maps_(result_.rows) {}

bool ResourceRows::add(std::uint64_t id, const otlp::ResourceView& resource) {
  const auto [place, is_new] = row_of_.emplace(id, kNoRow);
  if (!is_new) return true;
  const std::uint64_t identity = identity_of(tenant_, id);
  if (known_ != nullptr && known_->contains(identity)) return true;
  place->second = last_seen_.size();
  last_seen_.push_back(0);
  result_.identities.push_back(identity);
  block::Block& rows = result_.rows;
  rows.get<block::DictionaryColumn>("tenant").append(tenant_);
  rows.get<block::FixedColumn>("res_id").append(id);
  rows.get<block::DictionaryColumn>("service_name").append(text_of(resource, "service.name"));
  rows.get<block::DictionaryColumn>("service_namespace")
      .append(text_of(resource, "service.namespace"));
  rows.get<block::StringColumn>("service_instance_id")
      .append(text_of(resource, "service.instance.id"));
  rows.get<block::DictionaryColumn>("schema_url").append(resource.schema_url);
  for (const otlp::AttributeView& attribute : resource.attributes)
    if (!maps_.append(attribute)) return false;
  maps_.close_row();
  return true;
}

void ResourceRows::seen(std::uint64_t id, std::uint32_t seconds) {
  const auto found = row_of_.find(id);
  if (found == row_of_.end() || found->second == kNoRow) return;
  last_seen_[found->second] = std::max(last_seen_[found->second], seconds);
}

DictionaryBlock ResourceRows::take() {
  auto& column = result_.rows.get<block::FixedColumn>("last_seen");
  for (const std::uint32_t seconds : last_seen_) column.append(seconds);
  return std::move(result_);
}

}  // namespace spanway::otlp_blocks
