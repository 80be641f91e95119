#include "services/lib/kafka/producer_config.h"

namespace spanway::kafka {

void describe(config::Binder& b, ProducerConfig& c) {
  b.key("linger", c.linger,
        {.doc = "linger.ms: how long a record may wait for others of its partition.",
         .min = 0,
         .max = 1000});
  b.key(
      "queue_bytes_max", c.queue_bytes_max,
      {.doc = "Bytes that may wait for the brokers. A request gets room for all its records before "
              "the first is written, or is refused with UNAVAILABLE; one that is larger than this "
              "is written when nothing else waits.",
       .min = 1024 * 1024,
       .max = 2147483647.0 * 1024});
  b.key("record_bytes_max", c.record_bytes_max,
        {.doc = "Largest record; requests are split at item boundaries below it. With 64 KiB added "
                "it must fit the topics' max.message.bytes.",
         .min = 64 * 1024,
         .max = 64 * 1024 * 1024});
  b.key("compression", c.compression, {"none", "gzip", "snappy", "lz4", "zstd"},
        {.doc = "Compression of what is written to Kafka."});
  b.key(
      "message_timeout", c.message_timeout,
      {.doc = "delivery.timeout.ms: a record that no broker has confirmed for this long fails (the "
              "client retries).",
       .min = 1000,
       .max = 29000});
  b.key("partition_refresh", c.partition_refresh,
        {.doc = "Interval of requests for the number of partitions.", .min = 1000, .max = 600000});
}

void validate(const ProducerConfig& c, config::Problems& problems) {
  if (c.record_bytes_max > c.queue_bytes_max)
    problems.add(
        "producer.record_bytes_max",
        "must not be above producer.queue_bytes_max: such a record could never be written. "
        "Lower it, or raise producer.queue_bytes_max");
}

}  // namespace spanway::kafka
