// A real grpc++ server that answers every call as the test says: what other people's backends are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace spanway::fakes {

struct GrpcAnswer {
  int code = 0;
  std::string message;
  // Size of the answer's message, which is no valid protobuf; sent only with code 0.
  std::size_t body_bytes = 0;
};

// Serves on a free loopback port from the constructor to the destructor. Thread-safe.
class GrpcBackend {
 public:
  // With grpc++'s own defaults: the library of the server refuses requests above 4 MiB.
  struct Options {
    GrpcAnswer answer;
  };
  explicit GrpcBackend(Options options);
  ~GrpcBackend();
  GrpcBackend(const GrpcBackend&) = delete;
  GrpcBackend& operator=(const GrpcBackend&) = delete;

  std::uint16_t port() const noexcept;
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(port()); }

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace spanway::fakes
