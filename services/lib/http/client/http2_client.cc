#include "services/lib/http/http2_client.h"

#include <atomic>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "services/lib/http/client/http2_client_connection.h"
#include "services/lib/http/request_target.h"

namespace spanway::http {
namespace {

// How often deadlines are checked.
constexpr Duration kTick = std::chrono::milliseconds(250);

Error cancelled() {
  return transient_error(Code::kCancelled, "the stream was cancelled").with_reason("cancelled");
}

// The calls and the connections. Single-thread (its io thread), except connections().
class Http2ClientCore final : public std::enable_shared_from_this<Http2ClientCore>,
                              public Http2ClientConnectionOwner {
 public:
  Http2ClientCore(StreamTarget target, IoThread& thread)
      : target_(std::move(target)), thread_(thread) {}

  void open(const std::shared_ptr<Http2Call>& call) {
    if (closed_) return call->end(cancelled());
    if (waiting_.size() >= target_.options.waiting_max)
      return call->end(
          unavailable("too many streams wait for a connection").with_reason("too_many_streams"));
    calls_.emplace(call->id, call);
    waiting_.push_back(call);
    dispatch();
    start_clock();
  }
  void cancel(Http2Client::StreamId id) { give_up(id, cancelled()); }
  void close() {
    closed_ = true;
    const auto connections = std::exchange(connections_, {});
    count_ = 0;
    for (const auto& connection : connections) connection->close(cancelled());
    for (const auto& call : std::exchange(waiting_, {})) call->end(cancelled());
    calls_.clear();
  }
  IoThread& thread() noexcept { return thread_; }
  const StreamTarget& target() const noexcept { return target_; }
  std::size_t connections() const noexcept { return count_; }

  void on_room() override { dispatch(); }
  void on_closed(const std::shared_ptr<Http2ClientConnection>& connection, bool before_ready,
                 const Error& why) override {
    std::erase(connections_, connection);
    count_ = connections_.size();
    if (closed_) return;
    // The waiting calls retry with their own back-off; dispatch() alone would reconnect at once.
    if (before_ready)
      for (const auto& call : std::exchange(waiting_, {})) call->end(why);
    dispatch();
  }

 private:
  void give_up(Http2Client::StreamId id, Error why) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    const auto call = found->second;
    calls_.erase(found);
    call->end(std::move(why));
    for (const auto& connection : connections_) connection->reset(id);
  }

  void dispatch() {
    bool connecting = false;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      const auto connection = connections_[i];
      connecting = connecting || connection->connecting();
      while (!waiting_.empty() && connection->room() > 0) {
        const auto call = waiting_.front();
        if (!call->ended() && !connection->submit(call)) break;
        waiting_.pop_front();
      }
    }
    // One at a time: how many streams fit on it is known only then.
    if (waiting_.empty() || connecting || connections_.size() >= target_.options.connections_max)
      return;
    connections_.push_back(
        std::make_shared<Http2ClientConnection>(weak_from_this(), target_, thread_));
    count_ = connections_.size();
    connections_.back()->open();
  }

  void start_clock() {
    if (std::exchange(ticking_, true)) return;
    thread_.post_after(kTick, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->tick();
    });
  }
  void tick() {
    ticking_ = false;
    if (closed_) return;
    const SteadyTime now = thread_.clock().now();
    std::vector<Http2Client::StreamId> late;
    for (auto entry = calls_.begin(); entry != calls_.end();) {
      if (entry->second->ended()) {
        entry = calls_.erase(entry);
        continue;
      }
      if (now >= entry->second->deadline) late.push_back(entry->first);
      ++entry;
    }
    for (const auto id : late)
      give_up(id, transient_error(Code::kDeadlineExceeded, "silent for too long")
                      .with_reason("stream_silent"));
    if (!late.empty()) std::erase_if(waiting_, [](const auto& call) { return call->ended(); });
    // A copy: what is closed takes itself out.
    for (const auto& connection : std::vector(connections_)) connection->on_time(now);
    if (!calls_.empty() || !connections_.empty()) start_clock();
  }

  const StreamTarget target_;
  IoThread& thread_;
  bool closed_ = false;
  bool ticking_ = false;
  std::unordered_map<Http2Client::StreamId, std::shared_ptr<Http2Call>> calls_;
  std::deque<std::shared_ptr<Http2Call>> waiting_;
  std::vector<std::shared_ptr<Http2ClientConnection>> connections_;
  std::atomic<std::size_t> count_{0};
};

class Http2ClientImpl final : public Http2Client {
 public:
  Http2ClientImpl(StreamTarget target, IoThread& thread)
      : core_(std::make_shared<Http2ClientCore>(std::move(target), thread)) {}
  ~Http2ClientImpl() override {
    core_->thread().run_and_wait([this] { core_->close(); });
  }

  StreamId open(StreamRequest request, StreamCallbacks callbacks) override {
    const StreamId id = next_id_.fetch_add(1, std::memory_order_relaxed);
    const std::string& prefix = core_->target().url.path;
    if (prefix.size() > 1) request.path.insert(0, prefix);
    bool valid = parse_request_target(request.path).ok() && request.path.front() == '/';
    for (const auto& [name, value] : request.headers.fields())
      valid = valid && is_sendable_field(name, value);
    auto call = std::make_shared<Http2Call>(id, std::move(request), std::move(callbacks),
                                            core_->thread().clock().now());
    core_->thread().post([core = core_, call, valid] {
      if (valid) return core->open(call);
      call->end(configuration_error(Code::kInvalidArgument, "the path or a header is malformed")
                    .with_reason("request_invalid"));
    });
    return id;
  }
  void cancel(StreamId id) override {
    core_->thread().post([core = core_, id] { core->cancel(id); });
  }
  std::size_t connections() const override { return core_->connections(); }

 private:
  const std::shared_ptr<Http2ClientCore> core_;
  std::atomic<StreamId> next_id_{1};
};

}  // namespace

Result<std::unique_ptr<Http2Client>> Http2Client::create(Url url, Http2ClientOptions options,
                                                         std::shared_ptr<TlsClientContext> tls,
                                                         IoPool& pool) {
  if (options.streams_max == 0 || options.connections_max == 0)
    return configuration_error(Code::kInvalidArgument,
                               "stream client: streams_max and connections_max must not be 0");
  while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  SPANWAY_ASSIGN(auto origin, make_origin(std::move(url), std::move(tls), "stream client"));
  StreamTarget target{std::move(origin), options};
  const std::size_t index = pool.impl().next.fetch_add(1, std::memory_order_relaxed);
  return std::unique_ptr<Http2Client>(
      std::make_unique<Http2ClientImpl>(std::move(target), pool.impl().at(index)));
}

}  // namespace spanway::http
