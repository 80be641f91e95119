// Frames of HTTP/2 written and read by hand, for what no proper client sends.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/http/server_fixture.h"

namespace spanway::http {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string frame(unsigned char type, unsigned char flags, std::uint32_t stream,
                         std::string_view payload) {
  const std::size_t size = payload.size();
  std::string out;
  for (const std::size_t shift : {16U, 8U, 0U}) out.push_back(static_cast<char>(size >> shift));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<char>(stream >> shift));
  out += payload;
  return out;
}

// An HPACK literal without indexing and without Huffman.
inline std::string literal(std::string_view name, std::string_view value) {
  const auto length = [](std::size_t size) {
    std::string out;
    if (size < 127) {
      out.push_back(static_cast<char>(size));
      return out;
    }
    out.push_back(127);
    size -= 127;
    for (; size >= 128; size /= 128) out.push_back(static_cast<char>(128 + size % 128));
    out.push_back(static_cast<char>(size));
    return out;
  };
  return std::string(1, '\0') + length(name.size()) + std::string(name) + length(value.size()) +
         std::string(value);
}

inline const std::string kGetBlock = literal(":method", "GET") + literal(":scheme", "http") +
                                     literal(":path", "/echo") + literal(":authority", "a");

inline constexpr unsigned char kEndStream = 0x1;
inline constexpr unsigned char kEndHeaders = 0x4;

// A connection that speaks raw frames; the preface and SETTINGS are sent.
inline std::unique_ptr<RawClient> raw_http2(TestServer& server) {
  auto client = std::make_unique<RawClient>(server.server->port());
  client->send(std::string(kPreface) + frame(NGHTTP2_SETTINGS, 0, 0, ""));
  return client;
}

struct SeenFrame {
  int type = 0;
  std::string payload;
};

inline std::vector<SeenFrame> frames_in(std::string_view bytes) {
  std::vector<SeenFrame> found;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  while (bytes.size() >= 9) {
    const std::size_t size = (std::size_t{byte(0)} << 16) + (std::size_t{byte(1)} << 8) + byte(2);
    if (bytes.size() < 9 + size) break;
    found.push_back({byte(3), std::string(bytes.substr(9, size))});
    bytes.remove_prefix(9 + size);
  }
  return found;
}

// The error code of the last GOAWAY in what a server sent.
inline std::optional<std::uint32_t> goaway_error(std::string_view bytes) {
  std::optional<std::uint32_t> found;
  for (const SeenFrame& seen : frames_in(bytes)) {
    if (seen.type != NGHTTP2_GOAWAY || seen.payload.size() < 8) continue;
    std::uint32_t error = 0;
    for (std::size_t i = 4; i < 8; ++i)
      error = error * 256 + static_cast<unsigned char>(seen.payload[i]);
    found = error;
  }
  return found;
}

// Reads until the server has reset a stream, sent GOAWAY or closed.
inline bool refused(RawClient& client) {
  std::string all;
  while (true) {
    const std::string some = client.receive_some();
    if (some.empty()) return true;
    all += some;
    for (const SeenFrame& seen : frames_in(all))
      if (seen.type == NGHTTP2_RST_STREAM || seen.type == NGHTTP2_GOAWAY) return true;
  }
}

}  // namespace spanway::http
