#include "services/lib/http/snappy.h"

#include <snappy-c.h>

#include "services/lib/base/check.h"
#include "services/lib/http/coding/decoded_output.h"

namespace spanway::http {

std::size_t snappy_bytes_max(std::size_t body_bytes) noexcept {
  return snappy_max_compressed_length(body_bytes);
}

Bytes snappy_encode(std::string_view body) {
  Bytes block;
  block.resize(snappy_bytes_max(body.size()));
  std::size_t size = block.size();
  SPANWAY_CHECK(snappy_compress(body.data(), body.size(), block.data(), &size) == SNAPPY_OK);
  block.resize(size);
  return block;
}

Result<Bytes> snappy_decode(std::string_view block, std::size_t decoded_bytes_max) {
  std::size_t size = 0;
  if (snappy_uncompressed_length(block.data(), block.size(), &size) != SNAPPY_OK ||
      size > decoded_bytes_max)
    return corrupt_body("not a snappy block, or one that is too large");
  Bytes body;
  body.resize(size);
  if (snappy_uncompress(block.data(), block.size(), body.data(), &size) != SNAPPY_OK)
    return corrupt_body("the snappy block is broken");
  return body;
}

}  // namespace spanway::http
