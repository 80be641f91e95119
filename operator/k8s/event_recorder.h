// Events of events.k8s.io/v1, as `kubectl describe` shows them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <thread>

#include "operator/json/json.h"
#include "operator/k8s/kube_client.h"
#include "services/lib/base/backoff.h"
#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/random.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kube {

struct EventNote {
  Json regarding;  // The object: apiVersion, kind, metadata.
  bool is_warning = false;
  std::string reason;  // CamelCase: why.
  std::string action;  // CamelCase: what was done.
  std::string note;    // One sentence; truncated to 1 KiB.
};

// record() is thread-safe, never waits and never fails: events go into a queue of 256 and are
// written in the background by a thread, or by step() in tests. Equal events within six minutes
// become one series whose count is written once a minute. For one object at most 25
// events are written, and then one every five minutes; the rest is dropped and counted. A write
// that fails transiently is tried five times. The client, the clock and the telemetry
// outlive it.
class EventRecorder {
 public:
  static constexpr std::size_t kQueueMax = 256;
  static constexpr std::size_t kNoteBytesMax = 1024;
  static constexpr std::size_t kSeriesMax = 1024;
  static constexpr std::size_t kObjectsMax = 4096;

  // `instance`: the pod's name.
  EventRecorder(std::string instance, Client& client, const Clock& clock, Random random,
                telemetry::Telemetry telemetry);
  ~EventRecorder();

  void start();
  // Writes the queued events, with one try each, and ends the thread.
  void stop();

  void record(const EventNote& note);
  // At most one request; how long to wait before the next call when nothing is recorded meanwhile.
  Duration step();
  std::size_t queued() const;

 private:
  struct Item {
    std::string key;     // Equal for events of one series.
    std::string object;  // Owner of the token bucket.
    Json event;          // Without a name and a series.
    SystemTime at;
    int tries = 0;
  };
  struct Series {
    ObjectKey event;
    std::string object;
    std::int64_t count = 1;
    std::int64_t written = 1;
    SystemTime last_at;
    SteadyTime recorded_at;
    SteadyTime written_at;
  };
  struct Bucket {
    double tokens = 0;
    SteadyTime refilled;
  };

  void run(const std::stop_token& stop);
  Duration write(Item item);
  Status create(Item& item);
  // Writes one series that is due; false when none is.
  bool write_series();
  void write_count(const std::string& key, Series& series);
  bool take_token(const std::string& object);
  void forget_old();
  void dropped(const char* reason);

  const std::string instance_;
  Client& client_;
  const Clock& clock_;
  Random random_;
  Backoff backoff_;
  telemetry::Telemetry telemetry_;
  // Only the thread that calls step() uses these.
  std::map<std::string, Series> series_;
  std::map<std::string, Bucket> buckets_;
  bool stopping_ = false;

  mutable Mutex mutex_;
  std::condition_variable_any wakes_;
  std::deque<Item> queue_ SPANWAY_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace spanway::kube
