// The valid names of tenants, for every service: a name that one accepts and another refuses
// would turn good records into dead letters.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace spanway {

inline constexpr std::size_t kTenantNameBytesMax = 64;

// 1 to 64 of A-Z a-z 0-9 _ -: safe as gRPC metadata, as a header and as a part of a path.
// Stateless; thread-safe.
constexpr bool is_tenant_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > kTenantNameBytesMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

}  // namespace spanway
