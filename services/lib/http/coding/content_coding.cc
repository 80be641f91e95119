#include "services/lib/http/content_coding.h"

#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/http/coding/gzip_coding.h"
#include "services/lib/http/coding/zstd_coding.h"

namespace spanway::http {
namespace {

class IdentityDecoder final : public Decoder {
 public:
  explicit IdentityDecoder(DecodeLimits limits) : output_(limits) {}
  Status decode(std::string_view chunk, Bytes& out, const Grow& grow) override {
    SPANWAY_TRY(output_.added(chunk.size()));
    SPANWAY_TRY(output_.make_room_announced(out, chunk.size(), grow));
    out.append(chunk);
    return ok_status();
  }
  Status finish() override { return ok_status(); }

 private:
  DecodedOutput output_;
};

}  // namespace

Result<ContentCoding> parse_content_coding(std::string_view header) {
  if (header.empty() || equals_ignoring_case(header, "identity")) return ContentCoding::kIdentity;
  if (equals_ignoring_case(header, "gzip") || equals_ignoring_case(header, "x-gzip"))
    return ContentCoding::kGzip;
  if (equals_ignoring_case(header, "deflate")) return ContentCoding::kDeflate;
  if (equals_ignoring_case(header, "zstd")) return ContentCoding::kZstd;
  return data_error(Code::kUnimplemented, "this content coding is not supported; use one of " +
                                              std::string(kContentCodings))
      .with_reason("content_coding_unsupported");
}

std::string_view to_string(ContentCoding coding) noexcept {
  switch (coding) {
    case ContentCoding::kIdentity:
      return "identity";
    case ContentCoding::kGzip:
      return "gzip";
    case ContentCoding::kZstd:
      return "zstd";
    case ContentCoding::kDeflate:
      return "deflate";
  }
  return "identity";
}

std::unique_ptr<Decoder> Decoder::create(ContentCoding coding, DecodeLimits limits) {
  switch (coding) {
    case ContentCoding::kIdentity:
      break;
    case ContentCoding::kGzip:
      return make_gzip_decoder(limits);
    case ContentCoding::kZstd:
      return make_zstd_decoder(limits);
    case ContentCoding::kDeflate:
      return make_deflate_decoder(limits);
  }
  return std::make_unique<IdentityDecoder>(limits);
}

Result<Bytes> encode(ContentCoding coding, std::string_view body, int level) {
  switch (coding) {
    case ContentCoding::kIdentity:
      break;
    case ContentCoding::kGzip:
      return gzip_encode(body, level);
    case ContentCoding::kZstd:
      return zstd_encode(body, level);
    case ContentCoding::kDeflate:
      return deflate_encode(body, level);
  }
  return Bytes(body);
}

}  // namespace spanway::http
