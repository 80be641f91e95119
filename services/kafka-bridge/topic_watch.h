// Watches the settings of the topics: weak ones lose records.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/admin.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::kafka_bridge {

// Creates the topics when configured to, then compares their settings every five minutes: they may
// be weakened while the bridge runs. Until the brokers have answered it requests every second, and
// while a topic is missing or its settings are unknown every five seconds, over one connection that
// is closed once all is known.
//
// start() and stop() by one thread, weaknesses() from any. `on_reports` runs on the requesting
// thread, also inside start().
class TopicWatch {
 public:
  using Reports = std::vector<kafka::TopicReport>;
  // The requests to the brokers (kafka::TopicAdmin).
  struct Requests {
    // Blocks for at most `timeout`.
    std::function<Result<Reports>(kafka::TopicChanges changes, Duration timeout)> apply;
    // On the thread of apply(), which connects again.
    std::function<void()> disconnect;
    // Thread-safe: apply() returns at once, now and later.
    std::function<void()> cancel;
  };

  struct Intervals {
    Duration retry = std::chrono::seconds(1);       // After no answer.
    Duration incomplete = std::chrono::seconds(5);  // While a topic is not completely known.
    Duration complete = std::chrono::minutes(5);
  };

  // `telemetry` and what the functions use outlive it.
  TopicWatch(Requests requests, std::function<void(const Reports&)> on_reports,
             telemetry::Telemetry telemetry, Intervals intervals)
      : requests_(std::move(requests)),
        on_reports_(std::move(on_reports)),
        telemetry_(telemetry),
        intervals_(intervals) {}
  ~TopicWatch() { stop(); }
  TopicWatch(const TopicWatch&) = delete;
  TopicWatch& operator=(const TopicWatch&) = delete;

  // With `create`, missing topics are created and small ones grow. With `wait` the first round is
  // over, or has failed within ten seconds, when this returns.
  void start(bool create, bool wait);
  // Cancels the request in progress.
  void stop();
  // One round; false when the brokers have not answered. While the watching thread does not run.
  bool check(Duration timeout, const std::stop_token& stop = {});
  // Settings that can lose records, each with its topic's name; empty until the brokers have
  // answered.
  std::vector<std::string> weaknesses() const;
  // The reports on topics that exist, of the last round that the brokers have answered.
  Reports reports() const;

 private:
  void run(const std::stop_token& stop, bool checked);

  const Requests requests_;
  const std::function<void(const Reports&)> on_reports_;
  telemetry::Telemetry telemetry_;
  const Intervals intervals_;
  // Used by one thread at a time: start(), then the watching one.
  bool create_ = false;
  bool complete_ = false;  // The last round found every topic and its settings.

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> weaknesses_ SPANWAY_GUARDED_BY(mutex_);
  Reports found_ SPANWAY_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace spanway::kafka_bridge
