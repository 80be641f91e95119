#include "services/lib/http/net/transport.h"

#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace spanway::http {
namespace {

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(int fd) : fd_(fd) {}

  IoResult handshake() override { return {IoState::kOk, 0}; }

  IoResult read(std::span<char> into) override {
    while (true) {
      const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
      if (got > 0) return {IoState::kOk, static_cast<std::size_t>(got)};
      if (got == 0) return {IoState::kEof, 0};
      if (errno == EINTR) continue;
      return blocked_or_failed(IoState::kWantRead);
    }
  }

  IoResult write(std::string_view bytes) override {
    while (true) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) return {IoState::kOk, static_cast<std::size_t>(sent)};
      if (errno == EINTR) continue;
      return blocked_or_failed(IoState::kWantWrite);
    }
  }

  void shutdown() noexcept override { ::shutdown(fd_, SHUT_WR); }
  std::string_view alpn() const override { return {}; }
  std::string peer_cn() const override { return {}; }
  std::string failure() const override {
    return error_ == 0 ? std::string() : std::system_category().message(error_);
  }
  bool has_buffered() const override { return false; }

 private:
  IoResult blocked_or_failed(IoState blocked) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {blocked, 0};
    error_ = errno;
    return {IoState::kFailed, 0};
  }

  const int fd_;
  int error_ = 0;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport(int fd) {
  return std::make_unique<PlainTransport>(fd);
}

}  // namespace spanway::http
