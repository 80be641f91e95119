// Compression of bodies: gzip, deflate and zstd, streamed and bounded, so that a small body cannot
// become a large one before the memory budget has granted it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"

namespace spanway::http {

enum class ContentCoding : unsigned char { kIdentity, kGzip, kZstd, kDeflate };
// The supported codings, for Accept-Encoding and messages.
inline constexpr std::string_view kContentCodings = "gzip, deflate, zstd, identity";

// "" and "identity" are kIdentity, "x-gzip" is kGzip (RFC 9110, 8.4.1.3). Anything else unknown, or
// a list of codings: UNIMPLEMENTED (HTTP 415), data.
Result<ContentCoding> parse_content_coding(std::string_view header);
std::string_view to_string(ContentCoding coding) noexcept;

struct DecodeLimits {
  std::size_t decoded_bytes_max = 64 * 1024 * 1024;
  // The announced size of a body that is not compressed; 0 = unknown.
  std::size_t announced_bytes = 0;
};

// Decodes one body, chunk by chunk. External lock. Gzip: concatenated members are decoded, trailing
// garbage is an error. Deflate: with or without the header of zlib, as both are sent. Zstd: window
// at most 8 MiB.
class Decoder {
 public:
  // Called before `out` and the decoder's own state (48 KiB for gzip and deflate, the window for
  // zstd) grow to `total` bytes together, with both buffers while `out` is moved to a larger one;
  // false = no memory now (RESOURCE_EXHAUSTED, transient). Called again with less once it was
  // moved: what is above may be given back. May be empty.
  using Grow = std::function<bool(std::size_t total)>;
  static std::unique_ptr<Decoder> create(ContentCoding coding, DecodeLimits limits);
  virtual ~Decoder() = default;
  // Appends to `out`. Errors: RESOURCE_EXHAUSTED data "too large" (HTTP 413), INVALID_ARGUMENT
  // (corrupt), RESOURCE_EXHAUSTED transient (budget).
  virtual Status decode(std::string_view chunk, Bytes& out, const Grow& grow) = 0;
  // The input is over: an unfinished stream is INVALID_ARGUMENT.
  virtual Status finish() = 0;
};

// Compresses a whole body. `level` 0 = the quickest; gzip and deflate 1..9, zstd 1..19.
Result<Bytes> encode(ContentCoding coding, std::string_view body, int level = 0);

}  // namespace spanway::http
