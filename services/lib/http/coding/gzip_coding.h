// gzip and deflate on zlib. For this module only.
#pragma once

#include <memory>

#include "services/lib/http/coding/decoded_output.h"
#include "services/lib/http/content_coding.h"

namespace spanway::http {

std::unique_ptr<Decoder> make_gzip_decoder(DecodeLimits limits);
std::unique_ptr<Decoder> make_deflate_decoder(DecodeLimits limits);
// Level 1 (quick) to 9; 0 = 1.
Result<Bytes> gzip_encode(std::string_view body, int level);
Result<Bytes> deflate_encode(std::string_view body, int level);

}  // namespace spanway::http
