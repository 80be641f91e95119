// Evidence that a group has begun with a topic, outside of that topic: Kafka deletes the group's
// offsets together with the topic that they belong to. Private to services/lib/kafka.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/base/result.h"
#include "services/lib/kafka/consumer_config.h"

struct rd_kafka_s;

namespace spanway::kafka {

// The marker of a topic is an offset that the group commits on partition 0 of <topic><suffix>
// (ConsumerConfig::marker_suffix), at the end of that log, so that tools which list the lag of
// groups show none. It is committed again every few minutes: Kafka lets offsets of topics that the
// group has not subscribed to expire, even while the group runs.
//
// find(), begin() and keep() on one thread, which they block for at most a few times
// native::kQueryTimeoutMs; missing() from any. Memory: a few words per topic.
class StartMarkers {
 public:
  // Does nothing unless the group starts from latest and the suffix is set. `stopping` outlives it:
  // once it is set, keep() returns after the request in progress.
  StartMarkers(const ConsumerConfig& config, const std::atomic<bool>& stopping);

  // The topics of `names` that the group has begun with before. An error when no
  // broker has answered; a topic whose marker may not be read has none.
  Result<std::set<std::string>> find(rd_kafka_s* handle, const std::set<std::string>& names) const;
  // The starts of this topic are committed: keep() writes its marker.
  void begin(const std::string& topic);
  // Commits the markers that are due.
  void keep(rd_kafka_s* handle, SteadyTime now);
  // Those that could not be committed, each with the reason and what to do.
  std::vector<std::string> missing() const;

 private:
  std::string describe(const std::string& topic, const Error& error) const;

  const bool enabled_;
  const std::string group_;
  const std::string suffix_;
  const std::atomic<bool>& stopping_;
  std::map<std::string, std::optional<SteadyTime>> due_;  // By topic; nullopt = now.
  mutable Mutex mutex_;
  std::map<std::string, std::string> missing_ SPANWAY_GUARDED_BY(mutex_);  // By topic.
};

}  // namespace spanway::kafka
