#include "services/query/api/loki/tail_session.h"

#include <algorithm>
#include <utility>

#include "services/query/api/loki/log_result_json.h"
#include "services/query/log_source/store_entry_source.h"

namespace spanway::query::loki {
namespace {

constexpr std::uint16_t kNormalClosure = 1000, kInternalError = 1011;

std::size_t hash_of(const logql::ResultEntry& entry) {
  std::string key = std::to_string(entry.time);
  for (const Labels* labels : {&entry.labels.stream, &entry.labels.metadata, &entry.labels.parsed})
    for (const auto& [name, value] : *labels) key += '\0' + name + '\0' + value;
  return std::hash<std::string>()(key + '\0' + entry.line);
}

}  // namespace

void TailSession::attach(http::WebSocket socket) {
  MutexLock lock(mutex_);
  if (over_) return;
  socket_ = std::move(socket);
  full_ = false;
}

bool TailSession::is_over() const {
  MutexLock lock(mutex_);
  return over_;
}

void TailSession::on_writable() {
  MutexLock lock(mutex_);
  full_ = false;
}

void TailSession::on_closed(std::uint16_t) {
  cancel_.cancel();
  MutexLock lock(mutex_);
  over_ = true;
}

void TailSession::close() {
  cancel_.cancel();
  MutexLock lock(mutex_);
  over_ = true;
  socket_.close(kNormalClosure);
  while (running_) idle_.wait(mutex_);
}

void TailSession::poll() {
  {
    MutexLock lock(mutex_);
    if (running_ || full_ || over_) return;
    running_ = true;
  }
  const auto end = [self = shared_from_this()] {
    MutexLock lock(self->mutex_);
    self->running_ = false;
    self->idle_.notify_all();
  };
  // Dropped by the workers without having run, it ends as well.
  const std::shared_ptr<void> guard(nullptr, [end](void*) { end(); });
  (void)runner_.run(options_.tenant, cancel_,
                    [self = shared_from_this(), guard](QueryContext& c) { self->query(c); });
}

void TailSession::query(QueryContext& context) {
  const auto entries = read(context);
  if (entries.ok()) {
    if (!entries->empty()) send(*entries);
    return;
  }
  // The store may be back at the next poll; a query that cannot succeed ends the tail.
  if (entries.error().refusal == Refusal::kTransient) return;
  MutexLock lock(mutex_);
  over_ = true;
  socket_.close(kInternalError);
}

Result<std::vector<logql::ResultEntry>> TailSession::read(QueryContext& context) {
  const std::int64_t end = now_of(clock_) - options_.delay + 1;
  return has_history_ ? read_new(context, end) : read_history(context, end);
}

Result<std::vector<logql::ResultEntry>> TailSession::read_history(QueryContext& context,
                                                                  std::int64_t end) {
  StoreEntrySource source(logs_, context, clock_);
  const logql::RangeQuery newest{.start = options_.start,
                                 .end = std::max(end, options_.start),
                                 .step = 0,
                                 .interval = 0,
                                 .limit = options_.limit,
                                 .is_newest_first = true};
  SPANWAY_ASSIGN(auto result, logql::Engine().range(options_.query, newest, source));
  std::reverse(result.entries.begin(), result.entries.end());
  has_history_ = true;
  next_ = std::max(end, options_.start);
  for (const logql::ResultEntry& entry : result.entries) sent_.insert(hash_of(entry));
  return std::move(result.entries);
}

Result<std::vector<logql::ResultEntry>> TailSession::read_new(QueryContext& context,
                                                              std::int64_t end) {
  std::vector<logql::ResultEntry> entries;
  if (end <= next_) return entries;
  SPANWAY_ASSIGN(auto pipeline, logql::EntryPipeline::create(options_.query));
  logql::EntrySelect select = pipeline.select();
  select.range = {std::max(options_.start, next_ - kOverlap), end};
  select.expected = kEntriesMax;
  StoreEntrySource source(logs_, context, clock_);
  SPANWAY_ASSIGN(const auto stream, source.select(select));
  std::int64_t read_to = end;
  std::unordered_set<std::size_t> seen;
  for (;;) {
    SPANWAY_ASSIGN(auto entry, stream->next());
    if (!entry) break;
    const std::int64_t time = entry->time;
    auto result = pipeline.run(std::move(*entry));
    if (!result) continue;
    const std::size_t hash = hash_of(*result);
    // Those of the overlap are remembered for the next poll.
    if (seen.size() < kSentMax) seen.insert(hash);
    if (sent_.contains(hash)) continue;
    entries.push_back(std::move(*result));
    if (entries.size() == kEntriesMax) {
      read_to = time;
      break;
    }
  }
  if (read_to < end) {
    // More will follow: what was sent before stays known.
    seen.insert(sent_.begin(), sent_.end());
    if (seen.size() > 2 * kSentMax) seen.clear();
  }
  sent_ = std::move(seen);
  next_ = read_to;
  return entries;
}

void TailSession::send(const std::vector<logql::ResultEntry>& entries) {
  std::string text = "{\"streams\":";
  (void)write_streams(entries, options_.categorized, [&](std::string_view piece) {
    text += piece;
    return Status();
  });
  if (options_.categorized) text += ",\"encodingFlags\":[\"categorize-labels\"]";
  text += "}";
  MutexLock lock(mutex_);
  if (over_) return;
  const auto written = socket_.send(text);
  full_ = written == http::WebSocket::Write::kFull;
  over_ = written == http::WebSocket::Write::kClosed;
}

}  // namespace spanway::query::loki
