// A backend that answers as a test's script says: over HTTP/1.1 for Zipkin, OTLP/HTTP and the like,
// and over HTTP/2 for gRPC.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/check.h"
#include "services/lib/base/mutex.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/http/server.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::fakes {

// One request as it came in.
struct SeenRequest {
  http::RequestHead head;
  std::string body;  // As sent.

  // Without its content-encoding.
  std::string decoded() const {
    const auto coding = http::parse_content_coding(head.headers.get("content-encoding"));
    if (!coding.ok() || coding.value() == http::ContentCoding::kIdentity) return body;
    Bytes out;
    const auto decoder = http::Decoder::create(coding.value(), {});
    const auto yes = [](std::size_t) { return true; };
    if (!decoder->decode(body, out, yes).ok() || !decoder->finish().ok()) return "(broken)";
    return std::string(out.view());
  }
};

// Answers of a script. Nothing = no answer: the request hangs until release() or the end.
using Answer = std::optional<http::Response>;
using Script = std::function<Answer(const SeenRequest&)>;

inline http::Response http_answer(int status, std::string_view body = {},
                                  std::string_view content_type = "text/plain") {
  http::Response response;
  response.status = status;
  if (!body.empty()) response.headers.add("content-type", std::string(content_type));
  response.body = Bytes(body);
  return response;
}
// A gRPC message with grpc-status 0.
inline http::Response grpc_answer(std::string_view message = {}) {
  http::Response response;
  response.headers.add("content-type", "application/grpc");
  const auto size = static_cast<std::uint32_t>(message.size());
  for (const unsigned shift : {32u, 24u, 16u, 8u, 0u})
    response.body.push_back(static_cast<char>(shift == 32 ? 0 : size >> shift));
  response.body.append(message);
  response.trailers.add("grpc-status", "0");
  return response;
}
inline http::Response grpc_failure(int code, std::string_view message) {
  http::Response response;
  response.headers.add("content-type", "application/grpc");
  response.trailers.add("grpc-status", std::to_string(code));
  response.trailers.add("grpc-message", std::string(message));
  return response;
}

// Thread-safe. Listens on a free port of 127.0.0.1 from construction on.
class FakeHttpBackend final : public http::Handler {
 public:
  explicit FakeHttpBackend(Script script = [](const SeenRequest&) { return http_answer(200); })
      : script_(std::move(script)), io_("fake", 1) {
    listen(0);
  }
  ~FakeHttpBackend() override { server_.reset(); }

  void answer_with(Script script) {
    MutexLock lock(mutex_);
    script_ = std::move(script);
  }
  void answer_with(int status) {
    answer_with([status](const SeenRequest&) { return http_answer(status); });
  }
  // Answers all that hang.
  void release(const std::function<http::Response()>& answer) {
    std::vector<http::Responder> held;
    {
      MutexLock lock(mutex_);
      held.swap(held_);
    }
    for (auto& responder : held) responder.send(answer());
  }
  // Closes the port: connections are refused from now on. No request calls the script any more.
  void stop() {
    if (!server_) return;
    port_ = server_->port();
    release([] { return http_answer(503); });
    server_.reset();
  }
  // Listens again on the same port.
  void restart() { listen(port_); }

  std::uint16_t port() const { return server_ ? server_->port() : port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  std::string url() const { return "http://" + address(); }

  std::vector<SeenRequest> requests() const {
    MutexLock lock(mutex_);
    return requests_;
  }
  // Requests that are answered, or hang, by now.
  std::size_t count(bool (*matches)(const SeenRequest&)) const {
    MutexLock lock(mutex_);
    return count_locked(matches);
  }
  // False when fewer than `count` have come within 10 s.
  bool wait_for_requests(
      std::size_t count,
      bool (*matches)(const SeenRequest&) = [](const SeenRequest&) { return true; }) const {
    MutexLock lock(mutex_);
    return arrived_.wait_for(mutex_, std::chrono::seconds(10), [&]() SPANWAY_REQUIRES(mutex_) {
      return count_locked(matches) >= count;
    });
  }

  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override {
    return std::make_unique<Reader>(*this, head, std::move(responder));
  }

 private:
  std::size_t count_locked(bool (*matches)(const SeenRequest&)) const SPANWAY_REQUIRES(mutex_) {
    return static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(), matches));
  }
  class Reader final : public http::BodyReader {
   public:
    Reader(FakeHttpBackend& backend, const http::RequestHead& head, http::Responder responder)
        : backend_(backend), responder_(std::move(responder)) {
      seen_.head = head;
    }
    bool on_data(std::string_view data) override {
      seen_.body.append(data);
      return true;
    }
    void on_end() override { backend_.answer(std::move(seen_), std::move(responder_)); }

   private:
    FakeHttpBackend& backend_;
    http::Responder responder_;
    SeenRequest seen_;
  };

  void listen(std::uint16_t port) {
    http::ServerOptions options;
    options.name = "fake";
    options.port = port;
    auto server = http::Server::create(options, nullptr, io_, *this, {log_, metrics_});
    SPANWAY_CHECK(server.ok());
    server_ = std::move(server).value();
    server_->start();
  }
  void answer(SeenRequest seen, http::Responder responder) {
    Script script;
    {
      MutexLock lock(mutex_);
      script = script_;
    }
    Answer answer = script(seen);
    {
      MutexLock lock(mutex_);
      requests_.push_back(std::move(seen));
      if (!answer) held_.push_back(std::move(responder));
    }
    arrived_.notify_all();
    if (answer) responder.send(std::move(*answer));
  }

  mutable Mutex mutex_;
  mutable CondVar arrived_;
  Script script_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<SeenRequest> requests_ SPANWAY_GUARDED_BY(mutex_);
  std::vector<http::Responder> held_ SPANWAY_GUARDED_BY(mutex_);

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_;
  std::unique_ptr<http::Server> server_;
  std::uint16_t port_ = 0;
};

}  // namespace spanway::fakes
