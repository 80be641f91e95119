#include "operator/cache/reflector.h"

#include <algorithm>
#include <utility>

#include "operator/cache/events.h"

namespace spanway::kube {
namespace {

constexpr BackoffOptions kBackoff{.initial = std::chrono::milliseconds(800),
                                  .max = std::chrono::seconds(30)};
constexpr Duration kHealthy = std::chrono::minutes(2);
constexpr Duration kRetryAfterMax = std::chrono::minutes(5);
constexpr Duration kShortWatch = std::chrono::seconds(1);
// A watch lasts between this and twice this, so that watches do not end all at once.
constexpr std::uint64_t kWatchSecondsMin = 300;

// After these the watch resumes from its resourceVersion: no event was missed.
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

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
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

Reflector::~Reflector() = default;

bool Reflector::debugging() const { return telemetry_.log.enabled(telemetry::LogLevel::kDebug); }

void Reflector::stop() {
  stopped_ = true;
  MutexLock lock(mutex_);
  if (watch_ != nullptr) watch_->cancel();
}

void Reflector::step(Done done) {
  if (listed_) return step_watch(std::move(done));
  done(step_list());
}

Duration Reflector::step_list() {
  Status status = list(resource_version_);
  // Expired, or newer than the watch cache: list the newest from a quorum.
  if (!status.ok() && status.error().code == Code::kOutOfRange) status = list("");
  return status.ok() ? Duration::zero() : failed("list", status.error());
}

Status Reflector::list(const std::string& resource_version) {
  const SteadyTime started = clock_.now();
  SPANWAY_ASSIGN(const ListResult result,
                 client_.list(options_.type, {.name_space = options_.name_space,
                                              .label_selector = options_.label_selector,
                                              .field_selector = {},
                                              .resource_version = resource_version}));
  const auto owners = store_.replace(result.items, result.resource_version);
  resource_version_ = result.resource_version;
  listed_ = true;
  synced_ = true;
  if (debugging())
    telemetry_.log.debug("Listed", {{"resource", options_.type.plural},
                                    {"namespace", options_.name_space},
                                    {"resource_version", resource_version_},
                                    {"objects", result.items.size()},
                                    {"ms", milliseconds(clock_.now() - started)}});
  publish(owners);
  return ok_status();
}

void Reflector::step_watch(Done done) {
  const SteadyTime started = clock_.now();
  events_ = 0;
  WatchOptions options;
  options.name_space = options_.name_space;
  options.label_selector = options_.label_selector;
  options.resource_version = resource_version_;
  options.timeout = std::chrono::seconds(kWatchSecondsMin + random_.next_below(kWatchSecondsMin));
  if (debugging())
    telemetry_.log.debug("Watching", {{"resource", options_.type.plural},
                                      {"namespace", options_.name_space},
                                      {"resource_version", resource_version_},
                                      {"ms_max", milliseconds(options.timeout)}});
  MutexLock lock(mutex_);
  // The previous watch has ended; wait for the return of its callback.
  watch_.reset();
  if (stopped_) return done(Duration::zero());
  watch_ = client_.start_watch(
      options_.type, options,
      {.on_event =
           [this](const WatchEvent& event) {
             ++events_;
             take(event);
             return !stopped_;
           },
       .on_end = [this, started, done = std::move(done)](
                     const Status& status) { done(watch_ended(started, status)); }});
}

Duration Reflector::watch_ended(SteadyTime started, const Status& status) {
  if (stopped_) return Duration::zero();
  if (debugging())
    telemetry_.log.debug("The watch ended",
                         {{"resource", options_.type.plural},
                          {"namespace", options_.name_space},
                          {"resource_version", resource_version_},
                          {"events", events_},
                          {"ms", milliseconds(clock_.now() - started)},
                          {"outcome", status.ok() ? "ok" : status.error().message}});
  const bool expired = !status.ok() && status.error().code == Code::kOutOfRange;
  const bool again = std::exchange(expired_before_, expired);
  if (status.ok()) {
    if (events_ > 0 || clock_.now() - started >= kShortWatch) return Duration::zero();
    return failed("watch", unavailable("the watch ended at once without an event"));
  }
  if (!keeps_version(status.error())) listed_ = false;
  // A server that reports every version as expired is retried with back-off.
  if (expired && !again) return Duration::zero();
  return failed("watch", status.error());
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
    if (debugging())
      telemetry_.log.debug("Bookmark", {{"resource", options_.type.plural},
                                        {"namespace", options_.name_space},
                                        {"resource_version", version}});
  } else {
    owners = store_.upsert(event.object);
  }
  // After the store: an event that it did not take must be sent again.
  if (!version.empty()) resource_version_ = version;
  publish(owners);
}

void Reflector::publish(const std::vector<ObjectKey>& owners) {
  // Differences: reflectors of other namespaces add to the same gauges.
  const auto objects = static_cast<double>(store_.size());
  const auto bytes = static_cast<double>(store_.bytes());
  objects_gauge_.add(objects - std::exchange(objects_counted_, objects));
  bytes_gauge_.add(bytes - std::exchange(bytes_counted_, bytes));
  for (const ObjectKey& owner : owners) changed_(owner);
}

Duration Reflector::failed(const char* what, const Error& error) {
  ++failures_;
  failures_counter_.add();
  const SteadyTime now = clock_.now();
  if (now - failed_at_ >= kHealthy) backoff_.reset();
  failed_at_ = now;
  const Duration own = backoff_.next();
  const Duration requested =
      std::min<Duration>(error.retry_after.value_or(std::chrono::milliseconds(0)), kRetryAfterMax);
  const Duration wait = std::max(own, requested);
  telemetry_.log.limited(telemetry::LogLevel::kWarn, "kubernetes_reflector",
                         "List or watch failed; the cache is stale until the next try",
                         {{"resource", options_.type.plural},
                          {"step", what},
                          {"error", error.message},
                          {"retry_in_ms", milliseconds(wait)}});
  // The warning is limited for all kinds together.
  if (debugging())
    telemetry_.log.debug("Backing off", {{"resource", options_.type.plural},
                                         {"namespace", options_.name_space},
                                         {"step", what},
                                         {"relist", !listed_},
                                         {"retry_in_ms", milliseconds(wait)}});
  return wait;
}

}  // namespace spanway::kube
