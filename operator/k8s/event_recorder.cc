#include "operator/k8s/event_recorder.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <utility>

#include "operator/k8s/events.h"
#include "operator/k8s/micro_time.h"
#include "services/lib/base/hex.h"
#include "services/lib/base/thread.h"
#include "services/lib/base/utf8.h"

namespace spanway::kube {
namespace {

constexpr char kController[] = "spanway.dev/operator";
constexpr BackoffOptions kBackoff{.initial = std::chrono::seconds(1),
                                  .max = std::chrono::seconds(30)};
constexpr int kTriesMax = 5;
constexpr double kBurst = 25;
constexpr Duration kTokenEvery = std::chrono::minutes(5);
constexpr Duration kSeriesEnds = std::chrono::minutes(6);
constexpr Duration kCountEvery = std::chrono::minutes(1);
// Limits that the API server enforces.
constexpr std::size_t kWordBytesMax = 128;
constexpr std::size_t kNameBytesMax = 200;  // Leaves room for the suffix within 253.

Json reference_to(const Json& object) {
  Json reference = Json::object();
  for (const char* field : {"apiVersion", "kind"}) reference[field] = string_at(object, field);
  for (const char* field : {"name", "namespace", "uid", "resourceVersion"})
    if (std::string value = string_at(object, std::string("metadata/") + field); !value.empty())
      reference[field] = std::move(value);
  return reference;
}

// The server refuses empty words.
std::string word(const std::string& text) {
  return text.empty() ? "Unknown" : truncate_utf8(text, kWordBytesMax);
}

}  // namespace

EventRecorder::EventRecorder(std::string instance, Client& client, const Clock& clock,
                             Random random, telemetry::Telemetry telemetry)
    : instance_(word(instance)),
      client_(client),
      clock_(clock),
      random_(random),
      backoff_(kBackoff, Random(random_.next())),
      telemetry_(telemetry) {
  for (const char* reason : {"full", "rate", "failed"})
    telemetry_.metrics.counter(kEventsDropped, {{"reason", reason}});
}

EventRecorder::~EventRecorder() { stop(); }

void EventRecorder::start() {
  thread_ = start_thread("events", [this](const std::stop_token& stop) { run(stop); });
}

void EventRecorder::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void EventRecorder::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Duration wait = step();
    if (wait <= Duration::zero()) continue;
    MutexLock lock(mutex_);
    // Backing off, what is queued has to wait as well.
    const bool backing_off = backoff_.attempts() > 0;
    wakes_.wait_for(mutex_, stop, wait,
                    [&]() SPANWAY_REQUIRES(mutex_) { return !backing_off && !queue_.empty(); });
  }
  stopping_ = true;
  while (queued() > 0) step();
}

void EventRecorder::record(const EventNote& note) {
  Item item;
  item.at = clock_.system_now();
  Json regarding = reference_to(note.regarding);
  const std::string name_space = string_at(regarding, "namespace", "default");
  item.object = name_space + "/" + string_at(regarding, "kind") + "/" +
                string_at(regarding, "name") + "/" + string_at(regarding, "uid");
  item.event = {{"apiVersion", kEvents.api_version()},
                {"kind", std::string(kEvents.kind)},
                {"metadata", {{"namespace", name_space}}},
                {"eventTime", micro_time_text(item.at)},
                {"reportingController", kController},
                {"reportingInstance", instance_},
                {"type", note.is_warning ? "Warning" : "Normal"},
                {"reason", word(note.reason)},
                {"action", word(note.action)},
                {"note", truncate_utf8(note.note, kNoteBytesMax)},
                {"regarding", std::move(regarding)}};
  item.key = to_text(Json::array({item.object, item.event["type"], item.event["reason"],
                                  item.event["action"], item.event["note"]}));
  {
    MutexLock lock(mutex_);
    if (queue_.size() < kQueueMax) {
      queue_.push_back(std::move(item));
      wakes_.notify_one();
      return;
    }
  }
  dropped("full");
}

std::size_t EventRecorder::queued() const {
  MutexLock lock(mutex_);
  return queue_.size();
}

void EventRecorder::dropped(const char* reason) {
  telemetry_.metrics.counter(kEventsDropped, {{"reason", reason}}).add();
}

