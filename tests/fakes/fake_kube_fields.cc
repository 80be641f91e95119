#include "tests/fakes/fake_kube_fields.h"

#include <algorithm>

namespace spanway::fakes {
namespace {

// The keys by which the server merges a list; empty = the list is atomic.
std::vector<std::string> list_keys(const Json& list) {
  static const std::vector<std::vector<std::string>> kKnown = {
      {"containerPort", "protocol"}, {"port", "protocol"}, {"mountPath"}, {"name"}, {"uid"}};
  if (!list.is_array() || list.empty()) return {};
  for (const auto& keys : kKnown) {
    if (std::all_of(list.begin(), list.end(), [&](const Json& item) {
          return item.is_object() && item.contains(keys.front());
        }))
      return keys;
  }
  return {};
}

std::string item_segment(const Json& item, const std::vector<std::string>& keys) {
  Json key = Json::object();
  for (const std::string& name : keys) key[name] = item.contains(name) ? item[name] : Json("TCP");
  return "k:" + kube::to_text(key);
}

// All leaf fields of `value` under `path`.
void collect(const Json& value, const std::string& path, std::set<std::string>& out) {
  const std::string prefix = path.empty() ? "" : path + "\n";
  if (value.is_object() && !value.empty()) {
    for (const auto& [name, member] : value.items()) collect(member, prefix + "f:" + name, out);
    return;
  }
  const auto keys = list_keys(value);
  if (keys.empty()) {
    out.insert(path);
    return;
  }
  for (const Json& item : value) {
    const std::string segment = prefix + item_segment(item, keys);
    out.insert(segment);
    collect(item, segment, out);
  }
}

Json* child(Json& value, const std::string& segment) {
  if (segment.starts_with("f:")) {
    if (!value.is_object()) return nullptr;
    const auto found = value.find(segment.substr(2));
    return found == value.end() ? nullptr : &*found;
  }
  const auto keys = list_keys(value);
  if (keys.empty()) return nullptr;
  for (Json& item : value)
    if (item_segment(item, keys) == segment) return &item;
  return nullptr;
}

}  // namespace

std::set<std::string> fields_of(Json object, bool status) {
  if (!object.is_object()) return {};
  Json kept = Json::object();
  if (status) {
    if (object.contains("status")) kept["status"] = object["status"];
  } else {
    kept = std::move(object);
    for (const char* name : {"apiVersion", "kind", "status"}) kept.erase(name);
    if (kept.contains("metadata")) {
      for (const char* name : {"name", "namespace", "resourceVersion", "uid", "generation",
                               "creationTimestamp", "managedFields"})
        kept["metadata"].erase(name);
    }
  }
  std::set<std::string> out;
  if (!kept.empty()) collect(kept, "", out);
  out.erase("f:metadata");
  return out;
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> out;
  std::size_t from = 0;
  for (;;) {
    const std::size_t to = path.find('\n', from);
    out.push_back(path.substr(from, to - from));
    if (to == std::string::npos) return out;
    from = to + 1;
  }
}

const Json* value_at(const Json& object, const std::string& path) {
  Json* at = const_cast<Json*>(&object);
  for (const std::string& segment : split(path)) {
    at = child(*at, segment);
    if (at == nullptr) return nullptr;
  }
  return at;
}

void remove_at(Json& value, const std::vector<std::string>& path, std::size_t depth) {
  const std::string& segment = path[depth];
  Json* inner = child(value, segment);
  if (inner == nullptr) return;
  const bool last = depth + 1 == path.size();
  if (!last) remove_at(*inner, path, depth + 1);
  if (!last && !(inner->is_structured() && inner->empty())) return;
  if (segment.starts_with("f:")) {
    value.erase(segment.substr(2));
  } else {
    value.erase(value.begin() + (inner - &value[0]));
  }
}

void lay_over(Json& live, const Json& intent) {
  if (intent.is_object() && live.is_object()) {
    for (const auto& [name, member] : intent.items()) {
      if (live.contains(name)) {
        lay_over(live[name], member);
      } else {
        live[name] = member;
      }
    }
    return;
  }
  const auto keys = list_keys(intent);
  if (!keys.empty() && live.is_array() && list_keys(live) == keys) {
    for (const Json& item : intent) {
      Json* same = child(live, item_segment(item, keys));
      if (same != nullptr) {
        lay_over(*same, item);
      } else {
        live.push_back(item);
      }
    }
    return;
  }
  live = intent;
}

Json managed_field(const std::string& manager, bool applies, const std::set<std::string>& fields,
                   const std::string& time) {
  Json tree = Json::object();
  for (const std::string& path : fields) {
    Json* at = &tree;
    for (const std::string& segment : split(path)) {
      if (!at->contains(segment)) (*at)[segment] = Json::object();
      at = &(*at)[segment];
    }
  }
  return {{"manager", manager},
          {"operation", applies ? "Apply" : "Update"},
          {"time", time},
          {"fieldsType", "FieldsV1"},
          {"fieldsV1", std::move(tree)}};
}

}  // namespace spanway::fakes
