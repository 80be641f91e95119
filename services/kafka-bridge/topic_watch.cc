#include "services/kafka-bridge/topic_watch.h"

#include <algorithm>
#include <utility>

#include "services/kafka-bridge/topics.h"
#include "services/lib/base/thread.h"

namespace spanway::kafka_bridge {
namespace {

constexpr Duration kFirstTimeout = std::chrono::seconds(10);
constexpr Duration kTimeout = std::chrono::seconds(4);

bool is_complete(const kafka::TopicReport& report) {
  return report.action != kafka::TopicReport::Action::kFailed &&
         (report.settings_read || !report.unread.empty());
}

}  // namespace

void TopicWatch::start(bool create, bool wait) {
  create_ = create;
  const bool checked = wait && check(kFirstTimeout);
  thread_ = start_thread("kafka-topics",
                         [this, checked](const std::stop_token& stop) { run(stop, checked); });
}

void TopicWatch::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  requests_.cancel();
  {
    MutexLock lock(mutex_);
    changed_.notify_all();
  }
  thread_.join();
}

void TopicWatch::run(const std::stop_token& stop, bool checked) {
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      const Duration interval = complete_ ? intervals_.complete : intervals_.incomplete;
      if (checked) changed_.wait_for(mutex_, interval, [&] { return stop.stop_requested(); });
    }
    while (!stop.stop_requested() && !check(kTimeout, stop)) {
      MutexLock lock(mutex_);
      changed_.wait_for(mutex_, intervals_.retry, [&] { return stop.stop_requested(); });
    }
    checked = true;
  }
}

bool TopicWatch::check(Duration timeout, const std::stop_token& stop) {
  const auto changes = create_ ? kafka::TopicChanges::kCreateAndUpdate : kafka::TopicChanges::kNone;
  const Result<Reports> reports = requests_.apply(changes, timeout);
  if (!reports.ok()) {
    if (stop.stop_requested()) return false;
    telemetry_.log.limited(telemetry::LogLevel::kError, "kafka_bridge_topics",
                           create_ ? "Topics could not be created; trying again"
                                   : "Topics could not be compared; this is tried again",
                           {{"error", reports.error().message}});
    return false;
  }
  complete_ = std::all_of(reports->begin(), reports->end(), is_complete);
  if (complete_) requests_.disconnect();
  std::vector<std::string> found = kafka_bridge::weaknesses(*reports);
  bool changed = false;
  {
    MutexLock lock(mutex_);
    changed = weaknesses_ != found;
    weaknesses_ = std::move(found);
    found_ = *reports;
    std::erase_if(found_, [](const kafka::TopicReport& report) {
      return report.action == kafka::TopicReport::Action::kFailed && !report.settings_read;
    });
  }
  if (create_ || changed) log_reports(*reports, telemetry_.log);
  create_ = false;  // Topics that are deleted later were deleted on purpose.
  on_reports_(*reports);
  return true;
}

std::vector<std::string> TopicWatch::weaknesses() const {
  MutexLock lock(mutex_);
  return weaknesses_;
}

TopicWatch::Reports TopicWatch::reports() const {
  MutexLock lock(mutex_);
  return found_;
}

}  // namespace spanway::kafka_bridge
