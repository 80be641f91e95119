// One request of a stream client. For this module only.
#pragma once

#include <utility>

#include "services/lib/http/http2_client.h"

namespace spanway::http {

// Single-thread: the client's io thread.
class Http2Call {
 public:
  Http2Call(Http2Client::StreamId call_id, StreamRequest call_request, StreamCallbacks callbacks,
            SteadyTime now)
      : id(call_id),
        request(std::move(call_request)),
        deadline(now + request.head_timeout),
        callbacks_(std::move(callbacks)) {}

  bool ended() const noexcept { return ended_; }
  void end(Result<Response> result) {
    if (std::exchange(ended_, true)) return;
    const auto callbacks = std::exchange(callbacks_, {});
    callbacks.on_end(std::move(result));
  }
  bool bytes(std::string_view piece) { return ended_ || callbacks_.on_bytes(piece); }

  const Http2Client::StreamId id;
  const StreamRequest request;
  SteadyTime deadline;
  Response response{.status = 0, .headers = {}, .body = {}, .trailers = {}};
  bool complete = false;  // END_STREAM has arrived.

 private:
  StreamCallbacks callbacks_;
  bool ended_ = false;
};

}  // namespace spanway::http
