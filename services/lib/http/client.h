// An HTTP/1.1 client: pooled connections, deadlines, bounded answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/http/message.h"
#include "services/lib/http/tls.h"

namespace spanway::http {

// scheme http or https; anything else, user info and control characters are refused.
struct Url {
  bool https = false;
  std::string host;
  std::uint16_t port = 80;
  std::string path = "/";  // With the query.
  static Result<Url> parse(std::string_view text);
};

struct ClientOptions {
  // Per client; further requests wait in order. While requests of others hold all of them, each
  // share of requests (ClientRequest::share) may use its part of them besides: at most twice as
  // many in all.
  std::size_t connections_max = 8;
  std::size_t waiting_max = 1024;  // Requests that wait for a connection; more = UNAVAILABLE.
  std::size_t response_bytes_max = 4 * 1024 * 1024;
  // A larger answer is an error (false), or it is returned with the part of its body that has
  // arrived (true), for callers that need its status. The connection is closed in both cases.
  bool truncate_large_responses = false;
  Duration connect_timeout = std::chrono::seconds(5);
  Duration idle_timeout = std::chrono::seconds(50);
};

struct ClientRequest {
  std::string method = "POST";
  std::string path;  // Empty = the URL's path.
  Headers headers;   // host and content-length are added.
  Bytes body;
  // Requests that may fail or hang together, e.g. a tenant's: others do not wait for them.
  std::string share = {};
};

// Takes an answer while it arrives. Called on the client's io thread; must not block.
class ResponseObserver {
 public:
  virtual ~ResponseObserver() = default;
  // Once, before any data. Interim answers are left out.
  virtual void on_head(int status, const Headers& headers) = 0;
  // Bytes of the body, valid during the call only. False = no more before ClientStream::resume():
  // the client stops reading, and holds at most one read of 128 KiB.
  virtual bool on_data(std::string_view data) = 0;
  // Once, last. An error = the answer is not complete, also after cancel().
  virtual void on_end(Status status) = 0;
};

class ClientCore;
struct ClientCall;

// The way to hold an answer back and to give it up. Thread-safe; move-only; dropped = cancel().
// May outlive the client.
class ClientStream {
 public:
  ClientStream() = default;
  ClientStream(std::weak_ptr<ClientCore> core, std::weak_ptr<ClientCall> call)
      : core_(std::move(core)), call_(std::move(call)) {}
  ClientStream(ClientStream&&) noexcept = default;
  ClientStream& operator=(ClientStream&& other) noexcept;
  ~ClientStream();

  // Reads on after on_data() has returned false.
  void resume();
  // Closes the connection; on_end() is called with CANCELLED unless it has been called.
  void cancel();

 private:
  std::weak_ptr<ClientCore> core_;
  std::weak_ptr<ClientCall> call_;
};

// To one origin. Thread-safe. Redirects are not followed. Answers of any status are results; errors
// are transport failures: transient, with Code::kUnavailable or kDeadlineExceeded; a request that
// cannot be written as HTTP is INVALID_ARGUMENT, configuration. Retries nothing,
// except that a request which found a kept-alive connection closed before one byte came back is
// sent once more on a new one when `idempotent`. Destruction answers what is under way with
// UNAVAILABLE before it returns; not on an io thread other than the client's own.
class Client {
 public:
  using Callback = std::function<void(Result<Response>)>;
  static Result<std::unique_ptr<Client>> create(Url url, ClientOptions options,
                                                std::shared_ptr<TlsClientContext> tls,
                                                IoPool& pool);
  virtual ~Client() = default;
  // The callback runs once, on an io thread, by the deadline at the latest.
  virtual void send(ClientRequest request, Deadline deadline, bool idempotent,
                    Callback callback) = 0;
  // Streams an answer that ends (Http2Client has those that do not): its size has no bound,
  // `deadline` covers all of it. The observer is kept until on_end() has returned.
  virtual ClientStream stream(ClientRequest request, Deadline deadline, bool idempotent,
                              std::shared_ptr<ResponseObserver> observer) = 0;
};

}  // namespace spanway::http
