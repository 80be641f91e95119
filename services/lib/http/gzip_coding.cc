#include "services/lib/http/gzip_coding.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace spanway::http {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
// What inflate holds: its window and tables.
constexpr std::size_t kStateBytes = 48 * 1024;
constexpr std::size_t kStepBytes = 64 * 1024;

Bytef* bytes_of(const char* text) noexcept {
  // zlib does not write to its input.
  return reinterpret_cast<Bytef*>(const_cast<char*>(text));
}

class GzipDecoder final : public Decoder {
 public:
  explicit GzipDecoder(DecodeLimits limits) : output_(limits) {}
  ~GzipDecoder() override {
    if (ready_) inflateEnd(&stream_);
  }
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;

  Status decode(std::string_view chunk, Bytes& out, const Grow& grow) override {
    if (!ready_) {
      if (inflateInit2(&stream_, kGzipOnly) != Z_OK)
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
    if (!member_done_) return corrupt_body("the gzip stream is cut off");
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
    const std::size_t made = room - stream_.avail_out;
    out.resize(before + made);
    full = stream_.avail_out == 0;
    member_done_ = code == Z_STREAM_END;
    SPANWAY_TRY(output_.added(made));
    // Z_BUF_ERROR: nothing to do without more input.
    if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR) return ok_status();
    return corrupt_body("not a valid gzip stream");
  }

  DecodedOutput output_;
  z_stream stream_{};
  bool ready_ = false;
  bool member_done_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder(DecodeLimits limits) {
  return std::make_unique<GzipDecoder>(limits);
}

Result<Bytes> gzip_encode(std::string_view body, int level) {
  if (body.size() > std::numeric_limits<uInt>::max() / 2)
    return data_error(Code::kResourceExhausted, "gzip: a body of 2 GiB or more")
        .with_reason("body_too_large");
  z_stream stream{};
  constexpr int kMemoryLevel = 8;
  if (deflateInit2(&stream, level == 0 ? 1 : std::clamp(level, 1, 9), Z_DEFLATED, kGzipOnly,
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

}  // namespace spanway::http
