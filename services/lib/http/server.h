// The one server behind every port: HTTP/1.1 and HTTP/2 (by ALPN and by prior knowledge), with or
// without TLS. Bounded everywhere; hostile peers are closed, not waited for.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/http/message.h"
#include "services/lib/http/response_stream.h"
#include "services/lib/http/tls.h"
#include "services/lib/http/web_socket.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::http {

// The right and the duty to answer one request. Move-only; send() once, from any thread; dropped
// unanswered = 500. When the connection is gone, sending does nothing.
class Responder {
 public:
  class Target {  // Implemented by the protocol sessions.
   public:
    virtual ~Target() = default;
    virtual void respond(Response response) noexcept = 0;
    // The default, for targets without streams, answers 500.
    virtual ResponseStream start_stream(Response head, std::shared_ptr<StreamObserver> observer,
                                        StreamOptions options);
    // The default, for targets that cannot be upgraded, answers 501.
    virtual WebSocket accept_web_socket(std::shared_ptr<WebSocketObserver> observer,
                                        WebSocketOptions options);
    // The default, for targets without a connection, drops the callback.
    virtual void on_peer_gone(std::function<void()>) {}
  };
  Responder() = default;
  explicit Responder(std::shared_ptr<Target> target) : target_(std::move(target)) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;
  ~Responder();

  void send(Response response) noexcept;
  // Calls `callback` once when the request ends without an answer of ours: its stream is reset, its
  // connection is closed by either side, or the peer of HTTP/1.1 sends no more. On the connection's
  // io thread, or here when that has happened already; it must not block. Not after the answer has
  // begun: a stream has its observer.
  void on_peer_gone(std::function<void()> callback);
  // Answers with a body that is sent as it is written to the stream, `head.body` first. The
  // observer is kept until the stream is over; null where neither room nor
  // the end needs a report.
  ResponseStream start_stream(Response head, std::shared_ptr<StreamObserver> observer,
                              StreamOptions options = {});
  // For a request that is_web_socket_request(): the connection becomes a WebSocket. Any other
  // request is answered with 501, and the WebSocket is closed from the start.
  WebSocket accept_web_socket(std::shared_ptr<WebSocketObserver> observer,
                              WebSocketOptions options = {});
  explicit operator bool() const noexcept { return target_ != nullptr; }

 private:
  std::shared_ptr<Target> target_;
};

// Receives the body of one request. All calls on the connection's io thread; destroyed there.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // Some bytes of the body, valid during the call only. False = the reader has answered already
  // (too big, no memory, bad framing): the rest is discarded or, beyond 64 KiB, the stream is
  // aborted.
  virtual bool on_data(std::string_view data) = 0;
  // The whole body has arrived.
  virtual void on_end() = 0;
  // Destruction without on_end(): the peer went away or took too long.
};

// Thread contract: called on any io thread, several at once.
class Handler {
 public:
  virtual ~Handler() = default;
  // The headers have arrived. Either keeps the responder in the reader it returns, or answers at
  // once and returns null (the body is then discarded). Must not block.
  virtual std::unique_ptr<BodyReader> on_request(const RequestHead& head, Responder responder) = 0;
  // The io executor of the calling thread is passed where timers are needed.
};

struct ServerLimits {
  std::size_t header_bytes_max = 8 * 1024;
  std::size_t header_count_max = 64;
  std::uint32_t streams_max = 100;  // Concurrent HTTP/2 streams of a connection.
  // A request that fits half of its window needs no WINDOW_UPDATE before its end. What comes is
  // read at once, so the windows hold back no memory.
  std::uint32_t stream_window_bytes = 1024 * 1024;
  std::uint32_t connection_window_bytes = 4 * 1024 * 1024;
  std::size_t connections_max = 10'000;
  // At a limit of connections the one whose peer has sent nothing for the longest makes room; those
  // that wait for an answer of ours never do. Only where there are no others a new one is refused.
  std::size_t connections_per_peer_max = 0;  // 0 = three quarters of connections_max.
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration header_timeout = std::chrono::seconds(10);
  Duration request_timeout = std::chrono::seconds(30);  // Whole body, from the headers on.
  Duration idle_timeout = std::chrono::seconds(60);     // No request; or a write that stalls.
  // After this age (+-10 %) the connection is drained, so that clients spread over new replicas.
  Duration connection_age_max = std::chrono::minutes(5);
  Duration connection_age_grace = std::chrono::seconds(30);
};

struct ServerOptions {
  std::string name;  // For logs and the label `listener`.
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0 takes a free one; see Server::port().
  // The section of the configuration that turns TLS on, for log lines; empty = this listener never
  // has TLS.
  std::string tls_section = {};
  bool http1 = true;
  bool http2 = true;
  ServerLimits limits;
  // The memory of connections and their streams is charged here: a connection that finds no room
  // takes the place of the longest idle one, or ends. May be null; outlives the server.
  MemoryBudget* connection_memory = nullptr;
};

// Thread-safe. Start order: create (binds and listens, so a taken port is an error here), start.
class Server {
 public:
  // `tls` may be null: plain text. The handler, the pool and telemetry outlive the server.
  static Result<std::unique_ptr<Server>> create(ServerOptions options,
                                                std::shared_ptr<TlsServerContext> tls, IoPool& pool,
                                                Handler& handler, telemetry::Telemetry telemetry);
  virtual ~Server() = default;

  virtual void start() = 0;
  virtual std::uint16_t port() const noexcept = 0;
  // Closes the listening socket and sends GOAWAY / Connection: close; requests in flight are
  // finished.
  virtual void stop_accepting() = 0;
  // Closes the newest eighth of the connections, at least one: memory is at its limit.
  virtual void shed_connections() = 0;
  // Waits until no connection is left or the deadline has passed (then aborts them); true when all
  // ended by themselves. Blocks; not for io threads.
  virtual bool drain(Deadline deadline) = 0;
};

}  // namespace spanway::http
