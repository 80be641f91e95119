// Serves gRPC methods that take one message and answer with a stream of them (server streaming), or
// with one (unary, the same on the wire), on http::Server. The code of an error is sent as it is.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/http/server.h"

namespace spanway::rpc {

// The messages of one answer. As http::ResponseStream: thread-safe against the connection, external
// lock between writers, move-only; dropped unfinished = the client gets INTERNAL.
class MessageStream {
 public:
  using Write = http::ResponseStream::Write;
  MessageStream() = default;
  explicit MessageStream(http::ResponseStream stream) : stream_(std::move(stream)) {}

  // One message, uncompressed. kFull = not taken: write it again after on_writable().
  Write write(std::string_view message);
  // The same for a message of framed(), which needs no copy for each try.
  static Bytes framed(std::string_view message);
  Write write_framed(Bytes& message) { return stream_.write(message); }
  // OK, with metadata of the end.
  void finish(http::Headers trailers = {});
  void finish(const Error& error);
  bool cancelled() const { return stream_.cancelled(); }

 private:
  http::ResponseStream stream_;
};

// One call whose request has arrived. Move-only; answered once: by start(), or by refuse().
class StreamingCall {
 public:
  StreamingCall(http::RequestHead head, std::string caller, Deadline deadline, Bytes request,
                Permit permit, http::Responder responder)
      : head_(std::move(head)),
        caller_(std::move(caller)),
        deadline_(deadline),
        request_(std::move(request)),
        permit_(std::move(permit)),
        responder_(std::move(responder)) {}

  const http::RequestHead& head() const noexcept { return head_; }
  // The result of StreamingMethod::admit().
  const std::string& caller() const noexcept { return caller_; }
  // min(grpc-timeout, the service's own). The stream is cancelled when it has passed, and the
  // client gets DEADLINE_EXCEEDED.
  Deadline deadline() const noexcept { return deadline_; }
  // The serialized message; its memory is this call's until it is destroyed.
  std::string_view request() const noexcept { return request_.view(); }

  // As http::Responder::on_peer_gone(), until start().
  void on_peer_gone(std::function<void()> callback) {
    responder_.on_peer_gone(std::move(callback));
  }
  // The observer as for http::Responder::start_stream().
  MessageStream start(std::shared_ptr<http::StreamObserver> observer,
                      std::size_t buffer_bytes_max = 64 * 1024);
  void refuse(const Error& error);

 private:
  http::RequestHead head_;
  std::string caller_;
  Deadline deadline_;
  Bytes request_;
  Permit permit_;
  http::Responder responder_;
};

// Called on any io thread, several at once; must not block.
class StreamingMethod {
 public:
  virtual ~StreamingMethod() = default;
  // The caller, from the headers alone, before a byte of the request is taken; or the refusal.
  virtual Result<std::string> admit(const http::RequestHead&) { return std::string(); }
  virtual void on_call(StreamingCall call) = 0;
};

struct StreamingServiceOptions {
  std::size_t message_bytes_max = 1u << 20;  // Largest request, before and after decompression.
  Duration deadline_max = std::chrono::minutes(10);
};

// An http::Handler: give it to a Server, or put it behind a router by path. Thread-safe once all
// methods have been added. The methods, the budget and the clock outlive it and the server.
class StreamingService final : public http::Handler {
 public:
  StreamingService(StreamingServiceOptions options, MemoryBudget& budget, const Clock& clock);
  ~StreamingService() override;

  // `path` is "/package.Service/Method".
  void add(std::string path, StreamingMethod& method);
  bool serves(std::string_view path) const;
  std::unique_ptr<http::BodyReader> on_request(const http::RequestHead& head,
                                               http::Responder responder) override;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace spanway::rpc
