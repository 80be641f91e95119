// libnghttp2's C callbacks and options for servers. For this module only.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

namespace spanway::http {

// Calls the Http2Session that is the user data of the nghttp2 session. Both live for the whole
// process.
struct Http2Callbacks {
  static nghttp2_session_callbacks* table() noexcept;
  static nghttp2_option* options() noexcept;
  // Reads the body of the Http2Stream that is the data source.
  static ssize_t read(nghttp2_session* session, std::int32_t id, std::uint8_t* into,
                      std::size_t size, std::uint32_t* flags, nghttp2_data_source* source,
                      void* user) noexcept;
  struct Frames;
};

}  // namespace spanway::http
