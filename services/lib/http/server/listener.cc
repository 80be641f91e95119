#include "services/lib/http/server/listener.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace spanway::http {
namespace {

using boost::asio::ip::tcp;

// Out of file descriptors and the like: the queue of the socket holds the peers meanwhile.
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);
// Connections that are still accepted from a backlog that is being closed.
constexpr int kLastAcceptsMax = 4096;
constexpr double kAgeJitter = 0.1;
// New connections that wait for another thread to end an idle one: an eighth of those allowed, as
// each is an open file beside them, and at most this many.
constexpr std::size_t kEvictionsPendingMax = 64;
// Idle connections that are searched for one of the same peer.
constexpr int kIdleSearchedMax = 64;

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
  // A few per turn, so that a burst of connects does not starve the connections.
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
  const ConnectionQuota::Admission admission = quota_.take(peer);
  if (admission == ConnectionQuota::Admission::kTaken) return serve(std::move(socket), peer);
  take_in_place_of_idle(std::move(socket), peer, admission);
}

void Listener::refuse(const std::string& peer, ConnectionQuota::Admission admission) {
  deps_.events.connection_refused(peer, admission == ConnectionQuota::Admission::kTooMany
                                            ? RefusedReason::kConnectionsMax
                                            : RefusedReason::kConnectionsPerPeer);
}

void Listener::take_in_place_of_idle(tcp::socket socket, const std::string& peer,
                                     ConnectionQuota::Admission admission) {
  const auto retry = [this](tcp::socket waiting, const std::string& from) {
    const ConnectionQuota::Admission now = quota_.take(from);
    if (now == ConnectionQuota::Admission::kTaken) return serve(std::move(waiting), from);
    refuse(from, now);
  };
  if (evict_idle(admission, peer)) return retry(std::move(socket), peer);
  const auto next = next_.lock();
  const std::size_t pending_max =
      std::clamp<std::size_t>(deps_.options.limits.connections_max / 8, 1, kEvictionsPendingMax);
  if (listeners_ < 2 || next == nullptr || evictions_pending_ >= pending_max)
    return refuse(peer, admission);
  ++evictions_pending_;
  // Shared only because a function must be copyable; there is one owner.
  auto waiting = std::make_shared<tcp::socket>(std::move(socket));
  next->deps_.thread.post([next, admission, peer, hops = listeners_ - 2, &home = deps_.thread,
                           self = shared_from_this(), waiting, retry] {
    next->evict_elsewhere(admission, peer, hops, home, [self, waiting, peer, retry](bool evicted) {
      --self->evictions_pending_;
      if (self->stopped_) return;
      if (evicted) {
        retry(std::move(*waiting), peer);
      } else {
        self->refuse(peer, ConnectionQuota::Admission::kTooMany);
      }
    });
  });
}

void Listener::evict_elsewhere(ConnectionQuota::Admission admission, const std::string& peer,
                               std::size_t hops, IoThread& home, std::function<void(bool)> done) {
  const auto next = next_.lock();
  const bool evicted = evict_idle(admission, peer);
  if (evicted || hops == 0 || next == nullptr) {
    home.post([done = std::move(done), evicted] { done(evicted); });
    return;
  }
  next->deps_.thread.post([next, admission, peer, hops, &home, done = std::move(done)] {
    next->evict_elsewhere(admission, peer, hops - 1, home, done);
  });
}

bool Listener::evict_idle(ConnectionQuota::Admission admission, const std::string& peer) {
  int searched = 0;
  for (Connection* const connection : idle_) {
    if (admission == ConnectionQuota::Admission::kTooManyOfPeer &&
        connection->peer_address() != peer) {
      if (++searched >= kIdleSearchedMax) return false;
      continue;
    }
    connection->abort(AbortReason::kEvicted);
    return true;
  }
  return false;
}

void Listener::serve(tcp::socket socket, const std::string& peer) {
  boost::system::error_code error;
  socket.non_blocking(true, error);
  socket.set_option(tcp::no_delay(true), error);
  auto transport = make_transport_(socket.native_handle());
  if (transport == nullptr) {
    quota_.give_back(peer);
    return deps_.events.connection_refused(peer, RefusedReason::kHandshakeFailed);
  }
  const double factor = 1.0 - kAgeJitter + 2 * kAgeJitter * random_.next_unit();
  const auto age = std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::nano>(
      static_cast<double>(deps_.options.limits.connection_age_max.count()) * factor));
  auto connection =
      std::make_shared<Connection>(deps_, std::move(socket), std::move(transport), tls_, peer, age);
  connections_.push_back(connection);
  Connection::Place& place = connection->place();
  place.by_age = std::prev(connections_.end());
  place.by_idleness = idle_.insert(idle_.end(), connection.get());
  connection->start(
      std::weak_ptr<ConnectionOwner>(std::shared_ptr<ConnectionOwner>(shared_from_this(), this)));
  if (stopped_) connection->drain(SteadyTime::max());
}

void Listener::on_closed(Connection& connection) {
  const std::string peer = connection.peer_address();
  Connection::Place& place = connection.place();
  if (place.busy.empty()) idle_.erase(place.by_idleness);
  const std::shared_ptr<Connection> last = std::move(*place.by_age);
  connections_.erase(place.by_age);
  quota_.give_back(peer);
}

void Listener::on_idle(Connection& connection, bool idle) {
  Connection::Place& place = connection.place();
  if (idle) {
    idle_.splice(idle_.end(), place.busy.empty() ? idle_ : place.busy, place.by_idleness);
  } else {
    place.busy.splice(place.busy.end(), idle_, place.by_idleness);
  }
}

bool Listener::make_room(Connection& connection) {
  for (Connection* const other : idle_) {
    if (other == &connection) continue;
    other->abort(AbortReason::kEvicted);
    return true;
  }
  return false;
}

void Listener::shed() {
  for (std::size_t left = (connections_.size() + 7) / 8; left > 0 && !connections_.empty(); --left)
    std::shared_ptr<Connection>(connections_.back())->abort(AbortReason::kMemory);
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

std::size_t Listener::abort_all() {
  stopped_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
  const auto connections = connections_;
  for (const auto& connection : connections) connection->abort(AbortReason::kDrain);
  return connections.size();
}

}  // namespace spanway::http
