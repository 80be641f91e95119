#include "services/kafka-bridge/config.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "services/lib/base/ascii.h"
#include "services/lib/config/endpoint.h"
#include "services/lib/config/memory_limit.h"

namespace spanway::kafka_bridge {
namespace {

constexpr double kKiB = 1024;
constexpr double kMiB = 1024 * kKiB;

using config::mebibytes;

void check_headers(const std::vector<HeaderConfig>& headers, config::Problems& problems) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const std::string path = "destination.headers[" + std::to_string(i) + "]";
    const auto check = [&](const char* key, std::string problem) {
      if (!problem.empty()) problems.add(path + key, std::move(problem));
    };
    constexpr auto kUse = config::HeaderUse::kGrpc;
    check(".name", config::header_name_problem(headers[i].name, kUse));
    if (config::is_metadata_header(headers[i].name))
      check(".name", "is sent by the bridge itself; take it out");
    check(".value", config::header_value_problem(headers[i].value.reveal(), kUse));
    if (!seen.insert(to_lower(headers[i].name)).second)
      problems.add(path + ".name", "is a duplicate: header names are compared without case");
  }
}

void check_destination(const BridgeConfig& c, config::Problems& problems) {
  const DestinationConfig& d = c.destination;
  config::HostPort target;
  if (std::string problem = config::parse_host_port(d.endpoint, target); !problem.empty())
    problems.add("destination.endpoint", std::move(problem));
  check_headers(d.headers, problems);
  validate(d.tls, "destination.tls", problems);
}

void check_consumer(const BridgeConfig& c, config::Problems& problems) {
  validate(c.consumer.kafka, problems);
  if (c.consumer.signals.empty()) problems.add("consumer.signals", "needs at least one signal");
  std::set<std::string_view> seen;
  for (const std::string& signal : c.consumer.signals) {
    if (!seen.insert(signal).second) problems.add("consumer.signals", signal + " is listed twice");
  }
  if (c.consumer.retry.initial > c.consumer.retry.max) {
    problems.add("consumer.retry.initial", "must not be larger than retry.max");
  }
  const DeadLetterFallbackConfig& fallback = c.consumer.dead_letters.fallback;
  if (!fallback.topic.empty() && !fallback.file.empty()) {
    problems.add("consumer.dead_letters.fallback", "takes a topic or a file, not both");
  }
  for (const std::string* data :
       {&c.kafka.topics.traces, &c.kafka.topics.metrics, &c.kafka.topics.logs}) {
    if (fallback.topic != *data && fallback.topic != *data + c.kafka.dead_letter_suffix) continue;
    problems.add("consumer.dead_letters.fallback.topic",
                 "must be neither a signal's topic nor its dead-letter topic");
    break;
  }
  if (c.consumer.revoke_timeout > Duration::zero() &&
      c.consumer.revoke_timeout < c.destination.timeout) {
    problems.add("consumer.revoke_timeout",
                 "must not be below destination.timeout: what is in flight would be sent again; 0 "
                 "follows it");
  }
  if (c.destination.in_flight_max < c.consumer.max_in_flight_per_partition) {
    problems.add("destination.in_flight_max",
                 "must not be smaller than consumer.max_in_flight_per_partition");
  }
}

void check_producer(const BridgeConfig& c, config::Problems& problems) {
  validate(c.producer.kafka, problems);
  if (c.limits.item_bytes_max > c.producer.kafka.record_bytes_max) {
    problems.add("limits.item_bytes_max",
                 "must not be larger than producer.record_bytes_max: one item must fit a record");
  }
  validate(static_cast<const OtlpListenerConfig&>(c.otlp), "otlp", problems);
  validate(c.otlp.connections, "otlp", problems);
  if (c.producer.kafka.message_timeout >= c.limits.request_timeout) {
    problems.add("producer.message_timeout", "must be smaller than limits.request_timeout");
  }
}

void check_topics(const TopicsConfig& c, config::Problems& problems) {
  if (c.replication_factor > 0 && c.min_insync_replicas > c.replication_factor) {
    problems.add("topics.min_insync_replicas", "must not be larger than replication_factor");
  }
}

