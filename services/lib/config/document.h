// A YAML file as a tree with places, checked for everything that needs no knowledge of the keys.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/config/binder.h"

namespace spanway::config {

// 1-based; line 0 = no place.
struct Place {
  int line = 0;
  int column = 0;
};

// Immutable once parsed.
struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  Place place;
  // The place of the key in a mapping; of the value elsewhere.
  Place key_place;
  // kScalar.
  std::string text;
  bool quoted = false;
  // kList.
  std::vector<std::unique_ptr<Node>> items;
  // kMap.
  std::map<std::string, std::unique_ptr<Node>, std::less<>> entries;
};

inline constexpr std::size_t kFileBytesMax = 1024 * 1024;
inline constexpr std::size_t kDepthMax = 32;
inline constexpr std::size_t kNodesMax = 100'000;

// The root of one document; null when the text is empty or too broken to continue. Adds problems
// for bad syntax, bad UTF-8, duplicate keys, anchors, aliases, tags, several documents and passed
// limits.
std::unique_ptr<Node> parse_document(std::string_view yaml, Problems& problems);

}  // namespace spanway::config
