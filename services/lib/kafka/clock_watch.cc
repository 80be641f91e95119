#include "services/lib/kafka/clock_watch.h"

#include <librdkafka/rdkafka.h>

namespace spanway::kafka {
namespace {

// Below it no age of records is wrong by much.
constexpr Duration kHarmless = std::chrono::seconds(30);

}  // namespace

std::string describe_clock_difference(Duration difference) {
  if (difference < kHarmless && difference > -kHarmless) return "";
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(difference).count();
  return "the clock of this host is " + std::to_string(seconds < 0 ? -seconds : seconds) + " s " +
         (seconds < 0 ? "behind" : "ahead of") +
         " the brokers': ages of records and lag in seconds are wrong by that, and on topics with "
         "message.timestamp.type=CreateTime Kafka deletes records too early or refuses them; "
         "synchronise it";
}

bool ClockWatch::on_confirmed(const rd_kafka_message_s* message, Duration took,
                              SystemTime now) noexcept {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t appended = rd_kafka_message_timestamp(message, &type);
  if (type != RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) return false;
  difference_ =
      clock_difference(now - took, now, SystemTime(std::chrono::milliseconds(appended))).count();
  return true;
}

}  // namespace spanway::kafka
