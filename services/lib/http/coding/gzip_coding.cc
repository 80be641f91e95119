#include "services/lib/http/coding/gzip_coding.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace spanway::http {
namespace {

// Flags in zlib's window argument.
constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr int kZlibOnly = MAX_WBITS;
constexpr int kRaw = -MAX_WBITS;
// Memory of inflate: its window and tables.
constexpr std::size_t kStateBytes = 48 * 1024;
constexpr std::size_t kStepBytes = 64 * 1024;

Bytef* bytes_of(const char* text) noexcept {
  // zlib does not write to its input.
  return reinterpret_cast<Bytef*>(const_cast<char*>(text));
}

// "deflate" is the format of zlib (RFC 9110, 8.4.1.2), but some send what is inside without its
// header. Compression method 8 in the low bits of the first byte is that header: in a raw stream it
// would be an uncompressed block with padding that is not zero.
int deflate_format(char first) noexcept { return (first & 0x0f) == Z_DEFLATED ? kZlibOnly : kRaw; }

class InflateDecoder final : public Decoder {
 public:
  InflateDecoder(DecodeLimits limits, bool gzip) : output_(limits), gzip_(gzip) {}
  ~InflateDecoder() override {
    if (ready_) inflateEnd(&stream_);
  }
  InflateDecoder(const InflateDecoder&) = delete;
  InflateDecoder& operator=(const InflateDecoder&) = delete;

  Status decode(std::string_view chunk, Bytes& out, const Grow& grow) override {
    if (!ready_) {
      if (chunk.empty()) return ok_status();
      const int format = gzip_ ? kGzipOnly : deflate_format(chunk.front());
      if (inflateInit2(&stream_, format) != Z_OK)
        return transient_error(Code::kResourceExhausted, "body: no memory to decode it now")
            .with_reason("memory_budget");
      ready_ = true;
    }
    stream_.next_in = bytes_of(chunk.data());
    stream_.avail_in = static_cast<uInt>(chunk.size());
    // Until zlib has neither input nor output it kept back.
    bool full = false;
    while (stream_.avail_in > 0 || full) SPANWAY_TRY(step(out, grow, full));
    return ok_status();
  }

  Status finish() override {
    if (!member_done_) return corrupt_body("the compressed stream is truncated");
    return ok_status();
  }

 private:
  // `full` is set when the output was filled: there may be more.
  Status step(Bytes& out, const Grow& grow, bool& full) {
    if (member_done_) {
      if (stream_.avail_in == 0) {
        full = false;
        return ok_status();
      }
      if (!gzip_) return corrupt_body("something follows the deflate stream");
      // Another member; what is not one fails in its header.
      inflateReset(&stream_);
      member_done_ = false;
    }
    // About threefold is what text compresses to.
    SPANWAY_TRY(output_.make_room(
        out, std::min<std::size_t>(kStepBytes, 3 * std::size_t{stream_.avail_in} + 512),
        kStateBytes, grow));
    const std::size_t before = out.size();
    const std::size_t room = std::min(out.capacity() - before, kStepBytes);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream_.avail_out = static_cast<uInt>(room);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    const std::size_t produced = room - stream_.avail_out;
    out.resize(before + produced);
    full = stream_.avail_out == 0;
    member_done_ = code == Z_STREAM_END;
    SPANWAY_TRY(output_.added(produced));
    // Z_BUF_ERROR: nothing to do without more input.
    if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR) return ok_status();
    return corrupt_body(gzip_ ? "not a valid gzip stream" : "not a valid deflate stream");
  }

  DecodedOutput output_;
  const bool gzip_;
  z_stream stream_{};
  bool ready_ = false;
  bool member_done_ = false;
};

Result<Bytes> deflate_with(int format, std::string_view body, int level) {
  if (body.size() > std::numeric_limits<uInt>::max() / 2)
    return unknown_error(Code::kResourceExhausted, "gzip: a body of 2 GiB or more")
        .with_reason("body_too_large");
  z_stream stream{};
  constexpr int kMemoryLevel = 8;
  if (deflateInit2(&stream, level == 0 ? 1 : std::clamp(level, 1, 9), Z_DEFLATED, format,
                   kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK)
    return transient_error(Code::kResourceExhausted, "gzip: no memory").with_reason("memory");
  Bytes out;
  out.resize(deflateBound(&stream, static_cast<uLong>(body.size())));
  stream.next_in = bytes_of(body.data());
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  SPANWAY_CHECK(code == Z_STREAM_END);
  return out;
}

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder(DecodeLimits limits) {
  return std::make_unique<InflateDecoder>(limits, true);
}
std::unique_ptr<Decoder> make_deflate_decoder(DecodeLimits limits) {
  return std::make_unique<InflateDecoder>(limits, false);
}

Result<Bytes> gzip_encode(std::string_view body, int level) {
  return deflate_with(kGzipOnly, body, level);
}
Result<Bytes> deflate_encode(std::string_view body, int level) {
  return deflate_with(kZlibOnly, body, level);
}

}  // namespace spanway::http
