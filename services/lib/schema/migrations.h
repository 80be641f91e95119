// The numbered SQL files of the schema, embedded at build time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace spanway::schema {

// A file that has been released is never edited: a change is a new file. `checksum` is the SHA-256
// of the file in hex, recorded in the table schema_version when the migration is applied.
struct Migration {
  std::uint32_t version = 0;
  std::string_view name;  // "001_spans.sql"
  std::string_view sql;
  std::string_view checksum;
};

// By ascending version; number 0 creates schema_version itself.
std::span<const Migration> migrations() noexcept;

}  // namespace spanway::schema
