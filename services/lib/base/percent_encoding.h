// Percent-encoding (RFC 3986, section 2.1). Stateless; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace spanway {

// One byte as "%XX".
void append_percent_encoded(std::string& out, char byte);

// For a value of a query: keeps the unreserved characters and encodes the rest, slashes included.
std::string percent_encode(std::string_view text);
// For one segment of a path. As above; "." and "..", which servers resolve, are encoded as well.
std::string percent_encode_segment(std::string_view text);

// Decoded exactly once; nothing for a broken escape.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace spanway
