// One HTTP/1.1 connection of a client: one exchange after the other. For this module only.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "services/lib/http/client/client_call.h"
#include "services/lib/http/client/client_socket.h"
#include "services/lib/http/http1_parser.h"

namespace spanway::http {

// Outlives the connections.
struct ClientTarget : ClientOrigin {
  ClientOptions options;
};

class ClientConnection;

// The pool, as its connections call it on the io thread.
class ClientConnectionOwner {
 public:
  virtual ~ClientConnectionOwner() = default;
  // The exchange is over and the connection can take another.
  virtual void on_idle(const std::shared_ptr<ClientConnection>& connection) = 0;
  // The connection is closed. `unsent` is a call that no byte came back for, on a connection that
  // had been kept: it was most likely never read.
  virtual void on_closed(const std::shared_ptr<ClientConnection>& connection,
                         std::shared_ptr<ClientCall> unsent) = 0;
};

// Single-thread: `thread`. `owner` may be gone once detach() was called.
class ClientConnection final : public std::enable_shared_from_this<ClientConnection>,
                               public ClientSocketOwner {
 public:
  ClientConnection(ClientConnectionOwner& owner, const ClientTarget& target, IoThread& thread,
                   std::size_t first_address);
  ~ClientConnection() override;
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // Connects, then runs `call`.
  void open(std::shared_ptr<ClientCall> call);
  // False when the kept connection is no longer usable; it is closed then.
  bool reuse(std::shared_ptr<ClientCall> call);
  const std::shared_ptr<ClientCall>& call() const noexcept { return call_; }
  // Ends now; the call is answered with `error`.
  void abort(Error error);
  // Delivers what was held back and reads on.
  void resume();
  // Ends now without a call to the owner.
  void detach();

 private:
  enum class Phase : unsigned char { kConnect, kExchange, kIdle, kClosed };

  void on_attempt(std::size_t count) override;
  void on_connected() override;
  void on_connect_failed(Error error) override;
  void on_readable() override;
  void on_writable() override;
  void begin_exchange();
  void write_request();
  void on_bytes(std::string_view bytes);
  bool parse(std::string_view bytes);
  void on_body(std::string_view bytes);
  // False = hold back.
  bool deliver(std::string_view bytes);
  void report_head();
  void input_ended(IoState state);
  void begin_answer();
  void answer_done(bool nothing_left);
  void idle();
  void fail(Error error);
  void close(std::shared_ptr<ClientCall> unsent);
  void set_timer(Duration wait);
  void on_timer();
  std::string where() const;

  ClientConnectionOwner* owner_;
  const ClientTarget& target_;
  IoThread& thread_;
  std::shared_ptr<ClientSocket> socket_;  // From open() on.
  boost::asio::steady_timer timer_;
  Phase phase_ = Phase::kConnect;
  // Which of the name's addresses is tried first.
  const std::size_t first_address_;

  std::shared_ptr<ClientCall> call_;
  bool reused_ = false;
  bool answer_begun_ = false;
  bool too_large_ = false;
  // Only for a streamed answer.
  bool head_reported_ = false;
  bool paused_ = false;        // The observer takes no more; nothing is read.
  bool done_paused_ = false;   // The answer ended in what is held back.
  bool nothing_left_ = false;  // With done_paused_: the connection may be kept.
  std::size_t head_sent_ = 0;
  std::size_t body_sent_ = 0;
  std::optional<Http1Parser<false>> parser_;
  Bytes in_;      // A head that is not complete yet.
  Bytes answer_;  // The body, or what is held back of a streamed one.
};

}  // namespace spanway::http
