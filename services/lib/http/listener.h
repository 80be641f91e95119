// The accepting half of a server on one io thread, and the connections that live there. For this
// module only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "services/lib/base/random.h"
#include "services/lib/http/connection.h"
#include "services/lib/http/connection_quota.h"

namespace spanway::http {

// Single-thread (its io thread), except where it says otherwise. Kept alive by its own handlers.
class Listener final : public std::enable_shared_from_this<Listener> {
 public:
  // Makes the stream for an accepted socket: plain or TLS.
  using TransportFactory = std::function<std::unique_ptr<Transport>(int fd)>;

  Listener(ConnectionDeps deps, boost::asio::ip::tcp::acceptor acceptor, ConnectionQuota& quota,
           TransportFactory make_transport, bool tls);

  void start();
  // Takes what is still in the socket's queue, closes it, and drains all connections.
  void stop_accepting();
  // Cuts all connections; also closes the listening socket. Also legal from another thread once the
  // io thread has stopped. Returns how many were cut.
  std::size_t cut_all();

 private:
  void accept();
  void accepted(const boost::system::error_code& error);
  void accept_waiting();
  void take(boost::asio::ip::tcp::socket socket);
  void closed(const std::shared_ptr<Connection>& connection, const std::string& peer);

  const ConnectionDeps deps_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  ConnectionQuota& quota_;
  const TransportFactory make_transport_;
  const bool tls_;
  Random random_;
  bool stopped_ = false;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
};

}  // namespace spanway::http
