#include "services/lib/http/listener.h"

#include <netinet/tcp.h>

#include <utility>

namespace spanway::http {
namespace {

using boost::asio::ip::tcp;

// Out of file descriptors and the like: the queue of the socket holds the peers meanwhile.
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);
// Of a queue that is closed, at most this many are still taken.
constexpr int kLastAcceptsMax = 4096;
constexpr double kAgeJitter = 0.1;

}  // namespace

Listener::Listener(ConnectionDeps deps, tcp::acceptor acceptor, ConnectionQuota& quota,
                   TransportFactory make_transport, bool tls)
    : deps_(deps),
      acceptor_(std::move(acceptor)),
      retry_(acceptor_.get_executor()),
      quota_(quota),
      make_transport_(std::move(make_transport)),
      tls_(tls),
      random_(Random::from_entropy()) {
  boost::system::error_code ignored;
  acceptor_.non_blocking(true, ignored);
}

void Listener::start() { accept(); }

void Listener::accept() {
  if (stopped_) return;
  acceptor_.async_wait(tcp::acceptor::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                         if (!self->stopped_) self->accepted(error);
                       });
}

void Listener::accepted(const boost::system::error_code& error) {
  boost::system::error_code failure = error;
  // A few per turn, so that a storm of connects does not starve the connections.
  for (int i = 0; !failure && i < 16; ++i) {
    tcp::socket socket(acceptor_.get_executor());
    acceptor_.accept(socket, failure);
    if (!failure) take(std::move(socket));
  }
  const bool none_left =
      failure == boost::asio::error::would_block || failure == boost::asio::error::try_again;
  // The peer was gone before we came.
  const bool gone = failure == boost::asio::error::connection_aborted;
  if (!failure || none_left || gone) return accept();
  deps_.events.accept_failed(failure.message());
  retry_.expires_after(kAcceptRetry);
  retry_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    if (!cancelled) self->accept();
  });
}

void Listener::accept_waiting() {
  for (int i = 0; i < kLastAcceptsMax; ++i) {
    boost::system::error_code error;
    tcp::socket socket(acceptor_.get_executor());
    acceptor_.accept(socket, error);
    if (error) return;
    take(std::move(socket));
  }
}

void Listener::take(tcp::socket socket) {
  boost::system::error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;  // Gone already.
  const std::string peer = remote.address().to_string();
  switch (quota_.take(peer)) {
    case ConnectionQuota::Verdict::kTooMany:
      return deps_.events.connection_refused(RefusedReason::kConnectionsMax);
    case ConnectionQuota::Verdict::kTooManyOfPeer:
      return deps_.events.connection_refused(RefusedReason::kConnectionsPerPeer);
    case ConnectionQuota::Verdict::kTaken:
      break;
  }
  socket.non_blocking(true, error);
  socket.set_option(tcp::no_delay(true), error);
  auto transport = make_transport_(socket.native_handle());
  if (transport == nullptr) {
    quota_.give_back(peer);
    return deps_.events.connection_refused(RefusedReason::kHandshakeFailed);
  }
  const double factor = 1.0 - kAgeJitter + 2 * kAgeJitter * random_.next_unit();
  const auto age = std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::nano>(
      static_cast<double>(deps_.options.limits.connection_age_max.count()) * factor));
  auto connection =
      std::make_shared<Connection>(deps_, std::move(socket), std::move(transport), tls_, peer, age);
  connections_.insert(connection);
  connection->start([weak = weak_from_this(), peer](const std::shared_ptr<Connection>& gone) {
    if (const auto self = weak.lock()) self->closed(gone, peer);
  });
  if (stopped_) connection->drain(SteadyTime::max());
}

void Listener::closed(const std::shared_ptr<Connection>& connection, const std::string& peer) {
  connections_.erase(connection);
  quota_.give_back(peer);
}

void Listener::stop_accepting() {
  if (stopped_) return;
  stopped_ = true;
  accept_waiting();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
  const auto connections = connections_;
  for (const auto& connection : connections) connection->drain(SteadyTime::max());
}

std::size_t Listener::cut_all() {
  stopped_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
  const auto connections = connections_;
  for (const auto& connection : connections) connection->cut();
  return connections.size();
}

}  // namespace spanway::http
