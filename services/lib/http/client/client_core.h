// The insides of a client: its queue and its connections. For this module only.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "services/lib/base/fair_shares.h"
#include "services/lib/http/client/client_connection.h"

namespace spanway::http {

// Single-thread (its io thread), except send() and the constructor.
class ClientCore final : public std::enable_shared_from_this<ClientCore>,
                         public ClientConnectionOwner {
 public:
  ClientCore(ClientTarget target, IoThread& thread);
  ~ClientCore() override;

  // Thread-safe.
  void send(std::shared_ptr<ClientCall> call);
  // Answers everything with UNAVAILABLE and closes all connections.
  void close();
  // On the io thread.
  void cancel(const std::shared_ptr<ClientCall>& call);
  void resume(const std::shared_ptr<ClientCall>& call);
  IoThread& thread() noexcept { return thread_; }
  const ClientTarget& target() const noexcept { return target_; }

 private:
  void enqueue(std::shared_ptr<ClientCall> call);
  void watch(const std::shared_ptr<ClientCall>& call);
  void expired(const std::shared_ptr<ClientCall>& call);
  void end(const std::shared_ptr<ClientCall>& call, Error error);
  std::shared_ptr<ClientConnection> connection_of(const std::shared_ptr<ClientCall>& call) const;
  using Queue = std::deque<std::shared_ptr<ClientCall>>;
  using ConnectionsByShare = std::map<std::string, std::size_t, std::less<>>;
  ConnectionsByShare connections_by_share() const;
  Queue::iterator next(const ConnectionsByShare& in_use);
  void take_place(const std::shared_ptr<ClientCall>& call);
  void put_back(std::shared_ptr<ClientCall> call);
  bool may_use_more(const std::string& share, const ConnectionsByShare& in_use) const;
  void dispatch();
  bool run_on_kept(const std::shared_ptr<ClientCall>& call);
  void run_on_new(std::shared_ptr<ClientCall> call);
  void on_idle(const std::shared_ptr<ClientConnection>& connection) override;
  void on_closed(const std::shared_ptr<ClientConnection>& connection,
                 std::shared_ptr<ClientCall> unsent) override;
  void schedule_dispatch();

  const ClientTarget target_;
  IoThread& thread_;
  bool closed_ = false;
  bool dispatch_scheduled_ = false;
  std::size_t opened_ = 0;
  Queue queue_;
  FairShares shares_;  // Twice connections_max: others get what shares without answers hold.
  std::unordered_set<std::shared_ptr<ClientConnection>> connections_;
  // A part of connections_; the one used last is last.
  std::vector<std::shared_ptr<ClientConnection>> kept_;
};

}  // namespace spanway::http