// The largest request or batch that must fit the budget, and why.
struct Need {
  std::uint64_t bytes = 0;
  const char* why = "";
};
Need largest_need(const BridgeConfig& c) {
  Need need;
  // Splitting a request by partition holds it twice.
  if (c.produces()) need = {2 * c.limits.body_bytes_max.bytes, "twice limits.body_bytes_max"};
  // A batch is kept for a retry while it is sent, and a quarter belongs to the destination.
  const std::uint64_t batches = 3 * c.consumer.batch.bytes_max.bytes;
  if (c.consumes() && batches > need.bytes) need = {batches, "three consumer.batch.bytes_max"};
  return need;
}

void check_memory(const BridgeConfig& c, config::Problems& problems) {
  const Need need = largest_need(c);
  if (need.bytes <= budget_bytes(c)) return;
  problems.add("memory_limit",
               "is " + mebibytes(c.memory_limit.bytes) + ", of which " +
                   mebibytes(config::kProcessBytes) + " for the process and " +
                   mebibytes(kafka_bytes(c)) + " for the Kafka clients leave " +
                   mebibytes(budget_bytes(c)) + " for requests; they need " +
                   mebibytes(need.bytes) + " (" + need.why + "). Raise it or lower one of them" +
                   (c.consumes() ? " (consumer.partitions_max, consumer.prefetch_bytes_max)" : ""));
}

}  // namespace

void describe(config::Binder& b, GrpcListenerConfig& c) {
  b.key("enabled", c.enabled, {.doc = "Serve OTLP/gRPC (mode produce)."});
  b.key("port", c.port, {.doc = "Port of OTLP/gRPC; 0 takes a free one."});
}

void describe(config::Binder& b, OtlpConfig& c) {
  describe_listener(b, c);
  b.section("grpc", c.grpc, "The OTLP/gRPC listener.");
  describe_connection_limits(b, c.connections);
  b.key("trust_metadata", c.trust_metadata,
        {.doc = "Take spanway-tenant and traceparent as sent. Only together with mTLS, a network "
                "policy or a loopback address: any client that can connect can name any tenant."});
}

void describe(config::Binder& b, LimitsConfig& c) {
  b.key("body_bytes_max", c.body_bytes_max,
        {.doc = "Largest request, decompressed.", .min = 64 * kKiB, .max = 1024 * kMiB});
  b.key("compressed_bytes_max", c.compressed_bytes_max,
        {.doc = "Largest compressed request.", .min = 64 * kKiB, .max = 1024 * kMiB});
  b.key("item_bytes_max", c.item_bytes_max,
        {.doc = "Largest span, metric or log record; larger ones are refused one by one.",
         .min = kKiB,
         .max = 64 * kMiB});
  b.key("prefix_bytes_max", c.prefix_bytes_max,
        {.doc = "Largest resource with scope; every part of a split request repeats it.",
         .min = kKiB,
         .max = 16 * kMiB});
  b.key("value_depth_max", c.value_depth_max,
        {.doc = "Nesting of attribute values. Readers of protobuf take 100 messages in one "
                "another, so arrays end at 47 and key-value lists at 31 even where this is more.",
         .min = 1,
         .max = 100});
  b.key("submessages_max", c.submessages_max,
        {.doc = "Submessages in one request.", .min = 1000, .max = 100e6});
  b.key("request_timeout", c.request_timeout,
        {.doc = "Longest time for one request.", .min = 1000, .max = 600e3});
}

void describe(config::Binder& b, ProduceConfig& c) {
  describe(b, c.kafka);
  b.key("record_key", c.record_key, {"none", "trace_id"},
        {.doc = "none = one record per partition and request, without a key; trace_id = one record "
                "per trace, with that key. Traces lie in the same partition either way."});
}

