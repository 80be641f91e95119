#include "services/lib/kafka/consumer_options.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdio>

namespace spanway::kafka {
namespace {

// A static member that returns gets its old partitions without a rebalance, also when it subscribes
// to other topics than before. So each subscription is another member: the id carries a fingerprint
// (FNV-1a) of the topics.
std::string instance_id(const std::string& id, std::vector<std::string> topics) {
  std::sort(topics.begin(), topics.end());
  std::uint32_t hash = 2166136261u;
  for (const std::string& topic : topics) {
    for (const char c : topic + ',') hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  }
  char text[16];
  std::snprintf(text, sizeof(text), ".%08x", hash);
  return id + text;
}

}  // namespace

std::optional<std::string> group_refusal(int code, const std::string& group) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return "not authorised to read as group " + group + ": grant READ on the group";
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
      return "group " + group +
             " has a member with another partition assignor: end it, or use a "
             "group of its own "
             "(consumer.group)";
    case RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
      return "group " + group + " has as many members as the brokers allow (group.max.size)";
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
      return "the brokers do not allow consumer.session_timeout "
             "(group.min.session.timeout.ms, group.max.session.timeout.ms)";
    default:
      return std::nullopt;
  }
}

namespace native {

void apply_consumer(Conf& conf, const ConsumerConfig& config,
                    const std::vector<std::string>& topics) {
  const auto milliseconds = [](Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  };
  const auto bytes = [](config::ByteSize size) { return static_cast<std::int64_t>(size.bytes); };
  conf.set("group.id", config.group);
  if (!config.group_instance_id.empty()) {
    conf.set("group.instance.id", instance_id(config.group_instance_id, topics));
  }
  conf.set("partition.assignment.strategy", "cooperative-sticky");
  conf.set("session.timeout.ms", milliseconds(config.session_timeout));
  conf.set("heartbeat.interval.ms", milliseconds(config.heartbeat_interval));
  conf.set("enable.auto.commit", "false");
  conf.set("enable.auto.offset.store", "false");
  // Partitions are always assigned at an explicit offset, so this decides only about offsets that
  // the log no longer has: the reader checks the jump and reports what was lost.
  conf.set("auto.offset.reset", "earliest");
  conf.set("isolation.level", config.isolation == ConsumerConfig::Isolation::kReadCommitted
                                  ? "read_committed"
                                  : "read_uncommitted");
  conf.set("check.crcs", "true");
  conf.set("enable.partition.eof",
           "true");  // Also behind markers and deleted records.
  conf.set("allow.auto.create.topics", "false");
  conf.set("fetch.queue.backoff.ms", 10);
  conf.set("queued.max.messages.kbytes", bytes(config.prefetch_bytes_max) >> 10);
  // Grows once it is known how far records are compressed. message.max.bytes must not be larger.
  conf.set("message.max.bytes", 1000);
  conf.set("max.partition.fetch.bytes", bytes(config.partition_fetch_bytes_max));
  conf.set("receive.message.max.bytes",
           std::max<std::int64_t>(bytes(config.fetch_bytes_max) + 512, 100'000'000));
}

}  // namespace native
}  // namespace spanway::kafka
