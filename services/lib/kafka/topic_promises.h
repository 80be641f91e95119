// Compares the settings of a topic with the configured ones. Pure. Private to services/lib/kafka.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "services/lib/kafka/admin.h"

namespace spanway::kafka {

// Those of `spec.settings` that the topic's effective settings do not reach and that may be
// changed: a min.insync.replicas above the number of copies would stop producers.
std::map<std::string, std::string> weaker_settings(
    const TopicSpec& spec, const std::map<std::string, std::string>& settings,
    std::int32_t replication_factor);
// Adds weaker partition and replica counts to `report.weaker`.
void compare_numbers(const TopicSpec& spec, TopicReport& report);
// The same for the topic's effective settings, by name; fills in `report.min_insync_replicas`,
// `message_bytes_max`, `retention_ms` and its like, and `notes`. A setting that the brokers do not
// have is not compared.
void compare_settings(const TopicSpec& spec, const std::map<std::string, std::string>& settings,
                      TopicReport& report);

}  // namespace spanway::kafka
