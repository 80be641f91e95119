#include "operator/reconcile/field_owner.h"

#include <utility>
#include <vector>

#include "operator/json/json_pointer.h"

namespace spanway::reconcile {
namespace {

using kube::Json;

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    out.push_back(kube::unescape_step(path.substr(0, slash)));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return out;
}

// The entry "k:{...}" of a fields tree that names this list item.
const Json* item_fields(const Json& fields, const Json& item) {
  for (const auto& [name, inner] : fields.items()) {
    if (!name.starts_with("k:")) continue;
    const auto key = kube::parse_json(std::string_view(name).substr(2));
    if (!key.ok()) continue;
    bool same = true;
    for (const auto& [member, value] : key->items())
      same = same && (!item.contains(member) || item[member] == value);
    if (same) return &inner;
  }
  return nullptr;
}

// The number of segments of the path in the tree; true when it has all (or owns a parent
// completely).
std::pair<std::size_t, bool> depth_of(const Json& fields, const Json& intent,
                                      const std::vector<std::string>& path) {
  const Json* at = &fields;
  const Json* value = &intent;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (i > 0 && at->is_object() && at->empty()) return {i, true};
    const Json* next = nullptr;
    if (value != nullptr && value->is_array()) {
      const std::size_t index = std::strtoul(path[i].c_str(), nullptr, 10);
      value = index < value->size() ? &(*value)[index] : nullptr;
      if (value != nullptr && value->is_object()) next = item_fields(*at, *value);
    } else {
      const auto found = at->find("f:" + path[i]);
      next = found == at->end() ? nullptr : &*found;
      if (value != nullptr) {
        const auto member = value->find(path[i]);
        value = member == value->end() ? nullptr : &*member;
      }
    }
    if (next == nullptr || !next->is_object()) return {i, false};
    at = next;
  }
  return {path.size(), true};
}

}  // namespace

std::string other_manager(const Json& object, const Json& intent, std::string_view path,
                          std::string_view ours) {
  const Json* managers = kube::find(object, "metadata/managedFields");
  if (managers == nullptr || !managers->is_array()) return "";
  const std::vector<std::string> segments = segments_of(path);
  std::string best;
  std::string best_time;
  std::size_t best_depth = 0;
  for (const Json& entry : *managers) {
    const std::string manager = kube::string_at(entry, "manager");
    // A scale is a change of the object; a status is none.
    if (manager == ours || kube::string_at(entry, "subresource") == "status") continue;
    const Json* fields = kube::find(entry, "fieldsV1");
    if (fields == nullptr || !fields->is_object()) continue;
    const auto [depth, complete] = depth_of(*fields, intent, segments);
    const std::string time = kube::string_at(entry, "time");
    if (!complete || depth < best_depth || (depth == best_depth && time < best_time)) continue;
    best = manager;
    best_depth = depth;
    best_time = time;
  }
  return best;
}

bool applied_by(const Json& object, std::string_view path, std::string_view manager) {
  const Json* managers = kube::find(object, "metadata/managedFields");
  if (managers == nullptr || !managers->is_array()) return false;
  const std::vector<std::string> segments = segments_of(path);
  for (const Json& entry : *managers) {
    if (kube::string_at(entry, "manager") != manager ||
        kube::string_at(entry, "operation") != "Apply")
      continue;
    const Json* fields = kube::find(entry, "fieldsV1");
    if (fields != nullptr && fields->is_object() && depth_of(*fields, Json(), segments).second)
      return true;
  }
  return false;
}

}  // namespace spanway::reconcile
