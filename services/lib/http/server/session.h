// A protocol (HTTP/1.1, HTTP/2) on a connection: bytes in, bytes out, answers, time. It
// never touches a socket, so that tests can feed it by hand. For this module only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/http/events.h"
#include "services/lib/http/server.h"
#include "services/lib/http/server/stream_body.h"
#include "services/lib/http/server/web_socket_channel.h"

namespace spanway::http {

// The surroundings of a session. All references outlive it.
struct SessionContext {
  const ServerOptions& options;
  Handler& handler;
  ServerEvents& events;
  const Clock& clock;
  std::string peer_address;
  bool tls = false;
  std::string peer_certificate_cn;
};

// Makes the way back for the answer to request `id`: Session::answer() is called with it later, on
// the connection's thread and never from inside another call to the session.
class ResponderSource {
 public:
  virtual ~ResponderSource() = default;
  virtual Responder make_responder(std::uint64_t id) = 0;
  // Requests whose responder has not been used or dropped, also those the session has forgotten.
  virtual std::size_t unanswered() const noexcept = 0;
};

enum class SessionState : unsigned char {
  kOpen,
  kFinished,  // Send what is left, then linger: bytes of the peer may still be under way.
  kDone,      // Send what is left, then close: the peer has sent nothing that is unanswered.
  kAborted,   // Close now.
};

// Single-thread: the connection's io thread.
class Session {
 public:
  virtual ~Session() = default;
  virtual void receive(std::string_view bytes) = 0;
  // The peer will send no more.
  virtual void receive_end() = 0;
  // With a stream, `response` is the head of an answer whose body comes from there. The session
  // ends the stream: by reading it to its end, or by cancelling it.
  virtual void answer(std::uint64_t id, Response response, std::shared_ptr<StreamBody> stream) = 0;
  // The stream of request `id`, which had nothing to send, has something now.
  virtual void resume(std::uint64_t id) = 0;
  // Calls it once when request `id` ends before answer(), also when it has done so already. The
  // default, for sessions without requests, does so at once.
  virtual void on_peer_gone(std::uint64_t, std::function<void()> callback) { callback(); }
  // Request `id` is to become a WebSocket. What cannot ends the channel and answers 501.
  virtual void upgrade(std::uint64_t id, std::shared_ptr<WebSocketChannel> channel);
  struct Upgrade {
    RequestHead head;
    std::shared_ptr<WebSocketChannel> channel;
    std::string rest;  // Bytes behind the request.
  };
  // Set once, after upgrade(): another session takes the place of this one.
  virtual std::optional<Upgrade> take_upgrade() { return std::nullopt; }
  // Appends at most about `bytes_max` bytes to send; nothing appended = nothing to send now.
  virtual void produce(Bytes& out, std::size_t bytes_max) = 0;
  // False while the session has enough to do with what it was given.
  virtual bool wants_read() const = 0;
  // How much may be read at once without keeping bytes of the next request.
  virtual std::size_t read_bytes_max() const = 0;
  // No request that has arrived waits for its answer: what happens next is up to the peer.
  virtual bool is_idle() const = 0;
  // Memory of this session and its requests, about; bodies and answers under way have
  // permits of their own.
  virtual std::size_t memory() const = 0;
  virtual SessionState state() const = 0;
  // When on_time() should be called at the latest; may be too early, never too late.
  virtual SteadyTime next_deadline() const = 0;
  virtual void on_time(SteadyTime now) = 0;
  // No new requests; those in progress are finished; then kFinished.
  virtual void drain() = 0;
};

}  // namespace spanway::http
