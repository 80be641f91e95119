// Events of events.k8s.io/v1: what a user sees under `kubectl describe`.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <thread>

#include "operator/json/json.h"
#include "operator/k8s/client.h"
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
  std::string note;    // One sentence; cut to 1 KiB.
};

// record() is thread-safe, never waits and never fails: events go into a queue of 256 and are
// written in the background by a thread, or by step() in tests. Equal events within six minutes
// become one with a count, which is brought up to date once a minute. Of one object at most 25
// events are written, and then one every five minutes; what is above is counted and dropped. A
// write that fails for the moment is tried five times. The client, the clock and the telemetry
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
  // Writes what is queued, with one try each, and ends the thread.
  void stop();

  void record(const EventNote& note);
  // At most one request; how long to wait before the next call when nothing is recorded meanwhile.
  Duration step();
  std::size_t queued() const;

 private:
  struct Item {
    std::string key;     // What makes events equal.
    std::string object;  // Whose bucket.
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
    SteadyTime seen;
    SteadyTime written_at;
  };
  struct Bucket {
    double tokens = 0;
    SteadyTime refilled;
  };

  void run(const std::stop_token& stop);
  Duration write(Item item);
  Status create(Item& item);
  // Of the series that are due, one; false when none is.
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
  // Of the thread that calls step().
  std::map<std::string, Series> series_;
  std::map<std::string, Bucket> buckets_;
  bool stopping_ = false;

  mutable Mutex mutex_;
  std::condition_variable_any wakes_;
  std::deque<Item> queue_ SPANWAY_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace spanway::kube
