// The block format of snappy, in which Prometheus and Loki take their requests. It is no content
// coding of HTTP: a body is compressed as one block, and servers of ours do not accept it.
// Functions without state: thread-safe. Source: google/snappy, format_description.txt.
#pragma once

#include <cstddef>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/result.h"

namespace spanway::http {

// The most bytes that a body of `body_bytes` may become.
std::size_t snappy_bytes_max(std::size_t body_bytes) noexcept;
Bytes snappy_encode(std::string_view body);
// INVALID_ARGUMENT, data: no valid block, or one of more than `decoded_bytes_max`.
Result<Bytes> snappy_decode(std::string_view block, std::size_t decoded_bytes_max);

}  // namespace spanway::http
