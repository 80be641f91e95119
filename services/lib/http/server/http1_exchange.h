// One HTTP/1.1 request and its answer. For this module only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "services/lib/http/server.h"
#include "services/lib/http/server/stream_body.h"

namespace spanway::http {

// Single-thread: the session's.
struct Http1Exchange {
  std::uint64_t id = 0;
  std::unique_ptr<BodyReader> reader;
  bool head_request = false;
  bool keep_alive = true;
  bool http10 = false;
  bool body_done = false;
  bool answered = false;
  std::function<void()> on_peer_gone;  // Until the answer, or its call.
  std::uint64_t discarded = 0;
  std::optional<RequestHead> upgrade_head;  // The head of a request that may become a WebSocket.
  std::shared_ptr<StreamBody> stream;       // The body of a streamed answer, until its end.
  bool chunked = false;                     // The stream is sent in the chunked coding.
  std::optional<std::uint64_t> length;
  std::uint64_t received = 0;

  void peer_gone() {
    if (const auto callback = std::exchange(on_peer_gone, nullptr)) callback();
  }
};

}  // namespace spanway::http
