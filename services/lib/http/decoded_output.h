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

  void add_input(std::size_t bytes) noexcept { input_bytes_ += bytes; }
  // Makes room for `wanted` bytes, and one at least, behind `out`; asks `grow` for the buffer and
  // for `state_bytes` of the decoder's own memory first.
  Status make_room(Bytes& out, std::size_t wanted, std::size_t state_bytes,
                   const Decoder::Grow& grow);
  // `bytes` were appended: too many, or too many for so little input?
  Status added(std::size_t bytes);

 private:
  bool ask(std::size_t total, std::size_t state_bytes, const Decoder::Grow& grow);

  const DecodeLimits limits_;
  std::size_t input_bytes_ = 0;
  std::size_t output_bytes_ = 0;
  std::size_t granted_bytes_ = 0;
};

}  // namespace spanway::http
