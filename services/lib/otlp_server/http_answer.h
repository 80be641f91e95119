// The answer to one OTLP/HTTP request: knows the encoding, compression and headers it must have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/http/server.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/otlp/status_map.h"

namespace spanway::otlp_server {

// The encoding that a content-type names, parameters aside; nothing for anything but
// application/x-protobuf and application/json.
std::optional<otlp::Encoding> encoding_of(std::string_view content_type);

// The coding that an accept-encoding header likes best among gzip and zstd; identity otherwise.
http::ContentCoding accepted_coding(std::string_view accept_encoding);

// External lock; answers once, from any thread.
class HttpAnswer {
 public:
  HttpAnswer(http::Responder responder, otlp::Encoding encoding, http::ContentCoding coding,
             http::Headers extra)
      : responder_(std::move(responder)),
        encoding_(encoding),
        coding_(coding),
        extra_(std::move(extra)) {}

  void succeed(otlp::Signal signal, std::uint64_t rejected, std::string_view message) noexcept;
  // A google.rpc.Status; the HTTP status is the error's, or `status` when that is not 0.
  void fail(const Error& error, int status = 0) noexcept;
  // Goes onto the answer, whatever it will be.
  void add_header(std::string name, std::string value) {
    extra_.add(std::move(name), std::move(value));
  }
  otlp::Encoding encoding() const noexcept { return encoding_; }

 private:
  void send(int status, Bytes body, http::Headers headers) noexcept;

  http::Responder responder_;
  otlp::Encoding encoding_;
  http::ContentCoding coding_;
  http::Headers extra_;
};

}  // namespace spanway::otlp_server
