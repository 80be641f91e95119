// An API server whose every answer is written by the test, down to the single bytes: for the faults
// that a real one cannot be made to show. HTTP/1.1 over plain sockets, with TLS when requested.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"

struct ssl_ctx_st;
struct ssl_st;

namespace spanway::fakes {

struct ApiRequest {
  std::string method;
  std::string path;
  std::string query;                           // As sent, percent-encoded.
  std::map<std::string, std::string> headers;  // Names in lower case.
  std::string body;
  int connection = 0;  // Counts from 1.

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

// Writes to the connection of one request. Used by the handler on its thread only.
class ApiReply {
 public:
  ApiReply(int socket, ssl_st* tls, int wake) : socket_(socket), tls_(tls), wake_(wake) {}
  using Headers = std::vector<std::pair<std::string, std::string>>;

  void answer(int status, std::string_view body, const Headers& headers = {});
  // A body without a known length: the head, pieces, the end.
  void start_stream(int status = 200);
  void chunk(std::string_view bytes);
  void end_stream();
  void raw(std::string_view bytes);
  // Says nothing more until the peer has closed the connection or the server stops.
  void hold();
  // Closes the connection without another byte.
  void drop() { dropped_ = true; }
  bool dropped() const { return dropped_; }

 private:
  const int socket_;
  ssl_st* const tls_;
  const int wake_;
  bool dropped_ = false;
};

// The handler is called on a thread of the connection, for each request in turn; it must not
// outlive what it captures: stop() (and the destructor) waits for all of them.
class ScriptedApiServer {
 public:
  using Handler = std::function<void(const ApiRequest&, ApiReply&)>;
  struct Tls {
    std::string certificate_pem;
    std::string key_pem;
    std::string client_ca_pem;  // When there: a client must have a certificate of this authority.
  };
  explicit ScriptedApiServer(Handler handler) : ScriptedApiServer(std::move(handler), nullptr) {}
  ScriptedApiServer(Handler handler, const Tls& tls)
      : ScriptedApiServer(std::move(handler), &tls) {}
  ~ScriptedApiServer();

  std::string url() const;  // "http://127.0.0.1:port"
  std::uint16_t port() const noexcept { return port_; }
  std::vector<ApiRequest> requests() const;
  int connections() const;
  void stop();

 private:
  struct Connection {
    int socket = -1;
    std::jthread thread;
  };
  ScriptedApiServer(Handler handler, const Tls* tls);
  void accept_all();
  void serve(int socket, int number);
  void serve_requests(int socket, ssl_st* tls, int number);

  const Handler handler_;
  ssl_ctx_st* tls_ = nullptr;
  int listener_ = -1;
  int wake_ = -1;  // An eventfd, readable once the server stops.
  std::uint16_t port_ = 0;
  mutable Mutex mutex_;
  bool stopping_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<Connection>> connections_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<ApiRequest> requests_ SPANWAY_GUARDED_BY(mutex_);
  std::jthread acceptor_;
};

}  // namespace spanway::fakes
