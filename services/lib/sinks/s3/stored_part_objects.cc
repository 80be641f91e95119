#include "services/lib/sinks/s3/stored_part_objects.h"

#include <charconv>

#include "services/lib/base/check.h"

namespace spanway::sinks {
namespace {

template <typename Number>
bool take_number(std::string_view& text, Number& number) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  if (text.starts_with('-')) text.remove_prefix(1);
  return true;
}

}  // namespace

std::string stored_parts_folder(std::string_view prefix, objectstore::StoredTable table,
                                std::string_view tenant) {
  return objectstore::tenant_folder(prefix, table, tenant) + "stored-parts/";
}

std::string stored_parts_folder(std::string_view prefix, objectstore::StoredTable table,
                                std::string_view tenant, std::string_view batch) {
  return stored_parts_folder(prefix, table, tenant) + objectstore::batch_name(batch) + '/';
}

std::string stored_part_key(std::string_view prefix, std::string_view tenant,
                            const StoredPart& part) {
  const auto table = objectstore::parse_stored_table(part.table);
  SPANWAY_CHECK(table.has_value());
  return stored_parts_folder(prefix, *table, tenant, part.items.batch) +
         std::to_string(part.items.first) + '-' + std::to_string(part.items.count) + '-' +
         std::to_string(part.day);
}

std::optional<StoredPart> parse_stored_part(std::string_view key, objectstore::StoredTable table,
                                            const std::string& batch) {
  std::string_view name = objectstore::name_of_key(key);
  StoredPart part;
  part.items.batch = batch;
  part.table = to_string(table);
  if (!take_number(name, part.items.first) || !take_number(name, part.items.count) ||
      !take_number(name, part.day) || !name.empty())
    return std::nullopt;
  return part;
}

}  // namespace spanway::sinks
