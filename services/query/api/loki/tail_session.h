// One tail. Private to this folder.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>

#include "services/lib/base/mutex.h"
#include "services/lib/http/web_socket.h"
#include "services/query/api/loki/log_answers.h"
#include "services/query/api/query_api.h"
#include "services/query/logql/engine.h"

namespace spanway::query::loki {

struct TailOptions {
  std::string query;
  std::string tenant;
  std::int64_t start = 0;  // Unix nanoseconds; the newest `limit` entries since then come first.
  std::size_t limit = 100;
  std::int64_t delay = 0;  // Entries younger than this are not sent yet.
  bool categorized = false;
};

// Thread-safe. Kept alive by its observer on the connection and by Tails.
class TailSession final : public http::WebSocketObserver,
                          public std::enable_shared_from_this<TailSession> {
 public:
  // Entries that one poll sends.
  static constexpr std::size_t kEntriesMax = 1000;
  // A record may become visible so much later than its time says; it is not sent twice.
  static constexpr std::int64_t kOverlap = 10'000'000'000;
  static constexpr std::size_t kSentMax = 50'000;

  // The store, the clock and the runner outlive it until close().
  TailSession(TailOptions options, LogStore& logs, const Clock& clock, QueryRunner& runner)
      : options_(std::move(options)), logs_(logs), clock_(clock), runner_(runner) {}

  void attach(http::WebSocket socket);
  // Starts a query on a worker, unless one runs or the client does not read.
  void poll();
  // Ends the query and the WebSocket; waits for the query.
  void close();
  bool is_over() const;

  void on_message(std::string_view, bool) override {}
  void on_writable() override;
  void on_closed(std::uint16_t code) override;

 private:
  void query(QueryContext& context);
  Result<std::vector<logql::ResultEntry>> read(QueryContext& context);
  Result<std::vector<logql::ResultEntry>> read_history(QueryContext& context, std::int64_t end);
  Result<std::vector<logql::ResultEntry>> read_new(QueryContext& context, std::int64_t end);
  void send(const std::vector<logql::ResultEntry>& entries);

  const TailOptions options_;
  LogStore& logs_;
  const Clock& clock_;
  QueryRunner& runner_;
  const CancelToken cancel_;

  mutable Mutex mutex_;
  CondVar idle_;
  http::WebSocket socket_ SPANWAY_GUARDED_BY(mutex_);
  bool running_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool full_ SPANWAY_GUARDED_BY(mutex_) = true;  // Without a WebSocket, too.
  bool over_ SPANWAY_GUARDED_BY(mutex_) = false;

  // The state of the query that runs.
  bool has_history_ = false;
  std::int64_t next_ = 0;                 // Entries before it were read.
  std::unordered_set<std::size_t> sent_;  // Hashes of entries in the overlap.
};

}  // namespace spanway::query::loki
