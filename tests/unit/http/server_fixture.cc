#include "tests/unit/http/server_fixture.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace spanway::http {
namespace {

Response text_response(int status, std::string_view body) {
  Response response{.status = status, .headers = {}, .body = Bytes(body), .trailers = {}};
  response.headers.add("content-type", "text/plain");
  return response;
}

Response grpc_response(bool with_body) {
  Response response;
  response.headers.add("content-type", "application/grpc");
  if (with_body) {
    response.body = Bytes(std::string_view("\0\0\0\0\0", 5));
    response.trailers.add("grpc-status", "0");
  } else {
    response.headers.add("grpc-status", "12");
  }
  return response;
}

Response trailers_response() {
  Response response;
  response.headers.add("content-type", "application/grpc");
  response.trailers.add("grpc-status", "3");
  return response;
}

}  // namespace

class TestHandler::Reader final : public BodyReader {
 public:
  Reader(TestHandler& handler, const RequestHead& head, Responder responder)
      : handler_(handler), head_(head), responder_(std::move(responder)) {
    MutexLock lock(handler_.mutex_);
    ++handler_.readers_;
  }
  ~Reader() override {
    MutexLock lock(handler_.mutex_);
    --handler_.readers_;
    if (!ended_) ++handler_.abandoned_;
  }
  bool on_data(std::string_view data) override {
    {
      MutexLock lock(handler_.mutex_);
      handler_.body_bytes_ += data.size();
    }
    body_.append(data);
    if (head_.path == "/stop" && body_.size() >= 10) {
      responder_.send(text_response(413, "enough"));
      ended_ = true;
      return false;
    }
    return true;
  }
  void on_end() override {
    ended_ = true;
    if (head_.path == "/hold") return handler_.hold(std::move(responder_));
    if (head_.path == "/drop") return;
    if (head_.path == "/big") return responder_.send(text_response(200, std::string(1 << 20, 'x')));
    if (head_.path == "/grpc") return responder_.send(grpc_response(true));
    if (head_.path == "/grpc-only") return responder_.send(grpc_response(false));
    if (head_.path == "/trailers") return responder_.send(trailers_response());
    if (head_.path == "/cn") return responder_.send(text_response(200, head_.peer_certificate_cn));
    responder_.send(
        text_response(200, head_.method + " " + head_.path + " ?" + head_.query + " " + body_));
  }

 private:
  TestHandler& handler_;
  const RequestHead head_;
  Responder responder_;
  std::string body_;
  bool ended_ = false;
};

std::unique_ptr<BodyReader> TestHandler::on_request(const RequestHead& head, Responder responder) {
  {
    MutexLock lock(mutex_);
    ++requests_;
    last_head_ = head;
  }
  if (head.path == "/early") {
    responder.send(text_response(413, "too big"));
    return nullptr;
  }
  return std::make_unique<Reader>(*this, head, std::move(responder));
}

void TestHandler::hold(Responder responder) {
  MutexLock lock(mutex_);
  held_.push_back(std::move(responder));
}

std::size_t TestHandler::release() {
  std::vector<Responder> held;
  {
    MutexLock lock(mutex_);
    held.swap(held_);
  }
  for (auto& responder : held) responder.send(text_response(200, "released"));
  return held.size();
}

TestServer::TestServer(ServerOptions options, std::shared_ptr<TlsServerContext> tls,
                       std::size_t threads, telemetry::Logger logger)
    : log(std::move(logger)), pool("http", threads) {
  options.name = "test";
  auto made = Server::create(std::move(options), std::move(tls), pool, handler, {log, metrics});
  if (!made.ok()) {
    ADD_FAILURE() << made.error().message;
    return;
  }
  server = std::move(made).value();
  server->start();
}

double TestServer::metric(std::string_view name, telemetry::Labels labels) const {
  labels.emplace("listener", "test");
  return metrics.value(name, labels);
}

RawClient::RawClient(std::uint16_t port, int receive_buffer_bytes) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer_bytes > 0)
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes));
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const timeval timeout{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

RawClient::~RawClient() { ::close(fd_); }

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string RawClient::receive_some(std::size_t bytes_max) {
  std::string buffer(bytes_max, '\0');
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
  buffer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return buffer;
}

std::string RawClient::receive_all() {
  std::string all;
  while (true) {
    const std::string some = receive_some();
    if (some.empty()) return all;
    all += some;
  }
}

std::string RawClient::receive_until(std::string_view end) {
  std::string all;
  while (all.find(end) == std::string::npos) {
    const std::string some = receive_some();
    if (some.empty()) break;
    all += some;
  }
  return all;
}

bool RawClient::closed_within(Duration wait) {
  const Deadline deadline = Deadline::after(system_clock(), wait);
  while (!deadline.passed(system_clock().now())) {
    pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, 10) > 0 && receive_some().empty()) return true;
  }
  return false;
}

void RawClient::end_sending() { ::shutdown(fd_, SHUT_WR); }

ServerOptions with_limits(ServerLimits limits) {
  ServerOptions options;
  options.limits = limits;
  return options;
}

}  // namespace spanway::http
