// zstd. For this module only.
#pragma once

#include <memory>

#include "services/lib/http/coding/decoded_output.h"
#include "services/lib/http/content_coding.h"

namespace spanway::http {

std::unique_ptr<Decoder> make_zstd_decoder(DecodeLimits limits);
// Level 1 (quick) to 19; 0 = 1.
Result<Bytes> zstd_encode(std::string_view body, int level);

}  // namespace spanway::http
