// One request of a client, from send() to its callback. For this module only.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "services/lib/http/client.h"

namespace spanway::http {

// Single-thread (the client's io thread) once it is queued. Its callback runs exactly once: at the
// latest, with UNAVAILABLE, when the last owner lets it go.
struct ClientCall {
  // `callback_` and, for an answer that is streamed, `observer_` as well.
  ClientCall(std::string method_, std::string head_, Bytes body_, Deadline deadline_,
             bool idempotent_, std::string share_, Client::Callback callback_,
             std::shared_ptr<ResponseObserver> observer_ = nullptr)
      : method(std::move(method_)),
        head(std::move(head_)),
        body(std::move(body_)),
        deadline(deadline_),
        idempotent(idempotent_),
        share(std::move(share_)),
        callback(std::move(callback_)),
        observer(std::move(observer_)) {}
  ~ClientCall() {
    finish(unavailable("http client: closed before the answer came").with_reason("client_closed"));
  }
  ClientCall(const ClientCall&) = delete;
  ClientCall& operator=(const ClientCall&) = delete;

  void finish(Result<Response> result) {
    timer.reset();
    if (const auto release = std::exchange(on_finish, nullptr)) {
      release(result.ok() || result.error().code != Code::kDeadlineExceeded);
    }
    if (const auto function = std::exchange(callback, nullptr)) function(std::move(result));
  }
  bool finished() const noexcept { return callback == nullptr; }

  const std::string method;
  const std::string head;  // The request's head as it is sent.
  const Bytes body;
  const Deadline deadline;
  const bool idempotent;
  const std::string share;
  bool sent_again = false;  // A kept connection turned out to be closed.
  Client::Callback callback;
  // While it has a connection: gives its place back. False = no answer came in time.
  std::function<void(bool answered)> on_finish;
  const std::shared_ptr<ResponseObserver> observer;  // Null for a buffered answer.
  std::unique_ptr<boost::asio::steady_timer> timer;  // The deadline's.
};

}  // namespace spanway::http
