#include "services/lib/http/server/web_socket_session.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket.hpp>
#include <chrono>
#include <utility>

#include "services/lib/base/bytes.h"

namespace spanway::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kInputBytesMax = 16 * 1024;
constexpr std::size_t kOutputBytesMax = 64 * 1024;
// Beast's stream with its 4 KiB write buffer, and ours.
constexpr std::size_t kSessionBytes = 12 * 1024;
constexpr std::uint16_t kAbnormalClosure = 1006;

// The stream under Beast's: bytes of the peer that wait to be parsed, and bytes to send.
// Single-thread.
class Pipe {
 public:
  using executor_type = asio::io_context::executor_type;
  explicit Pipe(asio::io_context& context) : context_(&context) {}
  executor_type get_executor() noexcept { return context_->get_executor(); }

  template <typename Buffers, typename ReadHandler>
  void async_read_some(const Buffers& buffers, ReadHandler&& handler) {
    auto shared = std::make_shared<std::decay_t<ReadHandler>>(std::forward<ReadHandler>(handler));
    read_ = [this, buffers, shared](const ErrorCode& error) {
      std::size_t size = 0;
      if (!error) {
        size =
            asio::buffer_copy(buffers, asio::buffer(in_.data() + in_used_, in_.size() - in_used_));
        in_used_ += size;
        if (in_used_ == in_.size()) {
          in_ = Bytes();
          in_used_ = 0;
        }
      }
      asio::post(*context_, [shared, error, size] { std::move (*shared)(error, size); });
    };
    try_read();
  }
  template <typename Buffers, typename WriteHandler>
  void async_write_some(const Buffers& buffers, WriteHandler&& handler) {
    auto shared = std::make_shared<std::decay_t<WriteHandler>>(std::forward<WriteHandler>(handler));
    write_ = [this, buffers, shared](const ErrorCode& error) {
      std::size_t size = 0;
      if (!error) {
        for (const asio::const_buffer part : beast::buffers_range_ref(buffers)) {
          out_.append({static_cast<const char*>(part.data()), part.size()});
          size += part.size();
        }
      }
      asio::post(*context_, [shared, error, size] { std::move (*shared)(error, size); });
    };
    try_write();
  }

  void feed(std::string_view bytes) {
    in_.append(bytes);
    try_read();
  }
  // No more comes or goes.
  void close(const ErrorCode& error) {
    closed_ = error;
    try_read();
    try_write();
  }
  std::size_t input_bytes() const noexcept { return in_.size() - in_used_; }
  std::size_t output_bytes() const noexcept { return out_.size() - out_sent_; }
  void take_output(Bytes& into, std::size_t bytes_max) {
    const std::size_t size = std::min(bytes_max, output_bytes());
    into.append(out_.slice(out_sent_, size));
    out_sent_ += size;
    if (out_sent_ == out_.size()) {
      out_ = Bytes();
      out_sent_ = 0;
      try_write();
    }
  }

 private:
  void try_read() {
    if (!read_ || (input_bytes() == 0 && !closed_)) return;
    std::exchange(read_, nullptr)(input_bytes() > 0 ? ErrorCode() : closed_);
  }
  void try_write() {
    if (!write_ || (output_bytes() >= kOutputBytesMax && !closed_)) return;
    std::exchange(write_, nullptr)(closed_);
  }

  asio::io_context* context_;
  Bytes in_, out_;
  std::size_t in_used_ = 0, out_sent_ = 0;
  std::function<void(const ErrorCode&)> read_, write_;
  ErrorCode closed_;
};

// Beast finds these by their arguments. The connection closes the socket.
void beast_close_socket(Pipe& pipe) { pipe.close(asio::error::timed_out); }
[[maybe_unused]] void teardown(beast::role_type, Pipe&, ErrorCode& error) { error = {}; }
template <typename Handler>
void async_teardown(beast::role_type, Pipe& pipe, Handler&& handler) {
  asio::post(pipe.get_executor(),
             [shared = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler))] {
               std::move (*shared)(ErrorCode());
             });
}

