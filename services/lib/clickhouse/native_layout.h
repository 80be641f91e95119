// Constants of the Native format, shared by its writer and its reader. Internal to clickhouse.
//
//   block       = columns:varint rows:varint { name:text type:text [prefix data] }
//                 prefix and data are absent when there are no rows
//   text        = size:varint bytes
//   prefix      = version:u64 for each LowCardinality inside, keys before values
//   String      = text for each row            fixed sizes = the values, little endian
//   Nullable    = a byte for each row (1 = NULL), then the nested data
//   Array, Map  = end of each row:u64, then the nested data, absent when all rows are empty
//   LowCardinality = flags:u64 keys:u64 text for each key, rows:u64 index for each row;
//                 the index has 1, 2, 4 or 8 bytes by the low byte of the flags; of a nullable one
//                 key 0 is NULL
#pragma once

#include <cstdint>

namespace spanway::clickhouse::native {

inline constexpr std::uint64_t kDictionaryVersion = 1;
inline constexpr std::uint64_t kIndexWidthMask = 0xff;
inline constexpr std::uint64_t kNeedsGlobalDictionary = 1u << 8;
inline constexpr std::uint64_t kHasAdditionalKeys = 1u << 9;
inline constexpr std::uint64_t kNeedsUpdate = 1u << 10;

}  // namespace spanway::clickhouse::native
