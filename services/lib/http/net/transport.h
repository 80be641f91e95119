// A connected socket, plain or TLS, as a byte stream that never blocks. For this module only.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace spanway::http {

enum class IoState : unsigned char {
  kOk,         // `bytes` were moved (or the handshake is over).
  kWantRead,   // Nothing now: wait until the socket can be read.
  kWantWrite,  // Nothing now: wait until the socket can be written.
  kEof,        // The peer has ended its side in order.
  kFailed,     // Broken: close.
};

struct IoResult {
  IoState state = IoState::kFailed;
  std::size_t bytes = 0;
};

// Single-thread. Does not own the file descriptor, which is non-blocking and outlives it.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual IoResult handshake() = 0;
  virtual IoResult read(std::span<char> into) = 0;
  virtual IoResult write(std::string_view bytes) = 0;
  // Sends close_notify where the protocol has one; never waits.
  virtual void shutdown() noexcept = 0;
  // The protocol agreed on by ALPN; empty when none was.
  virtual std::string_view alpn() const = 0;
  // The CN of the peer's verified certificate; empty when there is none, or not exactly one.
  virtual std::string peer_cn() const = 0;
  // Why it failed, in words without secrets; empty when unknown.
  virtual std::string failure() const = 0;
  // True when read() may give bytes although the socket has none.
  virtual bool has_buffered() const = 0;
};

std::unique_ptr<Transport> make_plain_transport(int fd);

}  // namespace spanway::http
