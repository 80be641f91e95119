// The limits of a decoder's output, kept in one place for all codings. For this module only.
#pragma once

#include <cstddef>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"
#include "services/lib/http/content_coding.h"

namespace spanway::http {

Error corrupt_body(std::string_view what);

// External lock.
class DecodedOutput {
 public:
  explicit DecodedOutput(DecodeLimits limits) noexcept : limits_(limits) {}

  // Makes room for `requested` bytes, and one at least, behind `out`; asks `grow` for the buffer
  // and for `state_bytes` of the decoder's own memory first.
  Status make_room(Bytes& out, std::size_t requested, std::size_t state_bytes,
                   const Decoder::Grow& grow);
  // The same for input that is not compressed: only what has come is acquired.
  Status make_room_announced(Bytes& out, std::size_t requested, const Decoder::Grow& grow);
  // `bytes` were appended: too many?
  Status added(std::size_t bytes);

 private:
  bool acquire(std::size_t total, const Decoder::Grow& grow);
  Status reserve(Bytes& out, std::size_t capacity, std::size_t charged, std::size_t state_bytes,
                 const Decoder::Grow& grow);

  const DecodeLimits limits_;
  std::size_t output_bytes_ = 0;
  std::size_t granted_bytes_ = 0;
};

}  // namespace spanway::http
