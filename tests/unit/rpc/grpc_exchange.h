// For tests: gRPC requests as the HTTP server hands them over, and answers taken apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "services/lib/base/base64.h"
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

// grpc-status of an answer, in headers or trailers; -1 without one.
inline int grpc_status(const http::Response& response) {
  const std::string_view text = response.trailers.count("grpc-status") > 0
                                    ? response.trailers.get("grpc-status")
                                    : response.headers.get("grpc-status");
  return text.empty() ? -1 : std::stoi(std::string(text));
}

// The refusal as a client understands it.
inline Error refusal_of(const http::Response& response) {
  std::string details(response.headers.get("grpc-status-details-bin"));
  std::size_t size = 0;
  EXPECT_TRUE(decode_base64_lenient(details, details.data(), size));
  details.resize(size);
  return otlp::error_from_grpc(grpc_status(response), response.headers.get("grpc-message"),
                               details);
}

}  // namespace spanway::rpc
