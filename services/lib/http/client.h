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
  std::size_t connections_max = 8;  // Per client; further requests wait in order.
  std::size_t waiting_max = 1024;   // Requests that wait for a connection; more = UNAVAILABLE.
  std::size_t response_bytes_max = 4 * 1024 * 1024;
  // What happens to a larger answer: false = an error; true = it is given with the part of its body
  // that has come so far, for those to whom its status matters more. The connection is closed.
  bool cut_large_answers = false;
  Duration connect_timeout = std::chrono::seconds(5);
  Duration idle_timeout = std::chrono::seconds(50);
};

struct ClientRequest {
  std::string method = "POST";
  std::string path;  // Empty = the URL's path.
  Headers headers;   // host and content-length are added.
  Bytes body;
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
};

}  // namespace spanway::http
