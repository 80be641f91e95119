// Tails: queries of logs whose new entries go to a WebSocket.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/query/api/loki/log_answers.h"
#include "services/query/api/query_api.h"

namespace spanway::query::loki {

class TailSession;

// Thread-safe. A thread of its own starts a query of each tail every `kPollInterval`; the queries
// run on the workers of the runner.
class Tails {
 public:
  // At once, of all tenants.
  static constexpr std::size_t kTailsMax = 10;
  static constexpr Duration kPollInterval = std::chrono::milliseconds(500);

  // The store and the clock outlive it.
  Tails(LogStore& logs, const Clock& clock);
  ~Tails();
  Tails(const Tails&) = delete;
  Tails& operator=(const Tails&) = delete;

  // On an io thread. Answers with an error in the API's shape, or accepts the WebSocket. The runner
  // outlives the tail until shut_down().
  void open(const ApiRequest& request, std::string tenant, http::Responder responder,
            QueryRunner& runner);
  // Ends all tails and refuses further ones; more than once.
  void shut_down();

 private:
  // False when there are too many.
  bool add(std::shared_ptr<TailSession> session);
  void run(const std::stop_token& stop);

  LogStore& logs_;
  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::shared_ptr<TailSession>> sessions_ SPANWAY_GUARDED_BY(mutex_);
  bool is_shut_down_ SPANWAY_GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace spanway::query::loki
