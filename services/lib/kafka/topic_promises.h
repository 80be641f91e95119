// Compares the settings of a topic with the configured ones. Pure. Private to services/lib/kafka.
#pragma once

#include <map>
#include <string>

#include "services/lib/kafka/admin.h"

namespace spanway::kafka {

// Adds weaker partition and replica counts to `report.weaker`.
void compare_numbers(const TopicSpec& spec, TopicReport& report);
// The same for the topic's effective settings, by name; fills in `report.min_insync_replicas`,
// `message_bytes_max` and `notes`. A setting that the brokers do not have is not compared.
void compare_settings(const TopicSpec& spec, const std::map<std::string, std::string>& settings,
                      TopicReport& report);

}  // namespace spanway::kafka
