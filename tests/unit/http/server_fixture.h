// A server on port 0 with a handler that tests direct, and what they need to talk to it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/http/io_pool.h"
#include "services/lib/http/server.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::http {

// Waits for `condition` with a deadline; false when it did not come true.
inline bool eventually(const std::function<bool()>& condition,
                       Duration wait = std::chrono::seconds(10)) {
  Mutex mutex;
  CondVar never;
  const Deadline deadline = Deadline::after(system_clock(), wait);
  while (!condition()) {
    if (deadline.passed(system_clock().now())) return false;
    MutexLock lock(mutex);
    never.wait_for(mutex, std::chrono::milliseconds(1));
  }
  return true;
}

// The lines of a log. Thread-safe.
class LogLines {
 public:
  telemetry::Logger logger(telemetry::LogLevel level = telemetry::LogLevel::kInfo) {
    return telemetry::Logger::create({.level = level, .write = [this](std::string_view line) {
                                        MutexLock lock(mutex_);
                                        lines_.emplace_back(line);
                                      }});
  }
  std::vector<std::string> with(std::string_view part) const {
    MutexLock lock(mutex_);
    std::vector<std::string> found;
    for (const std::string& line : lines_)
      if (line.find(part) != std::string::npos) found.push_back(line);
    return found;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ SPANWAY_GUARDED_BY(mutex_);
};

// Thread-safe. What it does is chosen by the path:
//   /echo       answers with method, path, query and the body
//   /hold       keeps the responder until release() is called
//   /early      answers 413 from the headers alone
//   /stop       takes 10 bytes, answers 413 and wants no more
//   /big        answers with 1 MiB
//   /grpc       answers with a body and trailers
//   /grpc-only  answers with headers alone
//   /trailers   answers with headers and trailers
//   /drop       drops the responder
//   /cn         answers with the peer certificate's CN
class TestHandler final : public Handler {
 public:
  std::unique_ptr<BodyReader> on_request(const RequestHead& head, Responder responder) override;

  // Answers every held request; returns how many there were.
  std::size_t release();
  std::size_t held() const {
    MutexLock lock(mutex_);
    return held_.size();
  }
  std::size_t requests() const {
    MutexLock lock(mutex_);
    return requests_;
  }
  // Readers that were destroyed before on_end().
  std::size_t abandoned() const {
    MutexLock lock(mutex_);
    return abandoned_;
  }
  std::size_t readers() const {
    MutexLock lock(mutex_);
    return readers_;
  }
  std::size_t body_bytes() const {
    MutexLock lock(mutex_);
    return body_bytes_;
  }
  RequestHead last_head() const {
    MutexLock lock(mutex_);
    return last_head_;
  }

 private:
  class Reader;
  void hold(Responder responder);

  mutable Mutex mutex_;
  std::vector<Responder> held_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t requests_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t abandoned_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t readers_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t body_bytes_ SPANWAY_GUARDED_BY(mutex_) = 0;
  RequestHead last_head_ SPANWAY_GUARDED_BY(mutex_);
};

// Server, pool and handler in the right order of destruction.
struct TestServer {
  explicit TestServer(ServerOptions options = {}, std::shared_ptr<TlsServerContext> tls = nullptr,
                      std::size_t threads = 1, telemetry::Logger log = telemetry::Logger::null());
  double metric(std::string_view name, telemetry::Labels labels = {}) const;
  // Waits until there was a connection and there is none any more.
  bool all_gone() const {
    return eventually([this] {
      return metric("spanway_http_connections_total") > 0 &&
             metric("spanway_http_connections_open") == 0;
    });
  }

  telemetry::Logger log;
  telemetry::Metrics metrics;
  TestHandler handler;
  IoPool pool;
  std::unique_ptr<Server> server;
};

ServerOptions with_limits(ServerLimits limits);

// A blocking socket with a receive timeout of 10 s.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // False when the peer has closed.
  bool send(std::string_view bytes);
  // Bytes that arrive until the peer closes (or 10 s have passed).
  std::string receive_all();
  // Bytes that arrive until `end` is part of it, the peer closes or 10 s have passed.
  std::string receive_until(std::string_view end);
  // Up to `bytes_max` bytes; empty when the peer has closed.
  std::string receive_some(std::size_t bytes_max = 65536);
  // True when the peer closes within `wait`; what still comes is dropped.
  bool closed_within(Duration wait);
  void end_sending();
  int fd() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

}  // namespace spanway::http
