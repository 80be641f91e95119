// For tests: gRPC requests as the HTTP server hands them over, and answers taken apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "services/lib/http/server.h"
#include "services/lib/otlp/status_map.h"
#include "services/lib/rpc/grpc_wire.h"

namespace spanway::rpc {

// Keeps the answer.
class AnswerRecorder final : public http::Responder::Target {
 public:
  void respond(http::Response response) noexcept override {
    ++answers;
    answer = std::move(response);
  }
  int answers = 0;
  std::optional<http::Response> answer;
};

inline http::RequestHead export_head(otlp::Signal signal = otlp::Signal::kTraces) {
  http::RequestHead head;
  head.method = "POST";
  head.path = std::string(otlp::grpc_path(signal));
  head.protocol = http::Protocol::kHttp2;
  head.peer_address = "127.0.0.1";
  head.headers.add("content-type", "application/grpc");
  head.headers.add("te", "trailers");
  return head;
}

// The same with one header replaced, or taken out when there is no value.
inline http::RequestHead with_header(http::RequestHead head, const std::string& name,
                                     std::optional<std::string> value) {
  http::Headers headers;
  for (const auto& [key, old] : head.headers.fields()) {
    if (key != name) headers.add(key, old);
  }
  if (value) headers.add(name, *value);
  head.headers = std::move(headers);
  return head;
}

inline std::string framed(std::string_view message, bool compressed = false) {
  return std::string(frame_message(message, compressed).view());
}

inline std::string unbase64(std::string_view text) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    bits = bits << 6 | static_cast<std::uint32_t>(kAlphabet.find(c));
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return out;
}

// grpc-status of an answer, wherever it stands; -1 without one.
inline int grpc_status(const http::Response& response) {
  const std::string_view text = response.trailers.count("grpc-status") > 0
                                    ? response.trailers.get("grpc-status")
                                    : response.headers.get("grpc-status");
  return text.empty() ? -1 : std::stoi(std::string(text));
}

// The refusal as a client understands it.
inline Error refusal_of(const http::Response& response) {
  return otlp::error_from_grpc(grpc_status(response), response.headers.get("grpc-message"),
                               unbase64(response.headers.get("grpc-status-details-bin")));
}

}  // namespace spanway::rpc