// Everything that Beast's operations use; they keep it alive.
class Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(asio::io_context& context, std::shared_ptr<WebSocketChannel> channel,
       std::function<void()> wake)
      : stream_(context), channel_(std::move(channel)), wake_(std::move(wake)) {}

  void accept(const RequestHead& head) {
    const WebSocketOptions& options = channel_->options();
    stream_.read_message_max(options.message_bytes_max);
    websocket::stream_base::timeout timeout{};
    timeout.handshake_timeout = std::chrono::seconds(10);
    timeout.idle_timeout =
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(options.idle_timeout);
    timeout.keep_alive_pings = true;
    stream_.set_option(timeout);
    stream_.set_option(websocket::stream_base::decorator(
        [protocol = options.protocol](websocket::response_type& response) {
          if (!protocol.empty()) response.set(beast::http::field::sec_websocket_protocol, protocol);
        }));
    beast::http::request<beast::http::empty_body> request(beast::http::verb::get,
                                                          head.path.empty() ? "/" : head.path, 11);
    for (const auto& [name, value] : head.headers.fields()) request.insert(name, value);
    stream_.async_accept(request, [self = shared_from_this()](const ErrorCode& error) {
      if (error) return self->finish();
      self->accepted_ = true;
      self->read();
      self->write();
      self->notify();
    });
  }

  // Something of the owner's has come.
  void write() {
    if (!accepted_ || writing_ || done_) return;
    if (auto message = channel_->next()) {
      writing_ = true;
      message_ = std::move(*message);
      stream_.text(message_.text);
      stream_.async_write(asio::buffer(message_.bytes),
                          [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                            self->writing_ = false;
                            self->channel_->written(self->message_.bytes.size());
                            if (!error) self->write();
                            self->notify();
                          });
    } else if (const auto code = channel_->close_code(); code && !closing_) {
      closing_ = true;
      stream_.async_close(websocket::close_reason(*code),
                          [self = shared_from_this()](const ErrorCode&) { self->finish(); });
    }
  }

  void finish() {
    if (std::exchange(done_, true)) return;
    const std::uint16_t code = stream_.reason().code;
    channel_->end(code == websocket::close_code::none ? kAbnormalClosure : code);
    notify();
  }
  // The connection has ended: nothing may be called back any more.
  void stop() {
    wake_ = nullptr;
    pipe().close(asio::error::operation_aborted);
    if (std::exchange(done_, true)) return;
    channel_->end(kAbnormalClosure);
  }

  Pipe& pipe() noexcept { return stream_.next_layer(); }
  const Pipe& pipe() const noexcept { return stream_.next_layer(); }
  bool done() const noexcept { return done_; }
  WebSocketChannel& channel() noexcept { return *channel_; }

 private:
  void read() {
    stream_.async_read(buffer_, [self = shared_from_this()](const ErrorCode& error, std::size_t) {
      if (error) return self->finish();
      const auto bytes = self->buffer_.cdata();
      self->channel_->receive({static_cast<const char*>(bytes.data()), bytes.size()},
                              self->stream_.got_text());
      self->buffer_.consume(bytes.size());
      if (self->done_) return;
      self->read();
      self->notify();
    });
  }
  void notify() {
    if (wake_) wake_();
  }

  websocket::stream<Pipe> stream_;
  const std::shared_ptr<WebSocketChannel> channel_;
  std::function<void()> wake_;
  beast::flat_buffer buffer_;
  WebSocketMessage message_;  // Being written.
  bool accepted_ = false;
  bool writing_ = false;
  bool closing_ = false;
  bool done_ = false;
};

class WebSocketSession final : public Session {
 public:
  explicit WebSocketSession(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  ~WebSocketSession() override { core_->stop(); }

  void receive(std::string_view bytes) override { core_->pipe().feed(bytes); }
  void receive_end() override {
    core_->pipe().close(asio::error::eof);
    ended_ = true;
  }
  void answer(std::uint64_t, Response, std::shared_ptr<StreamBody> stream) override {
    if (stream) stream->cancel(CancelReason::kPeerGone);
  }
  void resume(std::uint64_t) override { core_->write(); }
  void produce(Bytes& out, std::size_t bytes_max) override {
    core_->pipe().take_output(out, bytes_max);
  }
  bool wants_read() const override {
    return !ended_ && !core_->done() && core_->pipe().input_bytes() < kInputBytesMax;
  }
  std::size_t read_bytes_max() const override { return kInputBytesMax; }
  bool is_idle() const override { return false; }
  std::size_t memory() const override {
    return kSessionBytes + core_->channel().options().message_bytes_max +
           core_->pipe().input_bytes() + core_->pipe().output_bytes();
  }
  SessionState state() const override {
    if (!core_->done() || core_->pipe().output_bytes() > 0)
      return ended_ && core_->done() ? SessionState::kAborted : SessionState::kOpen;
    return ended_ ? SessionState::kDone : SessionState::kFinished;
  }
  SteadyTime next_deadline() const override { return SteadyTime::max(); }
  void on_time(SteadyTime) override {}
  void drain() override {
    core_->channel().close(websocket::close_code::going_away);
    core_->write();
  }

 private:
  const std::shared_ptr<Core> core_;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Session> make_web_socket_session(asio::io_context& context, const RequestHead& head,
                                                 std::shared_ptr<WebSocketChannel> channel,
                                                 std::function<void()> wake) {
  auto core = std::make_shared<Core>(context, std::move(channel), std::move(wake));
  auto session = std::make_unique<WebSocketSession>(core);
  core->accept(head);
  return session;
}

}  // namespace spanway::http
