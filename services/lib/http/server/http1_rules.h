// Requests that Beast's parser accepts and this server rejects. For this module only.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "services/lib/http/http1_parser.h"

namespace spanway::http {

// A request that is answered without the handler, with the connection closed afterwards.
struct Http1Fault {
  int status = 400;
  const char* text = "";  // A sentence for the peer.
};

// The first bytes of a head, complete or not: control characters, lines that end in LF alone or
// that continue the line before, anything that cannot begin a request.
std::optional<Http1Fault> check_head_bytes(std::string_view bytes) noexcept;

// A parsed head: Host, Content-Length, Transfer-Encoding, Expect, method, number of fields.
std::optional<Http1Fault> check_head(const Http1Head& head, std::size_t header_count_max) noexcept;

}  // namespace spanway::http
