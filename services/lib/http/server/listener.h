// The accepting half of a server on one io thread, and the connections that live there. For this
// module only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "services/lib/base/random.h"
#include "services/lib/http/server/connection.h"
#include "services/lib/http/server/connection_quota.h"

namespace spanway::http {

// Single-thread (its io thread), except where it says otherwise. Kept alive by its own handlers.
class Listener final : public std::enable_shared_from_this<Listener>, private ConnectionOwner {
 public:
  // Makes the stream for an accepted socket: plain or TLS.
  using TransportFactory = std::function<std::unique_ptr<Transport>(int fd)>;

  Listener(ConnectionDeps deps, boost::asio::ip::tcp::acceptor acceptor, ConnectionQuota& quota,
           TransportFactory make_transport, bool tls);

  // The listener of the next io thread, in a ring: where an idle connection may be found when there
  // is none here. Before start().
  void set_next(std::weak_ptr<Listener> next, std::size_t listeners) {
    next_ = std::move(next);
    listeners_ = listeners;
  }
  void start();
  // Closes the newest eighth of the connections, at least one.
  void shed();
  // Takes what is still in the socket's queue, closes it, and drains all connections.
  void stop_accepting();
  // Aborts all connections; also closes the listening socket. Also legal from another thread once
  // the io thread has stopped. Returns how many were aborted.
  std::size_t abort_all();

 private:
  void accept();
  void accepted(const boost::system::error_code& error);
  void accept_waiting();
  void take(boost::asio::ip::tcp::socket socket);
  void serve(boost::asio::ip::tcp::socket socket, const std::string& peer);
  // At a limit: ends an idle connection here or on another thread, then takes the socket.
  void take_in_place_of_idle(boost::asio::ip::tcp::socket socket, const std::string& peer,
                             ConnectionQuota::Admission admission);
  bool evict_idle(ConnectionQuota::Admission admission, const std::string& peer);
  // True when one of this listener or of the `hops` behind it was ended; reported on `home`.
  void evict_elsewhere(ConnectionQuota::Admission admission, const std::string& peer,
                       std::size_t hops, IoThread& home, std::function<void(bool)> done);
  void refuse(const std::string& peer, ConnectionQuota::Admission admission);

  void on_closed(Connection& connection) override;
  void on_idle(Connection& connection, bool idle) override;
  bool make_room(Connection& connection) override;

  const ConnectionDeps deps_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  ConnectionQuota& quota_;
  const TransportFactory make_transport_;
  const bool tls_;
  Random random_;
  bool stopped_ = false;
  std::list<std::shared_ptr<Connection>> connections_;  // The newest last.
  std::list<Connection*> idle_;                         // The longest idle first.
  std::weak_ptr<Listener> next_;
  std::size_t listeners_ = 1;
  std::size_t evictions_pending_ = 0;  // Sockets that wait for room.
};

}  // namespace spanway::http
