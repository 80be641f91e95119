#include "services/lib/kafka/consumer_config.h"

namespace spanway::kafka {

void describe(config::Binder& b, ConsumerConfig& c) {
  b.key("group", c.group,
        {.doc = "Consumer group; empty = spanway-<destination>. One group per destination.",
         .pattern = "[A-Za-z0-9._-]{0,255}"});
  b.key("group_instance_id", c.group_instance_id,
        {.doc = "group.instance.id, stable per replica: a restart in place then keeps its "
                "partitions. Must be unique: a second holder ends the first. A fingerprint of the "
                "topics "
                "is added.",
         .example = "${env:POD_NAME}",
         .pattern = "[A-Za-z0-9._-]{0,240}"});
  b.key("start_from", c.start_from, {"latest", "earliest"},
        {.doc =
             "Start of a new group; committed at once. A partition or a topic that is added to the "
             "group later is read from its beginning."});
  b.key("isolation", c.isolation, {"read_uncommitted", "read_committed"},
        {.doc = "isolation.level: read_uncommitted also reads records of open and aborted "
                "transactions."});
  b.key(
      "session_timeout", c.session_timeout,
      {.doc = "Without a heartbeat for this long, Kafka reassigns this member's partitions "
              "(session.timeout.ms). Keep it well above the brokers' own "
              "broker.session.timeout.ms (9s), or the crash of one broker costs the group all its "
              "partitions.",
       .min = 6000,
       .max = 300000});
  b.key("heartbeat_interval", c.heartbeat_interval,
        {.doc = "Interval of heartbeats to the group (heartbeat.interval.ms).",
         .min = 500,
         .max = 60000});
  b.key(
      "prefetch_bytes_max", c.prefetch_bytes_max,
      {.doc = "Bytes fetched ahead per partition.", .min = 64 * 1024, .max = 1024.0 * 1024 * 1024});
  b.key("partition_fetch_bytes_max", c.partition_fetch_bytes_max,
        {.doc = "Bytes of one partition in one fetch.",
         .min = 64 * 1024,
         .max = 1000.0 * 1000 * 1000});
  b.key("fetch_bytes_max", c.fetch_bytes_max,
        {.doc = "Bytes of one fetch.", .min = 64 * 1024, .max = 1000.0 * 1000 * 1000});
  b.key("partitions_max", c.partitions_max,
        {.doc = "Partitions that may be assigned to one process; for the memory check.",
         .min = 1,
         .max = 10000});
}

void validate(const ConsumerConfig& c, config::Problems& problems) {
  if (c.heartbeat_interval * 3 > c.session_timeout) {
    problems.add("consumer.heartbeat_interval", "must be at most a third of session_timeout");
  }
  if (c.fetch_bytes_max < c.partition_fetch_bytes_max) {
    problems.add("consumer.fetch_bytes_max", "must not be smaller than partition_fetch_bytes_max");
  }
}

}  // namespace spanway::kafka
