#include "services/lib/kafka/topic_promises.h"

#include <charconv>
#include <cstdint>
#include <optional>

namespace spanway::kafka {
namespace {

constexpr const char* kMinInsync = "min.insync.replicas";
constexpr const char* kTimestampType = "message.timestamp.type";
constexpr const char* kMessageBytes = "max.message.bytes";
// A partition limited to less than this loses unread records in an outage of minutes.
constexpr std::int64_t kRetentionBytesMin = std::int64_t{1} << 30;

template <typename Number>
std::optional<Number> number_in(const std::string& text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// True when `actual` is weaker than `configured`.
bool is_weaker(const std::string& setting, const std::string& actual,
               const std::string& configured) {
  if (actual == configured) return false;
  if (setting == "unclean.leader.election.enable") return actual == "true";
  const auto have = number_in<std::int64_t>(actual);
  const auto want = number_in<std::int64_t>(configured);
  if (!have || !want) return true;
  if (setting.starts_with("retention.")) {  // -1 = for ever.
    if (*have < 0) return false;
    if (*want < 0) return true;
  }
  return *have < *want;
}

// Settings that delete unread records, whatever the retention time.
void find_early_deletion(const TopicSpec& spec, const std::map<std::string, std::string>& settings,
                         TopicReport& report) {
  const auto policy = settings.find("cleanup.policy");
  report.compacted =
      policy != settings.end() && policy->second.find("compact") != std::string::npos;
  if (report.compacted && spec.keyed) {
    report.action = TopicReport::Action::kFailed;
    report.error = "topic " + spec.name + " has cleanup.policy=" + policy->second +
                   ": of the records of a trace Kafka would keep only the last one; set "
                   "cleanup.policy=delete, or producer.record_key: none";
  } else if (report.compacted) {
    report.weaker.push_back("cleanup.policy is " + policy->second +
                            ": Kafka refuses records without a key, and of each key keeps only the "
                            "last record; set it to delete");
  }
  const auto size = settings.find("retention.bytes");
  if (size == settings.end()) return;
  const auto bytes = number_in<std::int64_t>(size->second);
  if (!bytes || *bytes < 0 || *bytes >= kRetentionBytesMin) return;
  report.weaker.push_back(
      "retention.bytes is " + size->second +
      ": unread records are deleted once a partition has reached that size, before "
      "retention.ms has passed; set it to -1, or to more than an outage fills");
}

// Settings of topics that others have made, which weaken what was not configured.
void note_weak_settings(const TopicSpec& spec, const std::map<std::string, std::string>& settings,
                        TopicReport& report) {
  const auto type = settings.find(kTimestampType);
  if (type != settings.end() && type->second == "CreateTime") {
    report.notes.push_back(
        "message.timestamp.type is CreateTime: the retention counts from the producers' clocks, "
        "and "
        "one that is behind makes Kafka delete records that were answered OK; set it to "
        "LogAppendTime");
  }
  const auto size = settings.find(kMessageBytes);
  if (size == settings.end()) return;
  report.message_bytes_max = number_in<std::uint64_t>(size->second);
  if (!report.message_bytes_max || *report.message_bytes_max >= spec.record_bytes ||
      spec.settings.count(kMessageBytes) > 0) {
    return;
  }
  report.notes.push_back("max.message.bytes is " + size->second +
                         ": producer.record_bytes_max needs " + std::to_string(spec.record_bytes) +
                         ", so records are made smaller, and a larger item is rejected; raise the "
                         "one or lower the other");
}

void note_settings(const std::map<std::string, std::string>& settings, TopicReport& report) {
  const auto text_of = [&settings](const char* name) {
    const auto found = settings.find(name);
    return found == settings.end() ? std::string() : found->second;
  };
  report.retention_ms = number_in<std::int64_t>(text_of("retention.ms"));
  report.retention_bytes = number_in<std::int64_t>(text_of("retention.bytes"));
  report.cleanup_policy = text_of("cleanup.policy");
  if (const std::string unclean = text_of("unclean.leader.election.enable"); !unclean.empty())
    report.unclean_leader_election = unclean == "true";
}

}  // namespace

void compare_numbers(const TopicSpec& spec, TopicReport& report) {
  if (report.replication_factor < spec.replication_factor) {
    report.weaker.push_back("replication factor is " + std::to_string(report.replication_factor) +
                            ", configured " + std::to_string(spec.replication_factor));
  }
  if (report.partitions < spec.partitions) {
    report.weaker.push_back("has " + std::to_string(report.partitions) +
                            " partitions, configured " + std::to_string(spec.partitions));
  }
}

std::map<std::string, std::string> weaker_settings(
    const TopicSpec& spec, const std::map<std::string, std::string>& settings,
    std::int32_t replication_factor) {
  std::map<std::string, std::string> weaker;
  for (const auto& [name, configured] : spec.settings) {
    if (name == kTimestampType) continue;  // Its change would apply to records that wait already.
    const auto actual = settings.find(name);
    if (actual == settings.end() || !is_weaker(name, actual->second, configured)) continue;
    const auto number = number_in<std::int64_t>(configured);
    if (name == kMinInsync && number && *number > replication_factor) continue;
    weaker[name] = configured;
  }
  return weaker;
}

void compare_settings(const TopicSpec& spec, const std::map<std::string, std::string>& settings,
                      TopicReport& report) {
  for (const auto& [name, configured] : spec.settings) {
    if (name == kTimestampType) continue;  // A note, below.
    const auto actual = settings.find(name);
    if (actual == settings.end() || !is_weaker(name, actual->second, configured)) continue;
    report.weaker.push_back(name + " is " + actual->second + ", configured " + configured);
  }
  report.settings_read = true;
  note_settings(settings, report);
  find_early_deletion(spec, settings, report);
  note_weak_settings(spec, settings, report);
  const auto in_sync = settings.find(kMinInsync);
  if (in_sync == settings.end()) return;
  report.min_insync_replicas = number_in<std::int32_t>(in_sync->second);
  if (!report.min_insync_replicas || report.replication_factor <= 0 ||
      *report.min_insync_replicas <= report.replication_factor) {
    return;
  }
  // Brokers up to Kafka 3.6 refuse; later ones silently take the smaller of the two.
  const std::string factor = std::to_string(report.replication_factor);
  report.weaker.push_back(std::string(kMinInsync) + " is " + in_sync->second +
                          " but the replication factor is " + factor +
                          ": older brokers refuse every record, newer ones use " + factor +
                          "; raise the factor or lower the setting");
}

}  // namespace spanway::kafka
