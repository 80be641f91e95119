#include "operator/decide/statusz_report.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "operator/json/json.h"

namespace spanway::decide {
namespace {

using kube::Json;

// Bounds of one report; a pod that exceeds them is faulty.
constexpr std::size_t kTopicsMax = 256;
constexpr std::size_t kPartitionsMax = 10'000;
constexpr std::size_t kStallsMax = 256;
constexpr std::size_t kWeaknessesMax = 64;
constexpr std::size_t kCredentialErrorsMax = 16;
constexpr std::size_t kTextBytesMax = 1024;

std::string text_at(const Json& value, std::string_view path) {
  return kube::string_at(value, path).substr(0, kTextBytesMax);
}

double number_at(const Json& value, std::string_view path) {
  const Json* number = kube::find(value, path);
  if (number == nullptr || !number->is_number()) return 0;
  const double seconds = number->get<double>();
  return std::isfinite(seconds) && seconds > 0 ? seconds : 0;
}

void read_topics(const Json& root, StatuszReport& report) {
  const Json* list = kube::find(root, "topics");
  if (list == nullptr || !list->is_array()) return;
  for (const Json& topic : *list) {
    if (report.topics.size() == kTopicsMax) return;
    report.topics.push_back({.name = text_at(topic, "name"),
                             .partitions = kube::int_at(topic, "partitions"),
                             .error = text_at(topic, "error")});
  }
}

std::optional<std::int64_t> optional_int_at(const Json& value, std::string_view path) {
  const Json* number = kube::find(value, path);
  if (number == nullptr || !number->is_number_integer()) return std::nullopt;
  return number->get<std::int64_t>();
}

void read_topic_settings(const Json& root, StatuszReport& report) {
  const Json* list = kube::find(root, "topic_settings");
  if (list == nullptr || !list->is_array()) return;
  for (const Json& topic : *list) {
    if (report.topic_settings.size() == kTopicsMax) return;
    TopicSettingsReport settings{
        .name = text_at(topic, "name"),
        .partitions = kube::int_at(topic, "partitions"),
        .replication_factor = kube::int_at(topic, "replication_factor"),
        .min_insync_replicas = optional_int_at(topic, "min_insync_replicas"),
        .retention_ms = optional_int_at(topic, "retention_ms"),
        .retention_bytes = optional_int_at(topic, "retention_bytes"),
        .cleanup_policy = text_at(topic, "cleanup_policy")};
    if (const Json* unclean = kube::find(topic, "unclean_leader_election");
        unclean != nullptr && unclean->is_boolean())
      settings.unclean_leader_election = unclean->get<bool>();
    report.topic_settings.push_back(std::move(settings));
  }
}

void read_partitions(const Json& root, StatuszReport& report) {
  const Json* list = kube::find(root, "partitions");
  if (list == nullptr || !list->is_array()) return;
  for (const Json& partition : *list) {
    if (report.partitions.size() == kPartitionsMax) return;
    report.partitions.push_back(
        {.topic = text_at(partition, "topic"),
         .partition = static_cast<std::int32_t>(kube::int_at(partition, "partition")),
         .lag_messages = kube::int_at(partition, "lag_messages"),
         .lag_seconds = number_at(partition, "lag_seconds"),
         .stalled = kube::bool_at(partition, "stalled"),
         .reason = text_at(partition, "reason")});
  }
}

void read_stalls(const Json& root, StatuszReport& report) {
  const Json* list = kube::find(root, "stalls");
  if (list == nullptr || !list->is_array()) return;
  for (const Json& stall : *list) {
    if (report.stalls.size() == kStallsMax) return;
    report.stalls.push_back({.signal = text_at(stall, "signal"),
                             .tenant = text_at(stall, "tenant"),
                             .scope = text_at(stall, "scope"),
                             .reason = text_at(stall, "reason")});
  }
}

std::vector<std::string> texts_at(const Json& root, std::string_view path, std::size_t count_max) {
  std::vector<std::string> texts;
  const Json* list = kube::find(root, path);
  if (list == nullptr || !list->is_array()) return texts;
  for (const Json& one : *list) {
    if (texts.size() == count_max) break;
    if (one.is_string()) texts.push_back(one.get<std::string>().substr(0, kTextBytesMax));
  }
  return texts;
}

// Nothing when the object or its flag is missing: an older service does not report it.
std::optional<ActivityReport> activity_at(const Json& root, std::string_view name,
                                          std::string_view flag) {
  const Json* object = kube::find(root, name);
  if (object == nullptr || !object->is_object()) return std::nullopt;
  const Json* ok = kube::find(*object, flag);
  if (ok == nullptr || !ok->is_boolean()) return std::nullopt;
  return ActivityReport{.ok = ok->get<bool>(),
                        .error = text_at(*object, "last_error"),
                        .reason = text_at(*object, "last_error_reason")};
}

void read_activities(const Json& root, StatuszReport& report) {
  report.produce = activity_at(root, "produce", "ok");
  report.assignment = activity_at(root, "assignment", "ok");
  // A group has one reason, as text.
  if (report.assignment) report.assignment->error = text_at(root, "assignment/reason");
  report.store = activity_at(root, "store", "reachable");
  report.next = activity_at(root, "next", "reachable");
  // An ingress that has not sent anything yet: nothing speaks against its next hop.
  if (report.next && !report.next->ok && report.next->error.empty()) report.next.reset();
}

void read_destination(const Json& root, StatuszReport& report) {
  const Json* destination = kube::find(root, "destination");
  if (destination == nullptr || !destination->is_object()) return;
  report.has_destination = true;
  // An exporter that has not sent anything yet reports null: its destination counts as reachable.
  report.destination_reachable = kube::bool_at(*destination, "reachable", true);
  const Json* reachable = kube::find(*destination, "reachable");
  report.destination_known = reachable != nullptr && reachable->is_boolean();
  report.destination_error = text_at(*destination, "last_error");
  report.destination_error_reason = text_at(*destination, "last_error_reason");
  report.destination_endpoint = text_at(*destination, "endpoint");
  report.destination_degraded = kube::bool_at(*destination, "degraded");
}

}  // namespace

StatuszReport not_answered(std::string why) {
  StatuszReport report;
  report.error = std::move(why);
  return report;
}

StatuszReport parse_statusz(std::string_view body) {
  const auto parsed = kube::parse_json(body, kStatuszBytesMax);
  if (!parsed.ok()) return not_answered(parsed.error().message);
  if (!parsed->is_object()) return not_answered("/statusz is no JSON object");
  StatuszReport report;
  report.answered = true;
  if (const Json* ready = kube::find(*parsed, "ready"); ready != nullptr && ready->is_boolean())
    report.ready = ready->get<bool>();
  report.reason = text_at(*parsed, "reason");
  report.kafka_reachable = kube::bool_at(*parsed, "kafka/reachable");
  report.last_error = text_at(*parsed, "last_error");
  read_topics(*parsed, report);
  read_topic_settings(*parsed, report);
  read_partitions(*parsed, report);
  read_destination(*parsed, report);
  read_activities(*parsed, report);
  report.certificate_error = text_at(*parsed, "certificate_reload_error");
  read_stalls(*parsed, report);
  report.lost_records = std::max<std::int64_t>(0, kube::int_at(*parsed, "lost_records"));
  report.weaknesses = texts_at(*parsed, "weaknesses", kWeaknessesMax);
  report.credential_errors = texts_at(*parsed, "credential_errors", kCredentialErrorsMax);
  return report;
}

}  // namespace spanway::decide
