// Identities that are stored: equal content has the same number in every process and version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/otlp/reader.h"

namespace spanway::otlp_blocks {

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
};

// MurmurHash3, x64, 128 bits, seed 0. Stored data depends on it: never to be changed.
Hash128 murmur3(std::string_view bytes) noexcept;

// Appends parts so that no two lists of parts make the same text.
void append_part(std::string& out, std::string_view part);
// Key, kind and value of each attribute, by key: the order in which an SDK sends them is no
// content.
void append_attributes(std::string& out, otlp::Attributes attributes);

// A hash of the attributes and the schema URL.
std::uint64_t resource_id(const otlp::ResourceView& resource);

}  // namespace spanway::otlp_blocks
