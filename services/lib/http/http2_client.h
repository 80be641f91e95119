// A client for answers that do not end: GETs over HTTP/2, many streams on each connection. The
// operator's watches of the Kubernetes API use it. Requests with a body and answers that end are
// Client's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/http/client.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/http/message.h"
#include "services/lib/http/tls.h"

namespace spanway::http {

struct Http2ClientOptions {
  std::size_t streams_max = 1000;  // On one connection; the server's own limit may be lower.
  std::size_t connections_max = 128;
  std::size_t waiting_max = 65'536;  // Requests that wait for a connection; more = UNAVAILABLE.
  Duration connect_timeout = std::chrono::seconds(10);  // TCP, TLS and the server's SETTINGS.
  // A connection without a stream is closed after this.
  Duration idle_timeout = std::chrono::seconds(50);
  // A connection that has received nothing for `ping_after` is pinged; it is closed when nothing
  // arrives within `ping_timeout` of that.
  Duration ping_after = std::chrono::seconds(30);
  Duration ping_timeout = std::chrono::seconds(15);
  // Body of an answer whose status is not 200; the rest is dropped.
  std::size_t error_bytes_max = 1024 * 1024;
};

struct StreamRequest {
  std::string path;  // With the query.
  Headers headers;
  Duration head_timeout = std::chrono::seconds(30);  // Until the status arrives.
  Duration silence_max = std::chrono::seconds(90);   // Between two pieces of the body.
};

struct StreamCallbacks {
  // A piece of the body of a 200; false resets the stream. While it runs, nothing else is read from
  // the server: flow control holds the server back.
  std::function<bool(std::string_view)> on_bytes;
  // Exactly once, the last call for this stream. A response has the status, the headers and, unless
  // the status is 200, the body. Errors are transport failures, all transient: UNAVAILABLE
  // (connection), DEADLINE_EXCEEDED (silence), CANCELLED; FAILED_PRECONDITION "no_http2" when the
  // server does not offer HTTP/2.
  std::function<void(Result<Response>)> on_end;
};

// To one origin, over TLS with ALPN h2 or, for http, with prior knowledge. Thread-safe; callbacks
// run on one io thread and must not destroy the client. Memory: about 1 KiB a stream, and what the
// server may send ahead: 1 MiB a stream, 16 MiB a connection, of which the io thread keeps none.
class Http2Client {
 public:
  using StreamId = std::uint64_t;
  static Result<std::unique_ptr<Http2Client>> create(Url url, Http2ClientOptions options,
                                                     std::shared_ptr<TlsClientContext> tls,
                                                     IoPool& pool);
  // Ends all streams with CANCELLED before it returns.
  virtual ~Http2Client() = default;
  virtual StreamId open(StreamRequest request, StreamCallbacks callbacks) = 0;
  // The stream ends with CANCELLED, unless it has ended.
  virtual void cancel(StreamId id) = 0;
  // Connections that are open or being opened.
  virtual std::size_t connections() const = 0;
};

}  // namespace spanway::http
