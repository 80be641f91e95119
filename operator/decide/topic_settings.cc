#include "operator/decide/topic_settings.h"

#include <chrono>
#include <optional>

#include "operator/render/render.h"

namespace spanway::decide {
namespace {

constexpr std::int64_t kForEver = -1;
// As services/lib/kafka/topic_promises.cc: a smaller partition loses records within minutes.
constexpr std::int64_t kRetentionBytesMin = std::int64_t{1} << 30;

std::int64_t in_ms(Duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

bool has_data_topic(const api::Topics& topics, const std::string& name) {
  for (const std::string* signal : {&topics.traces, &topics.metrics, &topics.logs})
    if (name == topics.prefix + *signal) return true;
  return false;
}

bool has_dead_letter_topic(const api::Topics& topics, const std::string& name) {
  const std::string& suffix = topics.dead_letter_suffix;
  return name.ends_with(suffix) &&
         has_data_topic(topics, name.substr(0, name.size() - suffix.size()));
}

class Comparison {
 public:
  void at_least(const char* setting, std::int64_t actual, std::int64_t required) {
    if (actual >= required) return;
    add(std::string(setting) + " is " + std::to_string(actual) + ", the spec requires " +
        std::to_string(required));
  }
  void add(const std::string& words) { words_ += (words_.empty() ? "" : "; ") + words; }
  const std::string& words() const { return words_; }

 private:
  std::string words_;
};

std::string compare(const api::Topics& topics, const TopicSettingsReport& found) {
  const bool is_data = has_data_topic(topics, found.name);
  if (!is_data && !has_dead_letter_topic(topics, found.name)) return "";
  Comparison comparison;
  if (found.retention_ms && *found.retention_ms != kForEver)
    comparison.at_least("retention.ms", *found.retention_ms,
                        in_ms(is_data ? topics.retention : topics.dead_letter_retention));
  if (found.min_insync_replicas && topics.min_insync_replicas > 0)
    comparison.at_least("min.insync.replicas", *found.min_insync_replicas,
                        topics.min_insync_replicas);
  // Numbers that are not known are 0.
  if (topics.replication_factor > 0 && found.replication_factor > 0)
    comparison.at_least("the replication factor", found.replication_factor,
                        topics.replication_factor);
  if (is_data && found.partitions > 0)
    comparison.at_least("the number of partitions", found.partitions, topics.partitions);
  if (found.unclean_leader_election == true)
    comparison.add("unclean.leader.election.enable is true");
  if (found.cleanup_policy.find("compact") != std::string::npos)
    comparison.add("cleanup.policy is " + found.cleanup_policy);
  if (found.retention_bytes && *found.retention_bytes >= 0 &&
      *found.retention_bytes < kRetentionBytesMin)
    comparison.add("retention.bytes is " + std::to_string(*found.retention_bytes));
  return comparison.words();
}

}  // namespace

std::string weaker_topic(const api::Topics& topics, const std::vector<ComponentView>& components,
                         const Reports& reports) {
  for (const ComponentView& view : components) {
    if (view.id.role != render::Role::kBridge && view.id.role != render::Role::kConsumer) continue;
    for (const PodView& pod : view.pods) {
      if (pod.deleting || pod.canary) continue;
      const auto report = reports.find(pod.name);
      if (report == reports.end() || !report->second.answered) continue;
      for (const TopicSettingsReport& topic : report->second.topic_settings) {
        const std::string words = compare(topics, topic);
        if (!words.empty()) return topic.name + ": " + words;
      }
    }
  }
  return "";
}

}  // namespace spanway::decide
