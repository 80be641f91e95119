// The result of converting one request: blocks for the tables of the schema.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/block/block.h"

namespace spanway::otlp_blocks {

// Rows of one table and one day: one INSERT, one partition, one token.
struct DataBlock {
  std::string_view table;  // "spans"
  std::int32_t day = 0;    // Days since 1970-01-01, of all its rows.
  block::Block rows;
};

// Rows that describe what data rows refer to. They replace their like, so that writing one twice
// changes nothing; `identities` has one number a row, by which a caller remembers what it wrote.
struct DictionaryBlock {
  std::string_view table;  // "resources"
  block::Block rows;
  std::vector<std::uint64_t> identities;
};

struct RequestBlocks {
  std::vector<DictionaryBlock> dictionaries;
  std::vector<DataBlock> data;  // By day.
  // Items that are in no block, and why: "spans have no valid trace and span id".
  std::uint64_t rejected = 0;
  std::string rejected_reason = {};

  std::size_t memory_bytes() const noexcept {
    std::size_t bytes = 0;
    for (const DictionaryBlock& dictionary : dictionaries) bytes += dictionary.rows.memory_bytes();
    for (const DataBlock& block : data) bytes += block.rows.memory_bytes();
    return bytes;
  }
};

// The rows that a caller has written already. Thread-safe where several converters share one.
class KnownRows {
 public:
  virtual ~KnownRows() = default;
  virtual bool contains(std::uint64_t identity) const = 0;
};

}  // namespace spanway::otlp_blocks
