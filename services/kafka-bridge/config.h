// The configuration of the bridge: structs, their keys and their rules. No transport, so that the
// operator can link it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/lib/base/clock.h"
#include "services/lib/base/secret.h"
#include "services/lib/config/binder.h"
#include "services/lib/endpoint_config/listener_config.h"
#include "services/lib/endpoint_config/otlp_grpc_client_config.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/kafka/consumer_config.h"
#include "services/lib/kafka/producer_config.h"

namespace spanway::kafka_bridge {

enum class Mode { kProduce, kConsume, kBoth };

struct GrpcListenerConfig {
  bool enabled = true;
  std::uint16_t port = 4327;
};

struct OtlpConfig : OtlpListenerConfig {
  GrpcListenerConfig grpc;
  ConnectionLimitsConfig connections;  // Its keys are on the same level as the others.
  // Take spanway-tenant and traceparent as sent. Only where no other client than our ingress can
  // connect.
  bool trust_metadata = false;
};

struct LimitsConfig {
  config::ByteSize body_bytes_max{64u << 20};
  config::ByteSize compressed_bytes_max{16u << 20};
  config::ByteSize item_bytes_max{900u << 10};
  config::ByteSize prefix_bytes_max{64u << 10};
  std::int64_t value_depth_max = 32;
  std::int64_t submessages_max = 4'000'000;
  Duration request_timeout = std::chrono::seconds(30);
};

struct ProduceConfig {
  kafka::ProducerConfig kafka;
  enum class RecordKey { kNone, kTraceId } record_key = RecordKey::kNone;
};

struct BatchConfig {
  // OTLP/gRPC receivers refuse more than 4 MiB by default.
  config::ByteSize bytes_max{3584u << 10};
  std::int64_t items_max = 50'000;
  Duration linger = std::chrono::milliseconds(5);
};

struct RetryConfig {
  Duration initial = std::chrono::milliseconds(100);
  Duration max = std::chrono::seconds(30);
  // The longest wait a destination can ask for.
  Duration retry_after_max = std::chrono::minutes(1);
  // Between probes of a stalled partition, at most.
  Duration stalled_max = std::chrono::seconds(30);
  // How often a batch is tried whose refusal says neither "later" nor "never".
  std::int64_t unknown_tries = 5;
};

// Where a dead letter goes that its topic cannot take. Both empty = nowhere: the partition stalls.
struct DeadLetterFallbackConfig {
  std::string topic;
  std::string file;
  config::ByteSize file_bytes_max{1024u << 20};
};

struct DeadLetterConfig {
  // A batch of which the destination has rejected some items: copied or only counted.
  enum class Partial { kCopy, kCount } partial = Partial::kCopy;
  DeadLetterFallbackConfig fallback;
};

struct ConsumeConfig {
  kafka::ConsumerConfig kafka;
  std::string destination = "default";  // For dead letters, metrics and the group's name.
  std::vector<std::string> signals = {"traces", "metrics", "logs"};
  BatchConfig batch;
  // Batches of one partition that are sent and not answered. 1 = delivery in order.
  std::int64_t max_in_flight_per_partition = 8;
  bool batch_identity = false;
  Duration commit_interval = std::chrono::seconds(1);
  Duration revoke_timeout{};  // Zero = effective_revoke_timeout().
  RetryConfig retry;
  DeadLetterConfig dead_letters;

  // `kafka.group`, or the one that follows from the destination.
  std::string group() const { return kafka.group.empty() ? "spanway-" + destination : kafka.group; }
};

struct HeaderConfig {
  std::string name;
  Secret value;
};

struct DestinationConfig : OtlpGrpcClientConfig {
  DestinationConfig() { endpoint = "127.0.0.1:4337"; }
  std::vector<HeaderConfig> headers;
  Duration timeout = std::chrono::seconds(30);
  std::int64_t in_flight_max = 256;
};

struct TopicsConfig {
  std::int64_t partitions = 12;
  std::int64_t replication_factor = 0;   // 0 = the broker's default.
  std::int64_t min_insync_replicas = 0;  // 0 = the broker's default.
  Duration retention = std::chrono::hours(24);
  std::int64_t dead_letter_partitions = 1;
  Duration dead_letter_retention = std::chrono::hours(24 * 14);
};

struct BridgeConfig {
  Mode mode = Mode::kProduce;
  kafka::ClientConfig kafka;
  bool create_topics = false;
  OtlpConfig otlp;
  LimitsConfig limits;
  ProduceConfig producer;
  ConsumeConfig consumer;
  DestinationConfig destination;
  TopicsConfig topics;
  config::ByteSize memory_limit{512u << 20};
  // Set by the caller, not by the configuration, where other services share the process: the part
  // of its budget that is the bridge's. 0 = what follows from memory_limit.
  std::uint64_t budget_share = 0;

  bool produces() const noexcept { return mode != Mode::kConsume; }
  bool consumes() const noexcept { return mode != Mode::kProduce; }
};

// How long revoked partitions may finish what is in flight: never shorter than the destination may
// take to answer, or the member that gets them next sends it again.
constexpr Duration effective_revoke_timeout(const BridgeConfig& c) noexcept {
  if (c.consumer.revoke_timeout > Duration::zero()) return c.consumer.revoke_timeout;
  return c.destination.timeout + std::chrono::seconds(5);
}

// Bytes that librdkafka holds for a producer besides the records, which their requests' permits
// cover.
inline constexpr std::uint64_t kProducerBytes = 16u << 20;
// The queue of the producer that writes dead letters.
inline constexpr std::uint64_t kDeadLetterQueueBytes = 16u << 20;

// Bytes that librdkafka may hold in this mode outside of any permit.
std::uint64_t kafka_bytes(const BridgeConfig& c) noexcept;
// Bytes that permits may cover: requests of clients and batches on their way to the destination.
std::uint64_t budget_bytes(const BridgeConfig& c) noexcept;

// All but memory_limit: a process of several services has one for all.
struct BridgeSections {
  BridgeConfig& config;
};
void describe(config::Binder& b, BridgeSections& sections);
void describe(config::Binder& b, BridgeConfig& c);
void validate(const BridgeConfig& c, config::Problems& problems);

}  // namespace spanway::kafka_bridge
