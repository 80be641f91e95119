// Topics as the brokers describe them. Private to services/lib/kafka.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <map>
#include <string>

namespace spanway::kafka {

// A topic as the brokers describe it.
struct Existing {
  std::int32_t partitions = 0;
  std::int32_t replication_factor = 0;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
};
using Topics = std::map<std::string, Existing>;

// Those that exist, and those that may not be described.
Topics read_descriptions(rd_kafka_event_t* event);
bool exists(const Topics& topics, const std::string& name);

}  // namespace spanway::kafka
