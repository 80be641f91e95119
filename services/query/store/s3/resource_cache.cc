#include "services/query/store/s3/resource_cache.h"

#include <memory>

#include "services/lib/otlp_blocks/attribute_reader.h"
#include "services/lib/schema/file_columns.h"

namespace spanway::query {
namespace {

// No key of an object has a line feed.
std::string key_of(std::string_view tenant, std::uint64_t id) {
  return "resource\n" + std::to_string(id) + '\n' + std::string(tenant);
}

}  // namespace

RowResource resource_of(const block::Block& batch, std::size_t row) {
  const auto* ids = dynamic_cast<const block::FixedColumn*>(batch.find("res_id"));
  return {.id = ids == nullptr ? 0 : ids->values<std::uint64_t>()[row],
          .attributes = otlp_blocks::text_at(batch.find(schema::kResourceAttributesColumn), row),
          .schema_url = otlp_blocks::text_at(batch.find(schema::kResourceSchemaColumn), row)};
}

void ResourceCache::remember(std::string_view tenant, const RowResource& resource) {
  const std::string key = key_of(tenant, resource.id);
  if (cache_.find(key)) return;
  std::string text(resource.attributes);  // JSON escapes line feeds.
  text += '\n';
  text += resource.schema_url;
  cache_.put(key, std::make_shared<const std::string>(std::move(text)));
}

std::optional<ResourceCache::Found> ResourceCache::find(std::string_view tenant, std::uint64_t id) {
  Found found;
  found.text = cache_.find(key_of(tenant, id));
  if (!found.text) return std::nullopt;
  const std::string_view text = *found.text;
  const std::size_t end = text.find('\n');
  found.attributes = text.substr(0, end);
  found.schema_url = text.substr(end + 1);
  return found;
}

}  // namespace spanway::query
