#include "services/lib/http/coding/zstd_coding.h"

#include <zstd.h>

#include <algorithm>

namespace spanway::http {
namespace {

constexpr int kWindowLogMax = 23;  // 8 MiB.
constexpr std::size_t kStepBytes = 64 * 1024;

class ZstdDecoder final : public Decoder {
 public:
  explicit ZstdDecoder(DecodeLimits limits) : output_(limits) {}

  Status decode(std::string_view chunk, Bytes& out, const Grow& grow) override {
    if (context_ == nullptr) {
      context_.reset(ZSTD_createDCtx());
      if (context_ == nullptr) return no_memory();
      ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kWindowLogMax);
    }
    ZSTD_inBuffer in{chunk.data(), chunk.size(), 0};
    bool full = false;
    while (in.pos < in.size || full) SPANWAY_TRY(step(in, out, grow, full));
    return ok_status();
  }

  Status finish() override {
    if (!frame_done_) return corrupt_body("the zstd stream is truncated");
    return ok_status();
  }

 private:
  struct Deleter {
    void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
  };
  static Error no_memory() {
    return transient_error(Code::kResourceExhausted, "body: no memory to decode it now")
        .with_reason("memory_budget");
  }

  // `full` is set when the output was filled: there may be more.
  Status step(ZSTD_inBuffer& in, Bytes& out, const Grow& grow, bool& full) {
    // The window is allocated inside, once the frame's header is known: so it is acquired after
    // the fact, and given back at once when the answer is no.
    SPANWAY_TRY(output_.make_room(out,
                                  std::min<std::size_t>(kStepBytes, 4 * (in.size - in.pos) + 512),
                                  ZSTD_sizeof_DCtx(context_.get()), grow));
    const std::size_t before = out.size();
    const std::size_t room = std::min(out.capacity() - before, kStepBytes);
    ZSTD_outBuffer to{out.data() + before, room, 0};
    const std::size_t input_before = in.pos;
    const std::size_t code = ZSTD_decompressStream(context_.get(), &to, &in);
    if (ZSTD_isError(code))
      return corrupt_body("not a valid zstd stream, or its window is above 8 MiB");
    out.resize(before + to.pos);
    full = to.pos == to.size;
    // A call without progress at the end of a frame says nothing about the next one.
    if (to.pos > 0 || in.pos > input_before) frame_done_ = code == 0;
    SPANWAY_TRY(output_.added(to.pos));
    return output_.make_room(out, 0, ZSTD_sizeof_DCtx(context_.get()), grow);
  }

  DecodedOutput output_;
  std::unique_ptr<ZSTD_DCtx, Deleter> context_;
  bool frame_done_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_zstd_decoder(DecodeLimits limits) {
  return std::make_unique<ZstdDecoder>(limits);
}

Result<Bytes> zstd_encode(std::string_view body, int level) {
  Bytes out;
  out.resize(ZSTD_compressBound(body.size()));
  const std::size_t size = ZSTD_compress(out.data(), out.size(), body.data(), body.size(),
                                         level == 0 ? 1 : std::clamp(level, 1, 19));
  if (ZSTD_isError(size))
    return transient_error(Code::kResourceExhausted, "zstd: no memory").with_reason("memory");
  out.resize(size);
  return out;
}

}  // namespace spanway::http
