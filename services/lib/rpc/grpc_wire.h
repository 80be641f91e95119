// The text parts of gRPC over HTTP/2: timeouts, status messages, binary headers, content types.
// Internal to this module.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"

namespace spanway::rpc {

inline constexpr std::size_t kMessagePrefixBytes = 5;
// Keeps our trailers far below the 8 KiB that peers take by default.
inline constexpr std::size_t kStatusMessageBytesMax = 1024;

// "20S", "1500m": one to eight digits and one of H M S m u n. At most a day is returned, whatever
// was requested. INVALID_ARGUMENT otherwise.
Result<Duration> parse_timeout(std::string_view text);

// grpc-message: everything but printable ASCII, and '%', as %XX. The result is at most
// `encoded_bytes_max` long; text beyond it is omitted, never split inside an escape or a UTF-8
// sequence.
std::string encode_status_message(std::string_view text,
                                  std::size_t encoded_bytes_max = kStatusMessageBytesMax);

// application/grpc and application/grpc+proto, with or without parameters.
enum class ContentType : unsigned char { kProtobuf, kOtherMessages, kNotGrpc };
ContentType parse_content_type(std::string_view header) noexcept;

// A message with its prefix, as in the body.
Bytes frame_message(std::string_view message, bool compressed);

// True when a comma-separated list holds this word.
bool lists(std::string_view header, std::string_view word) noexcept;

}  // namespace spanway::rpc
