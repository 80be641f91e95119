// WebSockets against Beast's client over a real socket.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "tests/unit/http/server_fixture.h"

namespace spanway::http {
namespace {

namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;

// Accepts every WebSocket and keeps the last one; "/refuse" answers 403, "/echo" echoes.
class Sockets final : public Handler {
 public:
  class Observer final : public WebSocketObserver {
   public:
    Observer(Sockets& owner, bool echo) : owner_(owner), echo_(echo) {}
    void on_message(std::string_view message, bool text) override {
      MutexLock lock(owner_.mutex_);
      owner_.received_.emplace_back(message);
      if (echo_) owner_.socket_.send(message, text);
    }
    void on_writable() override {
      MutexLock lock(owner_.mutex_);
      owner_.pour();
    }
    void on_closed(std::uint16_t code) override {
      MutexLock lock(owner_.mutex_);
      owner_.closed_ = code;
    }

   private:
    Sockets& owner_;
    const bool echo_;
  };
  std::unique_ptr<BodyReader> on_request(const RequestHead& head, Responder responder) override {
    if (head.path == "/refuse") {
      responder.send({.status = 403, .headers = {}, .body = {}, .trailers = {}});
      return nullptr;
    }
    auto socket =
        responder.accept_web_socket(std::make_shared<Observer>(*this, head.path == "/echo"),
                                    {.message_bytes_max = 1000, .protocol = "tail"});
    MutexLock lock(mutex_);
    socket_ = std::move(socket);
    ++opened_;
    return nullptr;
  }
  WebSocket::Write send(std::string_view message) {
    MutexLock lock(mutex_);
    return socket_.send(message);
  }
  void send_many(std::size_t count) {
    MutexLock lock(mutex_);
    left_ = count;
    pour();
  }
  void close(std::uint16_t code) {
    MutexLock lock(mutex_);
    socket_.close(code);
  }
  std::vector<std::string> received() const {
    MutexLock lock(mutex_);
    return received_;
  }
  std::size_t left() const {
    MutexLock lock(mutex_);
    return left_;
  }
  bool closed_with(std::uint16_t code) const {
    return eventually([this, code] {
      MutexLock lock(mutex_);
      return closed_ == code;
    });
  }

 private:
  void pour() SPANWAY_REQUIRES(mutex_) {
    while (left_ > 0 && socket_.send(std::string(1000, 'm')) == WebSocket::Write::kTaken) --left_;
  }
  mutable Mutex mutex_;
  WebSocket socket_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t opened_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t left_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> received_ SPANWAY_GUARDED_BY(mutex_);
  std::optional<std::uint16_t> closed_ SPANWAY_GUARDED_BY(mutex_);
};

class WebSocketTest : public testing::Test {
 protected:
  WebSocketTest() {
    ServerOptions options;
    options.name = "test";
    options.connection_memory = &memory_;
    server_ = Server::create(options, nullptr, pool_, handler_, {log_, metrics_}).value();
    server_->start();
  }
  struct Client {
    explicit Client(std::uint16_t port) : stream(context) {
      stream.next_layer().connect({asio::ip::address_v4::loopback(), port});
    }
    std::string read() {
      boost::beast::flat_buffer buffer;
      stream.read(buffer, error);
      return boost::beast::buffers_to_string(buffer.data());
    }
    asio::io_context context;
    websocket::stream<asio::ip::tcp::socket> stream;
    boost::system::error_code error;
  };
  std::unique_ptr<Client> connect(const std::string& path) {
    auto client = std::make_unique<Client>(server_->port());
    client->stream.handshake(response_, "localhost", path, client->error);
    return client;
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  MemoryBudget memory_{64 << 20};
  Sockets handler_;
  IoPool pool_{"http", 1};
  std::unique_ptr<Server> server_;
  websocket::response_type response_;
};

TEST_F(WebSocketTest, CarriesMessagesBothWays) {
  const auto client = connect("/echo");
  ASSERT_FALSE(client->error) << client->error.message();
  EXPECT_EQ(response_["sec-websocket-protocol"], "tail");
  for (const std::string message : {"one", "", "three"}) {
    client->stream.write(asio::buffer(message));
    EXPECT_EQ(client->read(), message);
    EXPECT_TRUE(client->stream.got_text());
  }
  client->stream.binary(true);
  client->stream.write(asio::buffer(std::string("\xff\x00", 2)));
  EXPECT_EQ(client->read(), std::string("\xff\x00", 2));
  EXPECT_FALSE(client->stream.got_text());
  client->stream.close(websocket::close_code::normal, client->error);
  EXPECT_FALSE(client->error);
  EXPECT_TRUE(handler_.closed_with(1000));
  EXPECT_EQ(handler_.send("late"), WebSocket::Write::kClosed);
}

TEST_F(WebSocketTest, TheHandlerMayRefuseAndOrdinaryRequestsAreNotUpgraded) {
  const auto refused = connect("/refuse");
  EXPECT_EQ(refused->error, websocket::error::upgrade_declined);
  RawClient plain(server_->port());
  plain.send("GET /echo HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_NE(plain.receive_until("\r\n\r\n").find("HTTP/1.1 501"), std::string::npos);
  EXPECT_TRUE(handler_.closed_with(1006));
}

TEST_F(WebSocketTest, TheServersCloseComesAfterItsMessages) {
  const auto client = connect("/push");
  ASSERT_FALSE(client->error);
  ASSERT_TRUE(eventually([this] { return handler_.send("last") == WebSocket::Write::kTaken; }));
  handler_.close(1000);
  EXPECT_EQ(client->read(), "last");
  client->read();
  EXPECT_EQ(client->error, websocket::error::closed);
  EXPECT_EQ(client->stream.reason().code, 1000);
  EXPECT_TRUE(handler_.closed_with(1000));
}

TEST_F(WebSocketTest, ASlowReaderHoldsBackTheSenderAndLosesNothing) {
  constexpr std::size_t kMessages = 20'000;
  const auto client = connect("/push");
  ASSERT_FALSE(client->error);
  ASSERT_TRUE(eventually([this] { return handler_.send("begin") == WebSocket::Write::kTaken; }));
  EXPECT_EQ(client->read(), "begin");
  handler_.send_many(kMessages);
  EXPECT_GT(handler_.left(), kMessages / 2) << "more was taken than the bounds hold";
  for (std::size_t i = 0; i < kMessages; ++i) ASSERT_EQ(client->read().size(), 1000u) << i;
  EXPECT_EQ(handler_.left(), 0u);
  EXPECT_LT(memory_.peak(), 600u * 1024);
}

TEST_F(WebSocketTest, AMessageAboveTheLimitClosesIt) {
  const auto client = connect("/push");
  client->stream.write(asio::buffer(std::string(2000, 'x')));
  client->read();
  EXPECT_EQ(client->stream.reason().code, websocket::close_code::too_big);
  EXPECT_TRUE(handler_.received().empty());
}

TEST_F(WebSocketTest, APeerThatIsGoneIsReported) {
  auto client = connect("/push");
  ASSERT_FALSE(client->error);
  client->stream.next_layer().close();
  EXPECT_TRUE(handler_.closed_with(1006));
}

TEST_F(WebSocketTest, TheEndOfTheServerIsReported) {
  const auto client = connect("/push");
  ASSERT_FALSE(client->error);
  server_.reset();
  EXPECT_TRUE(handler_.closed_with(1006));
  EXPECT_EQ(handler_.send("late"), WebSocket::Write::kClosed);
}

}  // namespace
}  // namespace spanway::http
