// HTTP/1.1 answers as bytes. For this module only. Functions without state: thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/http/message.h"

namespace spanway::http {

enum class Http1Framing : unsigned char { kNone, kLength, kChunked, kUntilClose };

struct Http1HeadOptions {
  Http1Framing framing = Http1Framing::kLength;
  bool keep_alive = true;
  bool http10 = false;  // The version of the request.
};

// The status line, the fields and those that are the server's own.
void append_http1_head(std::string& out, const Response& response, Http1HeadOptions options,
                       const Clock& clock);
// One chunk; nothing for an empty piece, which would be the last one.
void append_http1_chunk(Bytes& out, std::string_view piece);
void append_http1_last_chunk(Bytes& out, const Headers& trailers);

}  // namespace spanway::http
