#include "services/lib/http/client/client_core.h"

#include <algorithm>
#include <utility>

namespace spanway::http {

ClientCore::ClientCore(ClientTarget target, IoThread& thread)
    : target_(std::move(target)), thread_(thread), shares_(2 * target_.options.connections_max) {}

ClientCore::~ClientCore() = default;

void ClientCore::send(std::shared_ptr<ClientCall> call) {
  thread_.post([self = shared_from_this(), call = std::move(call)]() mutable {
    self->enqueue(std::move(call));
  });
}

void ClientCore::enqueue(std::shared_ptr<ClientCall> call) {
  if (closed_) return;  // The call answers itself.
  if (call->deadline.passed(thread_.clock().now())) return expired(call);
  // Calls that can be started at once do not count as waiting.
  const std::size_t startable = kept_.size() + target_.options.connections_max -
                                std::min(connections_.size(), target_.options.connections_max);
  if (queue_.size() >= target_.options.waiting_max + startable) {
    return call->finish(unavailable("http client: " + target_.url.host + ": " +
                                    std::to_string(queue_.size()) +
                                    " requests are waiting for a connection already")
                            .with_reason("client_queue_full"));
  }
  watch(call);
  queue_.push_back(std::move(call));
  dispatch();
}

void ClientCore::watch(const std::shared_ptr<ClientCall>& call) {
  if (call->deadline.is_never()) return;
  call->timer = std::make_unique<boost::asio::steady_timer>(
      thread_.context(), call->deadline.remaining(thread_.clock().now()));
  call->timer->async_wait([weak_core = weak_from_this(), weak_call = std::weak_ptr(call)](
                              const boost::system::error_code& error) {
    const auto core = weak_core.lock();
    const auto late = weak_call.lock();
    if (!error && core && late) core->expired(late);
  });
}

void ClientCore::expired(const std::shared_ptr<ClientCall>& call) {
  end(call, transient_error(Code::kDeadlineExceeded,
                            "http client: " + target_.url.host + ": no answer in time")
                .with_reason("deadline_exceeded"));
}

void ClientCore::cancel(const std::shared_ptr<ClientCall>& call) {
  end(call, transient_error(Code::kCancelled, "http client: the request was cancelled")
                .with_reason("client_cancelled"));
}

void ClientCore::resume(const std::shared_ptr<ClientCall>& call) {
  if (const auto connection = connection_of(call)) connection->resume();
}

std::shared_ptr<ClientConnection> ClientCore::connection_of(
    const std::shared_ptr<ClientCall>& call) const {
  for (const auto& connection : connections_)
    if (connection->call() == call) return connection;
  return nullptr;
}

void ClientCore::end(const std::shared_ptr<ClientCall>& call, Error error) {
  if (call->finished()) return;
  if (const auto connection = connection_of(call)) return connection->abort(std::move(error));
  queue_.erase(std::remove(queue_.begin(), queue_.end(), call), queue_.end());
  call->finish(std::move(error));
}

// Connections with a request, by share.
ClientCore::ConnectionsByShare ClientCore::connections_by_share() const {
  ConnectionsByShare in_use;
  for (const auto& connection : connections_) {
    if (const auto& call = connection->call()) ++in_use[call->share];
  }
  return in_use;
}

// The oldest call of the share that holds the fewest connections, of those that may have one more;
// the end if none may.
ClientCore::Queue::iterator ClientCore::next(const ConnectionsByShare& in_use) {
  const SteadyTime now = thread_.clock().now();
  std::map<std::string_view, bool> has_room;
  auto best = queue_.end();
  std::size_t fewest = 0;
  for (auto call = queue_.begin(); call != queue_.end(); ++call) {
    const std::string& share = (*call)->share;
    const auto [room, is_new] = has_room.try_emplace(share, false);
    if (!is_new) continue;  // An older call of the share.
    room->second = shares_.has_room(share, now);
    if (!room->second) continue;
    const auto found = in_use.find(share);
    const std::size_t own = found == in_use.end() ? 0 : found->second;
    if (best != queue_.end() && own >= fewest) continue;
    best = call;
    fewest = own;
  }
  return best;
}

void ClientCore::take_place(const std::shared_ptr<ClientCall>& call) {
  shares_.take(call->share, thread_.clock().now());
  call->on_finish = [weak = weak_from_this(), share = call->share](bool answered) {
    const auto self = weak.lock();
    if (self) self->shares_.give_back(share, answered, self->thread_.clock().now());
  };
}

// Others hold the connections that this share has a right to.
bool ClientCore::may_use_more(const std::string& share, const ConnectionsByShare& in_use) const {
  const std::size_t most = target_.options.connections_max;
  if (connections_.size() - kept_.size() >= 2 * most) return false;
  const auto found = in_use.find(share);
  const std::size_t own = found == in_use.end() ? 0 : found->second;
  const std::size_t shares = in_use.size() + (own == 0 ? 1 : 0);
  return own < std::max<std::size_t>(1, most / shares);
}

void ClientCore::dispatch() {
  const std::size_t most = target_.options.connections_max;
  while (!closed_ && !queue_.empty()) {
    // A share alone needs no counting.
    const bool all_in_use = connections_.size() - kept_.size() >= most;
    const ConnectionsByShare counts =
        queue_.size() > 1 || all_in_use ? connections_by_share() : ConnectionsByShare{};
    const auto place = next(counts);
    if (place == queue_.end()) break;
    const auto call = *place;
    // A connection that others have left is theirs again: it carries no more of a share that has
    // its part, as a new one would not.
    if (all_in_use && !may_use_more(call->share, counts)) break;
    // A call whose kept connection was closed under it uses no other idle connection.
    const bool may_reuse = !call->sent_again;
    if (may_reuse && !kept_.empty()) {
      queue_.erase(place);
      take_place(call);
      if (!run_on_kept(call)) put_back(call);
      continue;
    }
    if (connections_.size() >= most && !kept_.empty()) {
      kept_.front()->abort(unavailable("making room"));
      continue;
    }
    queue_.erase(place);
    take_place(call);
    run_on_new(call);
  }
  // While calls that are not answered hold all connections, the kept ones serve the other shares:
  // closing them would cost those a handshake for each call.
  while (!closed_ && connections_.size() > most && connections_.size() - kept_.size() < most &&
         !kept_.empty()) {
    kept_.front()->abort(unavailable("more connections than needed"));
  }
}

// It was not sent.
void ClientCore::put_back(std::shared_ptr<ClientCall> call) {
  call->on_finish = nullptr;
  shares_.give_back_unused(call->share);
  queue_.push_front(std::move(call));
}

bool ClientCore::run_on_kept(const std::shared_ptr<ClientCall>& call) {
  const auto connection = kept_.back();
  kept_.pop_back();
  return connection->reuse(call);
}

void ClientCore::run_on_new(std::shared_ptr<ClientCall> call) {
  auto connection = std::make_shared<ClientConnection>(*this, target_, thread_, opened_++);
  connections_.insert(connection);
  connection->open(std::move(call));
}

void ClientCore::on_idle(const std::shared_ptr<ClientConnection>& connection) {
  kept_.push_back(connection);
  schedule_dispatch();
}

void ClientCore::on_closed(const std::shared_ptr<ClientConnection>& connection,
                           std::shared_ptr<ClientCall> unsent) {
  connections_.erase(connection);
  kept_.erase(std::remove(kept_.begin(), kept_.end(), connection), kept_.end());
  if (unsent != nullptr) {
    unsent->sent_again = true;
    put_back(std::move(unsent));
  }
  schedule_dispatch();
}

// Not at once: we are inside the connection.
void ClientCore::schedule_dispatch() {
  const bool spare = connections_.size() > target_.options.connections_max;
  if (dispatch_scheduled_ || closed_ || (queue_.empty() && !spare)) return;
  dispatch_scheduled_ = true;
  thread_.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->dispatch_scheduled_ = false;
    self->dispatch();
  });
}

void ClientCore::close() {
  closed_ = true;
  const auto queue = std::exchange(queue_, {});
  const auto connections = std::exchange(connections_, {});
  kept_.clear();
  for (const auto& connection : connections) {
    const auto call = connection->call();
    connection->detach();
    if (call != nullptr)
      call->finish(
          unavailable("http client: closed before the answer came").with_reason("client_closed"));
  }
  for (const auto& call : queue)
    call->finish(
        unavailable("http client: closed before the answer came").with_reason("client_closed"));
}

}  // namespace spanway::http
