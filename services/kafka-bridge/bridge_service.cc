#include "services/kafka-bridge/bridge_service.h"

#include <charconv>
#include <future>
#include <limits>
#include <utility>

#include "services/kafka-bridge/exporter_client_options.h"
#include "services/kafka-bridge/signal_topics.h"
#include "services/kafka-bridge/topics.h"
#include "services/lib/base/thread.h"
#include "services/lib/kafka/admin.h"
#include "services/lib/kafka/clock_watch.h"
#include "services/lib/rpc/otlp_grpc_sink.h"
#include "services/lib/sinks/file_ops.h"

namespace spanway::kafka_bridge {
namespace {

constexpr Duration kTick = std::chrono::seconds(1);
// Committing and leaving the group come after the last batch.
constexpr Duration kLeaveTime = std::chrono::seconds(4);
// For a topic's max.message.bytes; dead letters wait for it.
constexpr Duration kSettingsTimeout = std::chrono::seconds(5);
// Headers and framing: topics leave room for them beyond producer.record_bytes_max.
constexpr std::size_t kRecordOverheadBytes = 64u << 10;

bool keys_records(const BridgeConfig& config) {
  return config.producer.record_key == ProduceConfig::RecordKey::kTraceId;
}

otlp::ScanLimits scan_limits(const LimitsConfig& c) {
  otlp::ScanLimits limits;
  limits.request_bytes_max = c.body_bytes_max.bytes;
  limits.prefix_bytes_max = c.prefix_bytes_max.bytes;
  limits.item_bytes_max = c.item_bytes_max.bytes;
  limits.value_depth_max = static_cast<std::size_t>(c.value_depth_max);
  limits.submessages_max = static_cast<std::size_t>(c.submessages_max);
  return limits;
}

runtime::Statusz::Activity to_statusz(const Activity& activity) {
  return {.count = activity.count, .last = activity.last};
}

runtime::Statusz::Partition to_statusz(const PartitionStatus& status) {
  std::vector<runtime::Statusz::Batch> batches;
  for (const PartitionLane::BatchState& batch : status.batches) {
    batches.push_back({.first_offset = batch.offsets.first,
                       .last_offset = batch.offsets.last,
                       .tenant = batch.tenant,
                       .attempts = static_cast<int>(batch.attempts),
                       .waits_for = batch.waits_for,
                       .age = batch.age});
  }
  std::vector<runtime::Statusz::Tenant> tenants;
  for (const PartitionLane::TenantState& tenant : status.tenants) {
    tenants.push_back({.tenant = tenant.tenant,
                       .in_flight = tenant.in_flight,
                       .waiting = tenant.waiting,
                       .slow = tenant.slow,
                       .stalled = tenant.stalled,
                       .left_in_kafka = tenant.left_in_kafka,
                       .unanswered = tenant.unanswered});
  }
  return {.topic = status.partition.topic,
          .partition = status.partition.partition,
          .lag_messages = status.lag_messages,
          .lag_seconds = status.lag_seconds,
          .in_flight = status.in_flight,
          .stalled = status.stalled,
          .reason = status.reason,
          .committed_offset = status.committed,
          .batches = std::move(batches),
          .tenants = std::move(tenants)};
}

runtime::Statusz::TopicSettings to_statusz(const kafka::TopicReport& topic) {
  return {.name = topic.name,
          .partitions = topic.partitions,
          .replication_factor = topic.replication_factor,
          .min_insync_replicas = topic.min_insync_replicas,
          .retention_ms = topic.retention_ms,
          .retention_bytes = topic.retention_bytes,
          .unclean_leader_election = topic.unclean_leader_election,
          .cleanup_policy =
              topic.cleanup_policy.empty() ? std::nullopt : std::optional(topic.cleanup_policy)};
}

runtime::Statusz::Stall to_statusz(const StallStatus& stall) {
  return {.signal = std::string(otlp::to_string(stall.signal)),
          .tenant = stall.tenant,
          .scope = std::string(to_string(stall.scope)),
          .reason = stall.reason,
          .age = stall.age};
}

runtime::Statusz::Items to_statusz(otlp::Signal signal, const ItemTotals& totals) {
  return {.signal = std::string(otlp::to_string(signal)),
          .read = totals.read,
          .delivered = totals.delivered,
          .rejected = totals.rejected,
          .dead_lettered = totals.dead_lettered,
          .released = totals.released,
          .in_flight = totals.in_flight};
}

}  // namespace

BridgeService::BridgeService(BridgeConfig config, const runtime::ServiceDeps& deps)
    : config_(std::move(config)),
      deps_(deps),
      budget_(static_cast<std::size_t>(budget_bytes(config_)), deps.memory),
      index_memory_(budget_, budget_.limit()),
      topic_admin_(config_.kafka, deps.clock, deps.telemetry),
      loop_("kafka-bridge", deps.clock) {}

Result<std::unique_ptr<BridgeService>> BridgeService::create(
    BridgeConfig config, const runtime::ServiceDeps& deps, pipeline::Sink* in_process_destination) {
  std::unique_ptr<BridgeService> self(new BridgeService(std::move(config), deps));
  if (self->config_.produces()) SPANWAY_TRY(self->create_producing());
  if (self->config_.consumes()) SPANWAY_TRY(self->create_consuming(in_process_destination));
  return self;
}

Status BridgeService::create_producing() {
  auto producer =
      kafka::Producer::create(config_.kafka, config_.producer.kafka, deps_.clock, deps_.telemetry);
  if (!producer.ok()) return std::move(producer).error();
  producer_ = std::move(producer).value();
  KafkaSinkOptions options;
  options.topics = config_.kafka.topics;
  options.limits = scan_limits(config_.limits);
  options.index_memory = &index_memory_;
  options.record_bytes_max = config_.producer.kafka.record_bytes_max.bytes;
  options.key_by_trace = config_.producer.record_key == ProduceConfig::RecordKey::kTraceId;
  options.message_timeout = config_.producer.kafka.message_timeout;
  kafka_sink_ = std::make_unique<KafkaSink>(std::move(options), *producer_, deps_.io.executor(0),
                                            deps_.telemetry);
  if (keys_records(config_)) {
    for (const otlp::Signal signal : otlp::kSignals) {
      kafka_sink_->refuse_signal(
          signal, unavailable("whether the topic is compacted is not known yet: no broker has "
                              "answered")
                      .with_reason("kafka_unverified_topic"));
    }
  }
  if (!config_.otlp.grpc.enabled) return ok_status();
  SPANWAY_ASSIGN(listener_,
                 otlp_server::OtlpListener::create(
                     {config_.otlp, otlp_server::server_limits(config_.otlp.connections,
                                                               config_.limits.request_timeout)},
                     deps_, budget_));
  gatekeeper_ = config_.otlp.trust_metadata ? rpc::trusting_gatekeeper() : rpc::plain_gatekeeper();
  rpc::ExportServiceOptions service;
  service.message_bytes_max = config_.limits.body_bytes_max.bytes;
  service.compressed_bytes_max = config_.limits.compressed_bytes_max.bytes;
  service.deadline_max = config_.limits.request_timeout;
  handler_ = std::make_unique<rpc::ExportService>(service, *kafka_sink_, *gatekeeper_, budget_,
                                                  deps_.clock, deps_.telemetry, "otlp_grpc");
  return deps_.check != nullptr ? listen() : ok_status();
}

Status BridgeService::create_consuming(pipeline::Sink* in_process_destination) {
  destination_ = in_process_destination;
  if (destination_ == nullptr) {
    auto sink = rpc::OtlpGrpcSink::create(exporter_client_options(config_.destination), deps_.clock,
                                          deps_.telemetry);
    if (!sink.ok()) return std::move(sink).error().with_context("destination");
    network_destination_ = std::move(sink).value();
    destination_ = network_destination_.get();
  }
  SPANWAY_TRY(create_dead_letters());
  kafka::ConsumerConfig consumer = config_.consumer.kafka;
  consumer.group = config_.consumer.group();
  consumer.read_delay = config_.consumer.batch.linger;
  consumer.marker_suffix = config_.kafka.dead_letter_suffix;
  const ConsumerGroupDeps deps{loop_,   *destination_,   *dead_letters_,
                               budget_, deps_.telemetry, Random::from_entropy()};
  SPANWAY_ASSIGN(
      group_,
      ConsumerGroup::create(
          config_, deps,
          [this, &consumer](std::vector<std::string> topics, kafka::ConsumerListener& listener) {
            return kafka::Consumer::create(config_.kafka, consumer, std::move(topics), loop_,
                                           listener, deps_.telemetry);
          }));
  return ok_status();
}

Status BridgeService::create_dead_letters() {
  kafka::ProducerConfig producer = config_.producer.kafka;
  producer.queue_bytes_max = {kDeadLetterQueueBytes};
  producer.record_bytes_max = {kDeadLetterQueueBytes};
  SPANWAY_ASSIGN(dead_letter_producer_,
                 kafka::Producer::create(dead_letter_client(config_.kafka), producer, deps_.clock,
                                         deps_.telemetry));
  dead_letter_loop_ = std::make_unique<Loop>("dead-letters", deps_.clock);
  KafkaDeadLettersOptions options;
  options.topics = config_.kafka.topics;
  options.suffix = config_.kafka.dead_letter_suffix;
  options.destination = config_.consumer.destination;
  options.group = config_.consumer.group();
  options.record_bytes_assumed =
      config_.producer.kafka.record_bytes_max.bytes + kRecordOverheadBytes;
  const DeadLetterFallbackConfig& fallback = config_.consumer.dead_letters.fallback;
  options.fallback_topic = fallback.topic;
  options.fallback_file = fallback.file;
  if (!fallback.file.empty()) {
    if (const int error = sinks::posix_file_ops().check(fallback.file); error != 0) {
      return sinks::file_error(error, "append to", fallback.file)
          .with_context("consumer.dead_letters.fallback.file");
    }
  }
  options.fallback_file_bytes_max = fallback.file_bytes_max.bytes;
  dead_letters_ = std::make_unique<KafkaDeadLetters>(
      std::move(options),
      KafkaDeadLettersDeps{
          *dead_letter_loop_, *dead_letter_producer_, budget_, sinks::posix_file_ops(),
          [this](const std::string& topic) { return read_size_limit(topic); }, deps_.telemetry});
  return ok_status();
}

Result<std::size_t> BridgeService::read_size_limit(const std::string& topic) const {
  SPANWAY_ASSIGN(const auto settings,
                 kafka::TopicAdmin(config_.kafka, deps_.clock, deps_.telemetry)
                     .read_settings(topic, Deadline::after(deps_.clock, kSettingsTimeout)));
  const auto found = settings.find("max.message.bytes");
  std::size_t bytes = 0;
  if (found != settings.end()) {
    const char* end = found->second.data() + found->second.size();
    if (std::from_chars(found->second.data(), end, bytes).ptr == end) return bytes;
  }
  return unknown_error(Code::kInternal, "topic " + topic + " has no max.message.bytes");
}

BridgeService::~BridgeService() {
  stop_accepting();
  if (topic_watch_) topic_watch_->stop();
  drain(Deadline::after(deps_.clock, Duration::zero()));
  loop_.stop();
  if (dead_letter_loop_) dead_letter_loop_->stop();
}

Status BridgeService::listen() {
  SPANWAY_TRY(listener_->listen_grpc(config_.otlp.grpc.port, *handler_));
  listener_->start();
  grpc_port_ = listener_->port("otlp_grpc");
  listener_->keep_tls_fresh(loop_, [this](const Result<bool>& changed) {
    http::log_tls_reload(deps_.telemetry.log, "kafka_bridge.tls_reload", {"listener", "otlp_grpc"},
                         changed);
  });
  return ok_status();
}

Status BridgeService::start() {
  watch_topics();
  if (handler_) SPANWAY_TRY(listen());
  started_ = true;
  loop_.post([this] { tick(); });
  if (!group_) return ok_status();
  auto answer = std::make_shared<std::promise<Status>>();
  std::future<Status> started = answer->get_future();
  loop_.post([this, answer] { answer->set_value(group_->start()); });
  return started.get();
}

void BridgeService::watch_topics() {
  std::vector<otlp::Signal> signals(otlp::kSignals.begin(), otlp::kSignals.end());
  if (!config_.produces()) signals = signals_of(config_.consumer);
  topic_watch_ = std::make_unique<TopicWatch>(
      TopicWatch::Requests{[this, signals](kafka::TopicChanges changes, Duration timeout) {
                             return topic_admin_.apply(topic_specs(config_, signals), changes,
                                                       Deadline::after(deps_.clock, timeout));
                           },
                           [this] { topic_admin_.disconnect(); },
                           [this] { topic_admin_.cancel(); }},
      [this](const TopicWatch::Reports& reports) { check_topics(reports); }, deps_.telemetry,
      TopicWatch::Intervals{});
  // Records with keys are not taken before the topics are known not to be compacted.
  topic_watch_->start(config_.create_topics,
                      config_.create_topics || (kafka_sink_ && keys_records(config_)));
}

// Records of several requests are written together: the smallest limit holds for all topics.
void BridgeService::apply_size_limits(const TopicWatch::Reports& reports) {
  std::uint64_t smallest = std::numeric_limits<std::uint64_t>::max();
  for (const otlp::Signal signal : otlp::kSignals) {
    const std::string& topic = topic_of(config_.kafka.topics, signal);
    for (const kafka::TopicReport& report : reports) {
      if (report.name != topic || !report.message_bytes_max) continue;
      kafka_sink_->limit_records(signal, *report.message_bytes_max);
      smallest = std::min(smallest, *report.message_bytes_max);
    }
  }
  producer_->limit_batches(smallest);
}

void BridgeService::check_topics(const TopicWatch::Reports& reports) {
  if (!kafka_sink_) return;
  apply_size_limits(reports);
  if (!keys_records(config_)) return;
  for (const otlp::Signal signal : otlp::kSignals) {
    const std::string& topic = topic_of(config_.kafka.topics, signal);
    for (const kafka::TopicReport& report : reports) {
      if (report.name != topic) continue;
      if (report.compacted) {
        kafka_sink_->refuse_signal(signal,
                                   configuration_error(Code::kFailedPrecondition, report.error)
                                       .with_reason("kafka_compacted_topic"));
      } else if (report.settings_read || !report.unread.empty()) {
        kafka_sink_->refuse_signal(signal, std::nullopt);
      } else if (!report.error.empty()) {
        kafka_sink_->refuse_signal(
            signal, unavailable("whether the topic is compacted is not known: " + report.error)
                        .with_reason("kafka_unverified_topic"));
      }
    }
  }
}

void BridgeService::tick() {
  if (kafka_sink_) kafka_sink_->events().memory(budget_.used(), budget_.limit());
  loop_.post_after(kTick, [this] { tick(); });
}

void BridgeService::shed_load() {
  if (!started_) return;
  if (listener_) listener_->shed_connections();
  if (group_) loop_.post([this] { group_->shed_load(); });
}

void BridgeService::stop_accepting() {
  stopping_ = true;
  if (listener_) listener_->stop_accepting();
}

bool BridgeService::drain(Deadline deadline) {
  bool clean = true;
  if (listener_) clean = listener_->drain(deadline) && clean;
  if (kafka_sink_) clean = kafka_sink_->drain(deadline) && clean;
  if (group_) clean = drain_consuming(deadline) && clean;
  if (network_destination_) clean = network_destination_->drain(deadline) && clean;
  return clean;
}

bool BridgeService::drain_consuming(Deadline deadline) {
  if (std::exchange(consuming_drained_, true)) return true;
  auto answer = std::make_shared<std::promise<bool>>();
  std::future<bool> drained = answer->get_future();
  const Duration left = deadline.remaining(deps_.clock.now());
  const Duration timeout = left > 2 * kLeaveTime ? left - kLeaveTime : left / 2;
  loop_.post([this, answer, timeout] {
    group_->drain(timeout, [answer](bool clean) { answer->set_value(clean); });
  });
  const bool clean =
      drained.wait_for(left + kLeaveTime) == std::future_status::ready && drained.get();
  // Nothing of the group may run while it is taken down.
  loop_.stop();
  return clean;
}

runtime::Service::Readiness BridgeService::readiness() const {
  if (stopping_) return {false, "stopping"};
  if (const Status status = fatal(); !status.ok()) return {false, status.error().message};
  const bool connected = (!producer_ || producer_->connected_once()) &&
                         (!group_ || group_->consumer().connected_once());
  if (connected && group_ && group_->consumer().never_admitted()) {
    return {false, group_->consumer().assignment().reason};
  }
  if (connected) return {true, ""};
  const std::string error = last_error();
  return {false, "Kafka has not answered yet" + (error.empty() ? "" : ": " + error)};
}

Status BridgeService::fatal() const { return group_ ? group_->fatal() : ok_status(); }

std::string BridgeService::last_error() const {
  if (const Status status = fatal(); !status.ok()) return status.error().message;
  if (kafka_sink_) {
    if (std::string error = kafka_sink_->health().last_error; !error.empty()) return error;
  }
  if (group_) {
    if (std::string error = group_->consumer().last_error(); !error.empty()) return error;
    if (std::string error = dead_letter_producer_->last_error(); !error.empty()) return error;
    return destination_->health().last_error;
  }
  return "";
}

void BridgeService::add_produce_status(runtime::Statusz& status) const {
  for (const otlp::Signal signal : otlp::kSignals) {
    const std::string& name = topic_of(config_.kafka.topics, signal);
    const Result<std::int32_t> count = producer_->partition_count(name);
    status.topics->push_back({.name = name,
                              .partitions = count.ok() ? *count : 0,
                              .error = count.ok() ? "" : count.error().message});
  }
  status.grpc_port = grpc_port_.load();
  status.queue_bytes = producer_->queue_bytes();
  const KafkaSink::State state = kafka_sink_->state();
  status.produce = {
      .ok = state.ok, .last_error = state.last_error, .last_error_reason = state.last_error_reason};
}

void BridgeService::add_consume_status(runtime::Statusz& status) const {
  if (!producer_) {
    for (const kafka::TopicState& topic : group_->consumer().topics())
      status.topics->push_back(
          {.name = topic.name, .partitions = topic.partitions, .error = topic.error});
  }
  for (const PartitionStatus& partition : group_->partitions())
    status.partitions->push_back(to_statusz(partition));
  status.stalls.emplace();
  for (const StallStatus& stall : group_->stalls()) status.stalls->push_back(to_statusz(stall));
  status.group = config_.consumer.group();
  const pipeline::SinkHealth health = destination_->health();
  const bool unknown = !health.reachable && health.last_error.empty();
  status.destination = {
      .name = config_.consumer.destination,
      .type = std::nullopt,
      .endpoint = network_destination_ ? config_.destination.endpoint : "in process",
      .answered = std::nullopt,
      .reachable = unknown ? std::nullopt : std::optional(health.reachable),
      .last_error = health.last_error,
      .last_error_reason = health.last_error_reason};
  const kafka::Assignment assignment = group_->consumer().assignment();
  status.assignment = {.ok = assignment.ok, .reason = assignment.reason};
  status.lost_records = group_->lost_records();
  const GroupActivity activity = group_->activity();
  status.polls = to_statusz(activity.polls);
  status.commits = to_statusz(activity.commits);
  status.rebalances = to_statusz(activity.rebalances);
  status.items.emplace();
  for (const otlp::Signal signal : signals_of(config_.consumer)) {
    status.items->push_back(to_statusz(signal, group_->items()[otlp::index_of(signal)]));
  }
}

runtime::Statusz BridgeService::status() const {
  constexpr std::array<const char*, 3> kModes = {"produce", "consume", "both"};
  const Readiness ready = readiness();
  runtime::Statusz status;
  status.ready = ready.ready;
  status.reason = ready.reason;
  status.mode = kModes[static_cast<std::size_t>(config_.mode)];
  status.kafka = {.reachable = (!producer_ || producer_->reachable()) &&
                               (!group_ || group_->consumer().reachable())};
  status.topics.emplace();
  status.partitions.emplace();
  status.weaknesses.emplace();
  if (producer_) add_produce_status(status);
  if (group_) add_consume_status(status);
  if (topic_watch_) {
    status.weaknesses = topic_watch_->weaknesses();
    status.topic_settings.emplace();
    for (const kafka::TopicReport& report : topic_watch_->reports())
      status.topic_settings->push_back(to_statusz(report));
  }
  if (producer_) {
    const std::string clock = kafka::describe_clock_difference(producer_->clock_difference());
    if (!clock.empty()) status.weaknesses->push_back(clock);
  }
  if (group_) {
    for (std::string& found : group_->consumer().weaknesses()) {
      status.weaknesses->push_back(std::move(found));
    }
  }
  const std::size_t prefetched = group_ ? group_->consumer().prefetched_bytes() : 0;
  const runtime::MemoryOwner connections =
      listener_ ? runtime::MemoryOwner("connections", listener_->connection_memory())
                : runtime::MemoryOwner("connections", std::size_t{0});
  status.memory = runtime::memory_status(
      deps_.memory, budget_, {connections, {"indexes", index_memory_}, {"prefetch", prefetched}});
  if (listener_ && listener_->tls()) {
    const otlp_server::OtlpListener::TlsStatus tls = listener_->tls_status();
    status.certificate_expires_in_seconds = static_cast<std::int64_t>(tls.seconds_to_expiry);
    status.certificate_reload_error = tls.reload_error;
  }
  status.last_error = last_error();
  return status;
}

}  // namespace spanway::kafka_bridge
