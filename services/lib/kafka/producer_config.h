// Configuration of the producer. Transport-free: the operator checks it without librdkafka.
#pragma once

#include <chrono>

#include "services/lib/base/clock.h"
#include "services/lib/config/binder.h"

namespace spanway::kafka {

struct ProducerConfig {
  Duration linger = std::chrono::milliseconds(5);
  config::ByteSize queue_bytes_max{64u << 20};  // librdkafka's own queue; reserved in the budget.
  config::ByteSize record_bytes_max{900u << 10};
  enum class Compression { kNone, kGzip, kSnappy, kLz4, kZstd } compression = Compression::kNone;
  Duration message_timeout = std::chrono::seconds(9);
  Duration partition_refresh = std::chrono::seconds(10);
};
void describe(config::Binder& b, ProducerConfig& c);
void validate(const ProducerConfig& c, config::Problems& problems);

}  // namespace spanway::kafka
