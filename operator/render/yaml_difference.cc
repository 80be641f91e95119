#include "operator/render/yaml_difference.h"

#include <set>

#include "services/lib/config/document.h"

namespace spanway::render {
namespace {

using config::Node;

bool equal(const Node& a, const Node& b);

bool equal_lists(const Node& a, const Node& b) {
  if (a.items.size() != b.items.size()) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!equal(*a.items[i], *b.items[i])) return false;
  }
  return true;
}

bool equal_maps(const Node& a, const Node& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const auto other = b.entries.find(key);
    if (other == b.entries.end() || !equal(*value, *other->second)) return false;
  }
  return true;
}

bool equal(const Node& a, const Node& b) {
  return a.kind == b.kind && a.text == b.text && equal_lists(a, b) && equal_maps(a, b);
}

void compare(const Node* a, const Node* b, const std::string& path, std::vector<std::string>& out) {
  const bool both_maps =
      a != nullptr && b != nullptr && a->kind == Node::Kind::kMap && b->kind == Node::Kind::kMap;
  if (!both_maps) {
    if (a == nullptr || b == nullptr || !equal(*a, *b)) out.push_back(path);
    return;
  }
  std::set<std::string> keys;
  for (const auto& [key, value] : a->entries) keys.insert(key);
  for (const auto& [key, value] : b->entries) keys.insert(key);
  const auto value_of = [](const Node& node, const std::string& key) -> const Node* {
    const auto found = node.entries.find(key);
    return found == node.entries.end() ? nullptr : found->second.get();
  };
  for (const std::string& key : keys)
    compare(value_of(*a, key), value_of(*b, key), path.empty() ? key : path + "." + key, out);
}

}  // namespace

std::vector<std::string> yaml_differences(std::string_view before, std::string_view after) {
  config::Problems ignored;
  const auto a = config::parse_document(before, ignored);
  const auto b = config::parse_document(after, ignored);
  std::vector<std::string> out;
  if (a != nullptr && b != nullptr) compare(a.get(), b.get(), "", out);
  return out;
}

}  // namespace spanway::render