void describe(config::Binder& b, BatchConfig& c) {
  b.key("bytes_max", c.bytes_max,
        {.doc = "Size up to which records are joined to one request. OTLP/gRPC receivers refuse "
                "more than 4 MiB by default; raise it for ClickHouse and S3.",
         .min = 4 * kKiB,
         .max = 256 * kMiB});
  b.key("items_max", c.items_max, {.doc = "The same in items.", .min = 1, .max = 100e6});
  b.key("linger", c.linger,
        {.doc = "How long a batch that is not full waits for more.", .min = 0, .max = 60e3});
}

void describe(config::Binder& b, RetryConfig& c) {
  b.key("initial", c.initial, {.doc = "First wait before a retry.", .min = 1, .max = 60e3});
  b.key("max", c.max, {.doc = "Longest wait before a retry.", .min = 1, .max = 3600e3});
  b.key("retry_after_max", c.retry_after_max,
        {.doc = "Longest wait that a destination can ask for.", .min = 0, .max = 3600e3});
  b.key("stalled_max", c.stalled_max,
        {.doc = "Longest wait between probes of a destination that refuses everything.",
         .min = 100,
         .max = 3600e3});
  b.key("unknown_tries", c.unknown_tries,
        {.doc = "Tries before a batch is halved whose refusal says neither 'later' nor 'never'.",
         .min = 1,
         .max = 100});
}

void describe(config::Binder& b, DeadLetterFallbackConfig& c) {
  b.key("topic", c.topic,
        {.doc = "A second topic, for the dead letters of all signals.",
         .example = "otel.dlq.fallback",
         .pattern = "[A-Za-z0-9._-]{0,249}"});
  b.key("file", c.file,
        {.doc = "A file of JSON lines: topic, headers, value in base64. It is synced before an "
                "offset is committed and may be moved away at any time.",
         .example = "/var/lib/spanway/dead-letters.jsonl"});
  b.key("file_bytes_max", c.file_bytes_max,
        {.doc = "Largest size of that file; when it is reached, the letters wait.",
         .min = kMiB,
         .max = 1024 * 1024 * kMiB});
}

void describe(config::Binder& b, DeadLetterConfig& c) {
  b.key(
      "partial", c.partial, {"copy", "count"},
      {.doc = "When a destination takes a batch but refuses some of its items: keep a copy of the "
              "batch as dead letter, or only count them."});
  b.section("fallback", c.fallback,
            "Where dead letters go that their topic cannot take: it is missing, may not be "
            "written, or takes no record that holds a part of them. One of topic and file; without "
            "it the partition stalls.");
}

void describe(config::Binder& b, ConsumeConfig& c) {
  describe(b, c.kafka);
  b.key("destination", c.destination,
        {.doc = "Name of the destination: in dead letters, metrics and the group's name.",
         .pattern = "[A-Za-z0-9._-]{1,100}"});
  b.key("signals", c.signals, {.doc = "Which topics to read.", .pattern = "traces|metrics|logs"});
  b.section("batch", c.batch, "Joining records.");
  b.key("max_in_flight_per_partition", c.max_in_flight_per_partition,
        {.doc = "Batches of a partition that may be unanswered. With 1 each is sent after the one "
                "before "
                "it was answered; only batches that are refused meanwhile, and tried again, arrive "
                "later than their successors.",
         .min = 1,
         .max = 64});
  b.key("batch_identity", c.batch_identity,
        {.doc = "Plan batches in the commits, so that a restart repeats exactly the same ones, and "
                "name them in spanway-batch: for destinations that drop duplicates by it."});
  b.key("commit_interval", c.commit_interval,
        {.doc = "How often offsets are committed.", .min = 10, .max = 60e3});
  b.key("revoke_timeout", c.revoke_timeout,
        {.doc = "How long partitions that move to another replica may take to finish what is in "
                "flight; 0 = destination.timeout and 5 s more. Not below destination.timeout: what "
                "is not answered by then is sent again by the other replica.",
         .min = 0,
         .max = 700e3});
  b.section("retry", c.retry, "Trying again.");
  b.section("dead_letters", c.dead_letters, "Dead-letter topics: where refused items are kept.");
}

