#include "services/lib/sinks/s3/stored_part_objects.h"

#include <charconv>

#include "services/lib/objectstore/object_key.h"

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

std::string stored_parts_folder(const ObjectIdentity& identity, std::string_view batch) {
  return objectstore::tenant_folder(identity.prefix, identity.signal, identity.tenant) +
         "stored-parts/" + objectstore::batch_name(batch) + '/';
}

std::string stored_part_key(const ObjectIdentity& identity, const StoredPart& part) {
  return stored_parts_folder(identity, part.items.batch) + std::to_string(part.items.first) + '-' +
         std::to_string(part.items.count) + '-' + std::to_string(part.day);
}

std::optional<StoredPart> parse_stored_part(std::string_view key, const std::string& batch) {
  std::string_view name = objectstore::name_of_key(key);
  StoredPart part;
  part.items.batch = batch;
  if (!take_number(name, part.items.first) || !take_number(name, part.items.count) ||
      !take_number(name, part.day) || !name.empty())
    return std::nullopt;
  return part;
}

}  // namespace spanway::sinks
