#include "services/kafka-bridge/consume/topic_size_limits.h"

#include <algorithm>
#include <utility>

namespace spanway::kafka_bridge {
namespace {

// Each reading is a connection of its own. Shorter than the wait between two tries of a dead letter
// that does not fit (30 s), so that a raised limit is used at the next one.
constexpr Duration kReread = std::chrono::seconds(25);
constexpr Duration kRereadAfterRefusal = std::chrono::seconds(10);

}  // namespace

TopicSizeLimits::TopicSizeLimits(std::size_t assumed, Reader reader, const Clock& clock)
    : assumed_(assumed), reader_(std::move(reader)), clock_(clock) {}

TopicSizeLimits::Entry& TopicSizeLimits::entry(const std::string& topic) {
  return entries_.try_emplace(topic, Entry{assumed_, std::nullopt}).first->second;
}

bool TopicSizeLimits::read_again(const std::string& topic, Entry& entry, Duration not_before) {
  const SteadyTime now = clock_.now();
  if (entry.requested_at && now - *entry.requested_at < not_before) return false;
  entry.requested_at = now;
  const Result<std::size_t> found = reader_(topic);
  if (!found.ok()) return false;
  entry.limit = *found;
  return true;
}

std::size_t TopicSizeLimits::of(const std::string& topic, std::size_t requested) {
  Entry& known = entry(topic);
  if (requested > known.limit) read_again(topic, known, kReread);
  return known.limit;
}

void TopicSizeLimits::refused(const std::string& topic, std::size_t bytes) {
  Entry& known = entry(topic);
  read_again(topic, known, kRereadAfterRefusal);
  // The settings exceed what the broker takes, or may not be read.
  if (known.limit >= bytes) known.limit = bytes / 2;
}

}  // namespace spanway::kafka_bridge