void describe(config::Binder& b, HeaderConfig& c) {
  b.key("name", c.name,
        {.doc = "Name of the metadata; the case makes no difference.",
         .required = true,
         .pattern = "[A-Za-z0-9_.-]{1,100}"});
  b.key("value", c.value,
        {.doc = "Its value; ${file:path} is read again every 5 s.",
         .example = "${env:TOKEN}",
         .reread = true});
}

void describe(config::Binder& b, DestinationConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "host:port that speaks OTLP/gRPC: a Spanway exporter, or any receiver."});
  describe_client(b, c);
  b.list("headers", c.headers, "Metadata sent with each request.");
  b.key("timeout", c.timeout, {.doc = "How long an answer may take.", .min = 100, .max = 600e3});
  b.key("in_flight_max", c.in_flight_max,
        {.doc = "Requests that may be unanswered, over all partitions.", .min = 1, .max = 10000});
}

void describe(config::Binder& b, TopicsConfig& c) {
  b.key("partitions", c.partitions,
        {.doc = "Partitions of each signal's topic. Topics grow up to it and never shrink.",
         .min = 1,
         .max = 10000});
  b.key("replication_factor", c.replication_factor,
        {.doc = "Copies of each record in new topics; 0 = the broker's default. 3 survives the "
                "loss of a "
                "broker.",
         .min = 0,
         .max = 32});
  b.key("min_insync_replicas", c.min_insync_replicas,
        {.doc = "Replicas that must have a record before it counts as written; 0 = the broker's "
                "default.",
         .min = 0,
         .max = 32});
  b.key("retention", c.retention,
        {.doc = "How long records are kept: the longest outage of a destination that loses "
                "nothing.",
         .min = 60e3,
         .max = 3650.0 * 86400e3});
  b.key("dead_letter_partitions", c.dead_letter_partitions,
        {.doc = "Partitions of each dead-letter topic.", .min = 1, .max = 1000});
  b.key("dead_letter_retention", c.dead_letter_retention,
        {.doc = "How long dead letters are kept.", .min = 60e3, .max = 3650.0 * 86400e3});
}

void describe(config::Binder& b, BridgeSections& sections) {
  BridgeConfig& c = sections.config;
  b.key("mode", c.mode, {"produce", "consume", "both"},
        {.doc = "produce: OTLP/gRPC to Kafka; consume: Kafka to a destination."});
  b.section("kafka", c.kafka, "The Kafka cluster.");
  b.key("create_topics", c.create_topics,
        {.doc = "Create missing topics at the start, as `topics apply` does. For development."});
  b.section("otlp", c.otlp, "The OTLP/gRPC listener (mode produce).");
  b.section("limits", c.limits, "Bounds of requests (mode produce).");
  b.section("producer", c.producer, "Writing to Kafka (mode produce).");
  b.section("consumer", c.consumer, "Reading from Kafka (mode consume).");
  b.section("destination", c.destination, "Where batches are sent (mode consume).");
  b.section("topics", c.topics, "Settings of the topics that `topics apply` creates and updates.");
}

void describe(config::Binder& b, BridgeConfig& c) {
  BridgeSections sections{c};
  describe(b, sections);
  config::describe_memory_limit(b, c.memory_limit);
}

void validate(const BridgeConfig& c, config::Problems& problems) {
  validate(c.kafka, problems);
  if (c.produces()) check_producer(c, problems);
  if (c.consumes()) {
    check_consumer(c, problems);
    check_destination(c, problems);
  }
  check_topics(c.topics, problems);
  check_memory(c, problems);
}

std::uint64_t kafka_bytes(const BridgeConfig& c) noexcept {
  std::uint64_t bytes = 0;
  if (c.produces()) bytes += kProducerBytes;
  if (c.consumes()) {
    const auto partitions = static_cast<std::uint64_t>(c.consumer.kafka.partitions_max);
    bytes += kafka::prefetch_bytes(c.consumer.kafka, partitions) + kDeadLetterQueueBytes;
  }
  return bytes;
}

std::uint64_t budget_bytes(const BridgeConfig& c) noexcept {
  if (c.budget_share > 0) return c.budget_share;
  return config::request_budget(c.memory_limit, kafka_bytes(c));
}

}  // namespace spanway::kafka_bridge
