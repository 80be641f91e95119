// HTTP/1.1 to the API server, over cpprestsdk: the only file with that library is transport.cc.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "operator/k8s/access.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"

namespace spanway::kube {

struct RestTransportOptions {
  Duration request_timeout = std::chrono::seconds(30);
  Duration longest_timeout = std::chrono::seconds(30);  // The longest of any request.
  std::size_t answer_bytes_max = 64u << 20;
  std::string user_agent;
};

struct HttpRequest {
  std::string method;
  std::string target;  // Path and query, percent-encoded.
  std::string body;
  std::string content_type;  // Empty = no body.
  // Idempotent: sent again once, on a new connection, when a kept-alive connection was dead.
  bool repeatable = true;
  // Instead of RestTransportOptions::request_timeout; 0 = that.
  Duration timeout{};
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::optional<std::chrono::milliseconds> retry_after;
};

// Thread-safe. Keeps connections alive for send(); each stream has its own. Requests under way
// at its destruction end on their own and use nothing of it. cpprestsdk runs its I/O on four
// threads of the process.
class RestTransport {
 public:
  // Fails (INVALID_ARGUMENT) when the certificates or the address cannot be used.
  static Result<std::unique_ptr<RestTransport>> create(const Cluster& cluster,
                                                       const Credentials& credentials,
                                                       RestTransportOptions options);
  ~RestTransport();

  // Blocks for the request's timeout at most. UNAVAILABLE without a connection, DEADLINE_EXCEEDED
  // without an answer in time, RESOURCE_EXHAUSTED when the answer is above the bound; any HTTP
  // status is an answer.
  Result<HttpAnswer> send(const HttpRequest& request, const Secret& token);

  // GET whose body is passed to `on_bytes` as it arrives, on this thread, if the status is 200;
  // with another status the body is in the answer. Ends with the stream, when `on_bytes` returns
  // false, or with CANCELLED (stop), DEADLINE_EXCEEDED (no byte for `silence_max`; the status line
  // must come within longest_timeout), UNAVAILABLE. At most 1 MiB and one chunk wait for
  // `on_bytes`; then the server is not read from.
  Result<HttpAnswer> stream(const HttpRequest& request, const Secret& token, Duration silence_max,
                            const std::stop_token& stop,
                            const std::function<bool(std::string_view)>& on_bytes);

 private:
  struct Impl;
  explicit RestTransport(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace spanway::kube
