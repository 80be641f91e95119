#include "services/query/api/loki/tails.h"

#include <algorithm>
#include <utility>

#include "services/lib/base/thread.h"
#include "services/query/api/http_status.h"
#include "services/query/api/loki/loki_parameters.h"
#include "services/query/api/loki/tail_session.h"

namespace spanway::query::loki {
namespace {

constexpr std::size_t kDelaySecondsMax = 5;
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
// A message has up to kEntriesMax lines.
constexpr std::size_t kBufferBytes = 4u << 20;

Result<TailOptions> parse(const ApiRequest& request, const Clock& clock) {
  TailOptions options;
  options.query = request.parameters.get("query");
  SPANWAY_TRY(logql::EntryPipeline::create(options.query));
  SPANWAY_ASSIGN(options.limit, parse_count(request.parameters, "limit", kEntriesDefault));
  options.limit = std::min(options.limit, TailSession::kEntriesMax);
  SPANWAY_ASSIGN(const TimeRange range, parse_range(request.parameters, now_of(clock)));
  options.start = range.begin;
  if (const std::string_view text = request.parameters.get("delay_for");
      !text.empty() && text != "0") {
    SPANWAY_ASSIGN(const std::size_t seconds, parse_count(request.parameters, "delay_for", 0));
    if (seconds > kDelaySecondsMax)
      return invalid_argument("delay_for can't be greater than " + std::to_string(kDelaySecondsMax))
          .with_reason("bad_parameters");
    options.delay = static_cast<std::int64_t>(seconds) * kNanosPerSecond;
  }
  options.categorized = wants_categories(request);
  return options;
}

void refuse(http::Responder responder, int status, const std::string& text) {
  http::Response response;
  response.status = status;
  response.headers.add("content-type", "text/plain; charset=utf-8");
  response.body = Bytes(text + "\n");
  responder.send(std::move(response));
}

}  // namespace

Tails::Tails(LogStore& logs, const Clock& clock)
    : logs_(logs),
      clock_(clock),
      thread_(start_thread("query-tails", [this](const std::stop_token& stop) { run(stop); })) {}

Tails::~Tails() {
  shut_down();  // The thread stops by its destructor.
}

void Tails::open(const ApiRequest& request, std::string tenant, http::Responder responder,
                 QueryRunner& runner) {
  auto options = parse(request, clock_);
  if (!options.ok())
    return refuse(std::move(responder), http_status_of(options.error()), options.error().message);
  options->tenant = std::move(tenant);
  auto session = std::make_shared<TailSession>(std::move(*options), logs_, clock_, runner);
  if (!add(session))
    return refuse(std::move(responder), 429,
                  "max concurrent tail requests limit exceeded, count > limit (" +
                      std::to_string(kTailsMax + 1) + " > " + std::to_string(kTailsMax) + ")");
  http::WebSocketOptions socket;
  socket.buffer_bytes_max = kBufferBytes;
  session->attach(responder.accept_web_socket(session, socket));
}

bool Tails::add(std::shared_ptr<TailSession> session) {
  MutexLock lock(mutex_);
  std::erase_if(sessions_, [](const auto& one) { return one->is_over(); });
  if (is_shut_down_ || sessions_.size() == kTailsMax) return false;
  sessions_.push_back(std::move(session));
  return true;
}

void Tails::shut_down() {
  std::vector<std::shared_ptr<TailSession>> sessions;
  {
    MutexLock lock(mutex_);
    is_shut_down_ = true;
    sessions.swap(sessions_);
  }
  for (const auto& session : sessions) session->close();
}

void Tails::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<std::shared_ptr<TailSession>> sessions;
    {
      MutexLock lock(mutex_);
      (void)changed_.wait_for(mutex_, stop, kPollInterval, [] { return false; });
      std::erase_if(sessions_, [](const auto& one) { return one->is_over(); });
      sessions = sessions_;
    }
    for (const auto& session : sessions) session->poll();
  }
}

}  // namespace spanway::query::loki
