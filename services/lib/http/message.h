// Requests and answers as handlers and clients see them, the same for HTTP/1.1 and HTTP/2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/bytes.h"

namespace spanway::http {

// Names are lower case. Order and repetition are kept.
class Headers {
 public:
  void add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
  }
  // The first value, or nothing. `name` in lower case.
  std::optional<std::string_view> find(std::string_view name) const noexcept {
    for (const auto& [key, value] : fields_)
      if (key == name) return value;
    return std::nullopt;
  }
  std::string_view get(std::string_view name) const noexcept { return find(name).value_or(""); }
  // Number of occurrences of the header: security headers must occur at most once.
  std::size_t count(std::string_view name) const noexcept {
    std::size_t n = 0;
    for (const auto& field : fields_) n += field.first == name ? 1 : 0;
    return n;
  }
  const std::vector<std::pair<std::string, std::string>>& fields() const noexcept {
    return fields_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

enum class Protocol : unsigned char { kHttp11, kHttp2 };

// Everything known when the headers have arrived.
struct RequestHead {
  std::string method;  // "POST"
  std::string path;    // Decoded exactly once, without the query: "/v1/traces"
  std::string query;   // Raw, without the '?'
  Headers headers;
  Protocol protocol = Protocol::kHttp11;
  std::optional<std::uint64_t> content_length;
  std::string peer_address;  // "127.0.0.1"
  bool tls = false;
  std::string peer_certificate_cn;  // The verified client certificate's CN; empty without mTLS.
};

struct Response {
  int status = 200;
  Headers headers;  // content-length is added by the server.
  Bytes body;
  Headers trailers;  // HTTP/2 only; gRPC needs them.
};

}  // namespace spanway::http
