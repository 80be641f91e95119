#include "services/lib/kafka/producer_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>

namespace spanway::kafka {

ProduceAdmission::Limits admission_limits(const ClientConfig& client,
                                          const ProducerConfig& config) {
  ProduceAdmission::Limits limits;
  limits.bytes_max = static_cast<std::size_t>(config.queue_bytes_max.bytes);
  const auto raw = client.librdkafka.find("queue.buffering.max.messages");
  if (raw != client.librdkafka.end()) {
    std::size_t records = 0;
    const std::string& text = raw->second;
    std::from_chars(text.data(), text.data() + text.size(), records);
    if (records > 0) limits.records_max = records;
  }
  return limits;
}

namespace native {

std::size_t batch_bytes_for(std::size_t message_bytes_max) noexcept {
  constexpr std::size_t kFramingBytes = 512;  // Counted by the brokers, and not by librdkafka.
  return std::min(message_bytes_max - std::min(message_bytes_max / 2, kFramingBytes), kBatchBytes);
}

void apply_producer(Conf& conf, const ProducerConfig& config, std::size_t batch_bytes_max) {
  constexpr std::array<const char*, 5> kCodecs = {"none", "gzip", "snappy", "lz4", "zstd"};
  constexpr std::uint64_t kRecordOverheadBytes = 64u << 10;  // Key, headers, framing.
  const auto milliseconds = [](Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  };
  conf.set("enable.idempotence", "true");
  conf.set("acks", "all");
  conf.set("max.in.flight.requests.per.connection", 5);
  conf.set("linger.ms", milliseconds(config.linger));
  conf.set("message.timeout.ms", milliseconds(config.message_timeout));
  // The bounds are those of ProduceAdmission: librdkafka's could be reached within a request.
  conf.set("queue.buffering.max.kbytes", std::numeric_limits<std::int32_t>::max());
  // A metadata request must not create a topic, whatever the brokers allow: it would have their
  // default partitions and replicas.
  conf.set("allow.auto.create.topics", "false");
  conf.set("message.max.bytes",
           static_cast<std::int64_t>(config.record_bytes_max.bytes + kRecordOverheadBytes));
  conf.set("batch.size", static_cast<std::int64_t>(batch_bytes_max));
  conf.set("compression.type", kCodecs[static_cast<std::size_t>(config.compression)]);
  conf.set("delivery.report.only.error", "false");
}

}  // namespace native
}  // namespace spanway::kafka
