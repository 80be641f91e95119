#include "operator/cache/reflector.h"

#include <algorithm>
#include <condition_variable>
#include <utility>

#include "operator/cache/events.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/thread.h"

namespace spanway::kube {
namespace {

constexpr BackoffOptions kBackoff{.initial = std::chrono::milliseconds(800),
                                  .max = std::chrono::seconds(30)};
constexpr Duration kHealthy = std::chrono::minutes(2);
constexpr Duration kRetryAfterMax = std::chrono::minutes(5);
constexpr Duration kShortWatch = std::chrono::seconds(1);
// A watch lasts between this and twice this, so that those of a thousand clients do not end at
// once.
constexpr std::uint64_t kWatchSecondsMin = 300;

// After these the watch may go on where it was: nothing was missed.
bool keeps_version(const Error& error) {
  switch (error.code) {
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
      return true;
    case Code::kResourceExhausted:
      // 429; but an event above the bound would come again and again.
      return error.refusal == Refusal::kTransient;
    default:
      return false;
  }
}

}  // namespace

Reflector::Reflector(ReflectorOptions options, Client& client, Store& store, Changed changed,
                     const Clock& clock, Random random, telemetry::Telemetry telemetry)
    : options_(std::move(options)),
      client_(client),
      store_(store),
      changed_(std::move(changed)),
      clock_(clock),
      random_(random),
      backoff_(kBackoff, Random(random_.next())),
      telemetry_(telemetry),
      failures_counter_(telemetry.metrics.counter(
          kCacheFailures, {{"resource", std::string(options_.type.plural)}})),
      objects_gauge_(telemetry.metrics.gauge(kCacheObjects,
                                             {{"resource", std::string(options_.type.plural)}})),
      bytes_gauge_(
          telemetry.metrics.gauge(kCacheBytes, {{"resource", std::string(options_.type.plural)}})),
      failed_at_(clock.now()) {}

Reflector::~Reflector() { stop(); }

void Reflector::start() {
  thread_ = start_thread("reflect-" + std::string(options_.type.plural),
                         [this](const std::stop_token& stop) { run(stop); });
}

void Reflector::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Reflector::run(const std::stop_token& stop) {
  Mutex mutex;
  std::condition_variable_any wakes;
  while (!stop.stop_requested()) {
    const Duration wait = step(stop);
    std::unique_lock lock(mutex);
    if (wait > Duration::zero()) wakes.wait_for(lock, stop, wait, [] { return false; });
  }
}

Duration Reflector::step(const std::stop_token& stop) {
  return listed_ ? step_watch(stop) : step_list();
}

Duration Reflector::step_list() {
  Status status = list(resource_version_);
  // Too old for the server, or newer than its cache is: whatever it has, from a quorum.
  if (!status.ok() && status.error().code == Code::kOutOfRange) status = list("");
  return status.ok() ? Duration::zero() : failed("list", status.error());
}

Status Reflector::list(const std::string& resource_version) {
  SPANWAY_ASSIGN(const ListResult result,
                 client_.list(options_.type, {.name_space = options_.name_space,
                                              .label_selector = options_.label_selector,
                                              .field_selector = {},
                                              .resource_version = resource_version}));
  const auto owners = store_.replace(result.items, result.resource_version);
  resource_version_ = result.resource_version;
  listed_ = true;
  synced_ = true;
  tell(owners);
  return ok_status();
}

Duration Reflector::step_watch(const std::stop_token& stop) {
  const SteadyTime start = clock_.now();
  const Status status = watch(stop);
  if (stop.stop_requested()) return Duration::zero();
  const bool expired = !status.ok() && status.error().code == Code::kOutOfRange;
  const bool again = std::exchange(expired_before_, expired);
  if (status.ok()) {
    if (events_ > 0 || clock_.now() - start >= kShortWatch) return Duration::zero();
    return failed("watch", unavailable("the watch ended at once without an event"));
  }
  if (!keeps_version(status.error())) listed_ = false;
  // A server that calls every version expired is not asked without a pause.
  if (expired && !again) return Duration::zero();
  return failed("watch", status.error());
}

Status Reflector::watch(const std::stop_token& stop) {
  events_ = 0;
  WatchOptions options;
  options.name_space = options_.name_space;
  options.label_selector = options_.label_selector;
  options.resource_version = resource_version_;
  options.timeout = std::chrono::seconds(kWatchSecondsMin + random_.next_below(kWatchSecondsMin));
  return client_.watch(options_.type, options, stop, [&](const WatchEvent& event) {
    ++events_;
    take(event);
    return !stop.stop_requested();
  });
}

void Reflector::take(const WatchEvent& event) {
  const std::string version = string_at(event.object, "metadata/resourceVersion");
  std::vector<ObjectKey> owners;
  if (event.type == WatchEvent::Type::kDeleted) {
    owners = store_.erase(
        {string_at(event.object, "metadata/namespace"), string_at(event.object, "metadata/name")},
        version);
  } else if (event.type == WatchEvent::Type::kBookmark) {
    store_.advance_to(version);
  } else {
    owners = store_.upsert(event.object);
  }
  // Only now: if the store had thrown, the event would have to come again.
  if (!version.empty()) resource_version_ = version;
  tell(owners);
}

void Reflector::tell(const std::vector<ObjectKey>& owners) {
  objects_gauge_.set(static_cast<double>(store_.size()));
  bytes_gauge_.set(static_cast<double>(store_.bytes()));
  for (const ObjectKey& owner : owners) changed_(owner);
}

Duration Reflector::failed(const char* what, const Error& error) {
  ++failures_;
  failures_counter_.add();
  const SteadyTime now = clock_.now();
  if (now - failed_at_ >= kHealthy) backoff_.reset();
  failed_at_ = now;
  const Duration own = backoff_.next();
  const Duration asked =
      std::min<Duration>(error.retry_after.value_or(std::chrono::milliseconds(0)), kRetryAfterMax);
  const Duration wait = std::max(own, asked);
  telemetry_.log.limited(
      telemetry::LogLevel::kWarn, "kubernetes_reflector", "The cache is not being kept up to date",
      {{"resource", options_.type.plural},
       {"step", what},
       {"error", error.message},
       {"retry_in_ms",
        std::int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(wait).count()}}});
  return wait;
}

}  // namespace spanway::kube
