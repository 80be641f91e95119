// One accepted socket: handshake, choice of protocol, reading, writing, timers, the end. The
// protocol itself is a Session. For this module only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/http/events.h"
#include "services/lib/http/net/io_thread.h"
#include "services/lib/http/net/transport.h"
#include "services/lib/http/server/response_queue.h"
#include "services/lib/http/server/session.h"

namespace spanway::http {

// Shared by all connections of a server. Outlives them.
struct ConnectionDeps {
  const ServerOptions& options;
  Handler& handler;
  ServerEvents& events;
  IoThread& thread;
};

class Connection;

// Owns connections. Called on their thread.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  // The connection is over; called once.
  virtual void on_closed(Connection& connection) = 0;
  // It depends on the peer now, or no longer; also when a peer on which it depends has sent
  // something.
  virtual void on_idle(Connection& connection, bool idle) = 0;
  // Ends an idle connection, another than this one; false when there is none.
  virtual bool make_room(Connection& connection) = 0;
};

// Single-thread: lives on `deps.thread` from start() on. Kept alive by the listener until
// `on_closed` has been called, then by its last handler.
class Connection final : public std::enable_shared_from_this<Connection>, private ResponderSource {
 public:
  // `age` is how long the connection may live before it is drained.
  Connection(ConnectionDeps deps, boost::asio::ip::tcp::socket socket,
             std::unique_ptr<Transport> transport, bool tls, std::string peer_address,
             Duration age);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start(std::weak_ptr<ConnectionOwner> owner);
  // Ends in order: no new requests, requests in progress continue until `abort_at`.
  void drain(SteadyTime abort_at);
  // Ends now. Also legal from another thread once the io thread has stopped.
  void abort();
  // The same, counted with its reason.
  void abort(AbortReason reason);
  const std::string& peer_address() const noexcept { return peer_address_; }

  // The owner's: the position of this connection in its lists.
  struct Place {
    std::list<std::shared_ptr<Connection>>::iterator by_age;
    // One entry, which is moved to the owner's list of idle connections and back.
    std::list<Connection*> busy;
    std::list<Connection*>::iterator by_idleness;
  };
  Place& place() noexcept { return place_; }

 private:
  enum class Phase : unsigned char { kHandshake, kDetect, kServe, kLinger, kClosed };

  Responder make_responder(std::uint64_t id) override { return responses_->make_responder(id); }
  std::size_t unanswered() const noexcept override { return responses_->unanswered(); }

  void wake();
  void wait_readable();
  void wait_writable();
  void on_readable();
  void on_writable();
  void continue_handshake();
  // False when it waits for the client, or has refused one that speaks plain text.
  bool begin_handshake();
  void handshake_done();
  // True when the protocol is known.
  bool detect(std::string_view bytes);
  void serve(Protocol protocol);
  // One read; true when there may be more at once.
  bool read_once();
  void serve_bytes(std::string_view bytes);
  void linger_bytes(std::size_t bytes);
  void read_ended(IoState state);
  // Takes answers, writes, sets timers, waits for input: after everything that happens.
  void step();
  // False when there was none.
  bool take_answers();
  // Replaces the session when it has become a WebSocket.
  void upgrade();
  void flush();
  void finish();
  // Reports to the owner when the connection has become idle or busy, and charges its memory.
  void account();
  bool charge();
  bool charge_or_make_room();
  std::size_t memory() const noexcept;
  void refuse(RefusedReason reason);
  // The socket has failed.
  void lose(const std::string& error);
  void arm_timer();
  void on_timer();
  // A wait for first bytes: shorter while the server drains.
  Duration first_bytes_within(Duration configured) const;
  SteadyTime now() const noexcept { return deps_.thread.clock().now(); }

  const ConnectionDeps deps_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::unique_ptr<Transport> transport_;
  const bool tls_;
  const std::string peer_address_;
  const std::shared_ptr<ResponseQueue> responses_;
  std::weak_ptr<ConnectionOwner> owner_;
  Place place_;
  Permit permit_;
  std::unique_ptr<Session> session_;

  Phase phase_ = Phase::kHandshake;
  bool busy_ = false;  // Inside the session: answers given now are taken right after.
  bool handshake_begun_ = false;
  bool read_waiting_ = false;
  bool write_waiting_ = false;
  bool read_ended_ = false;
  bool draining_ = false;
  bool idle_ = true;      // As the owner knows it.
  bool active_ = false;   // The peer has sent something since the last call to the owner.
  std::string detected_;  // The first bytes, before the protocol is known: < 24.
  Bytes out_;
  std::size_t out_sent_ = 0;
  std::size_t lingered_bytes_ = 0;
  std::vector<ResponseQueue::Answer> answers_;

  SteadyTime phase_deadline_ = SteadyTime::max();  // Handshake, detection, linger.
  SteadyTime write_deadline_ = SteadyTime::max();  // Set while the socket takes nothing.
  SteadyTime age_deadline_;
  SteadyTime armed_for_ = SteadyTime::max();
};

}  // namespace spanway::http
