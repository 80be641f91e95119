// How large a record a topic takes: from the topic's settings where they may be read, else from
// what the broker refuses.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"

namespace spanway::kafka_bridge {

// Single-thread. Bound: one entry per topic.
class TopicSizeLimits {
 public:
  // max.message.bytes of a topic; an error where DescribeConfigs is not allowed. May block.
  using Reader = std::function<Result<std::size_t>(const std::string& topic)>;

  // `assumed`: the limit of a topic about which nothing is known.
  TopicSizeLimits(std::size_t assumed, Reader reader, const Clock& clock);

  // Bytes of one record with its headers and framing. The settings are read when `requested`
  // exceeds what is known, at most every few minutes.
  std::size_t of(const std::string& topic, std::size_t requested);
  // The broker has refused a record of so many bytes: the limit is lower afterwards.
  void refused(const std::string& topic, std::size_t bytes);

 private:
  struct Entry {
    std::size_t limit = 0;
    std::optional<SteadyTime> requested_at;
  };
  Entry& entry(const std::string& topic);
  bool read_again(const std::string& topic, Entry& entry, Duration not_before);

  const std::size_t assumed_;
  const Reader reader_;
  const Clock& clock_;
  std::map<std::string, Entry> entries_;
};

}  // namespace spanway::kafka_bridge
