// Random access to the bytes of one object.
#pragma once

#include <cstdint>
#include <memory>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"

namespace spanway::parquet_file {

// Thread-safe. Blocks.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const noexcept = 0;
  // Exactly `length` bytes; an error when the object does not have them.
  virtual Result<Bytes> read(std::uint64_t offset, std::uint64_t length) = 0;
};

// Bytes in memory.
std::shared_ptr<ByteSource> memory_source(Bytes bytes);

}  // namespace spanway::parquet_file