Duration EventRecorder::step() {
  Item item;
  bool has_item = false;
  {
    MutexLock lock(mutex_);
    if (!queue_.empty()) {
      item = std::move(queue_.front());
      queue_.pop_front();
      has_item = true;
    }
  }
  if (has_item) return write(std::move(item));
  if (write_series()) return Duration::zero();
  return kCountEvery;
}

Duration EventRecorder::write(Item item) {
  forget_old();
  const auto found = series_.find(item.key);
  if (found != series_.end()) {
    Series& series = found->second;
    ++series.count;
    series.last_at = item.at;
    series.recorded_at = clock_.now();
    // Write the second occurrence at once, later ones once a minute.
    if (series.written == 1) write_count(item.key, series);
    return Duration::zero();
  }
  // A failed try has already taken its token.
  if (item.tries == 0 && !take_token(item.object)) {
    dropped("rate");
    return Duration::zero();
  }
  const Status status = create(item);
  if (status.ok()) {
    backoff_.reset();
    return Duration::zero();
  }
  const bool again = status.error().refusal == Refusal::kTransient && ++item.tries < kTriesMax;
  if (!again || stopping_) {
    dropped("failed");
    telemetry_.log.limited(telemetry::LogLevel::kWarn, "kubernetes_events",
                           "An Event could not be written", {{"error", status.error().message}});
    return Duration::zero();
  }
  const Duration wait = std::max<Duration>(
      backoff_.next(), status.error().retry_after.value_or(std::chrono::milliseconds(0)));
  MutexLock lock(mutex_);
  queue_.push_front(std::move(item));
  return std::min<Duration>(wait, kTokenEvery);
}

Status EventRecorder::create(Item& item) {
  Json& metadata = item.event["metadata"];
  // The same name in each try: a create whose answer was lost is not repeated under another name.
  if (string_at(metadata, "name").empty())
    metadata["name"] = string_at(item.event, "regarding/name", "unknown").substr(0, kNameBytesMax) +
                       "." + to_hex(random_.next());
  const auto created = client_.create(kEvents, item.event);
  if (!created.ok() && created.error().code != Code::kAlreadyExists) return created.error();
  const SteadyTime now = clock_.now();
  series_[item.key] = {.event = {string_at(metadata, "namespace"), string_at(metadata, "name")},
                       .object = item.object,
                       .count = 1,
                       .written = 1,
                       .last_at = item.at,
                       .recorded_at = now,
                       .written_at = now};
  return ok_status();
}

bool EventRecorder::write_series() {
  const SteadyTime now = clock_.now();
  for (auto& [key, series] : series_) {
    if (series.count == series.written || now - series.written_at < kCountEvery) continue;
    write_count(key, series);
    return true;
  }
  return false;
}

void EventRecorder::write_count(const std::string& key, Series& series) {
  series.written_at = clock_.now();
  if (!take_token(series.object)) return;  // The count keeps growing and is written later.
  const auto patched = client_.merge_patch(
      kEvents, series.event,
      Json{{"series",
            {{"count", series.count}, {"lastObservedTime", micro_time_text(series.last_at)}}}});
  if (patched.ok()) {
    series.written = series.count;
    return;
  }
  // Deleted by another client: the next one starts a new Event.
  if (patched.error().code == Code::kNotFound) series_.erase(std::string(key));
}

bool EventRecorder::take_token(const std::string& object) {
  const SteadyTime now = clock_.now();
  if (buckets_.size() >= kObjectsMax && buckets_.count(object) == 0)
    buckets_.erase(std::min_element(
        buckets_.begin(), buckets_.end(),
        [](const auto& a, const auto& b) { return a.second.refilled < b.second.refilled; }));
  const auto [found, is_new] = buckets_.try_emplace(object, Bucket{kBurst, now});
  Bucket& bucket = found->second;
  const double earned = static_cast<double>((now - bucket.refilled).count()) /
                        static_cast<double>(kTokenEvery.count());
  bucket.tokens = std::min(kBurst, bucket.tokens + earned);
  bucket.refilled = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

void EventRecorder::forget_old() {
  const SteadyTime now = clock_.now();
  std::erase_if(series_,
                [&](const auto& entry) { return now - entry.second.recorded_at >= kSeriesEnds; });
  if (series_.size() < kSeriesMax) return;
  series_.erase(std::min_element(series_.begin(), series_.end(), [](const auto& a, const auto& b) {
    return a.second.recorded_at < b.second.recorded_at;
  }));
}

}  // namespace spanway::kube
