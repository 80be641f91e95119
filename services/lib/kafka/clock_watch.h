// Compares this host's clock with the brokers', by what they say of confirmed records.
#pragma once

#include <atomic>
#include <string>

#include "services/lib/base/clock.h"

struct rd_kafka_message_s;

namespace spanway::kafka {

// This host's clock minus the broker's, at least: a record was handed over and confirmed at these
// times of this host, and appended at that time of the broker. Zero while the difference may be the
// time that the request took.
constexpr Duration clock_difference(SystemTime handed_over, SystemTime confirmed,
                                    SystemTime appended) noexcept {
  if (appended < handed_over) return handed_over - appended;
  return appended > confirmed ? confirmed - appended : Duration::zero();
}
// Empty while the difference harms nothing; else what it is, what it does and what to do.
std::string describe_clock_difference(Duration difference);

// on_confirmed() on one thread, difference() from any.
class ClockWatch {
 public:
  // A record that was confirmed now, `took` after it was handed over. Brokers return their time for
  // topics with message.timestamp.type=LogAppendTime only. True when they did.
  bool on_confirmed(const rd_kafka_message_s* message, Duration took, SystemTime now) noexcept;
  Duration difference() const noexcept { return Duration(difference_.load()); }

 private:
  std::atomic<Duration::rep> difference_{0};
};

}  // namespace spanway::kafka
