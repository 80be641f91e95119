// The bridge: OTLP/gRPC to Kafka, Kafka to a destination, or both, as one service.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "services/kafka-bridge/config.h"
#include "services/kafka-bridge/consume/consumer_group.h"
#include "services/kafka-bridge/consume/dead_letters.h"
#include "services/kafka-bridge/produce/kafka_sink.h"
#include "services/kafka-bridge/topic_watch.h"
#include "services/lib/base/loop.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/kafka/admin.h"
#include "services/lib/kafka/producer.h"
#include "services/lib/otlp_server/otlp_listener.h"
#include "services/lib/rpc/export_service.h"
#include "services/lib/runtime/service.h"

namespace spanway::kafka_bridge {

// Calls of runtime::Service by one thread; readiness(), status(), fatal() from any.
class BridgeService final : public runtime::Service {
 public:
  // `config` has passed validate(). With `in_process_destination` (fused), that sink takes the
  // place of the network: it outlives this service, config.destination.endpoint is not used.
  static Result<std::unique_ptr<BridgeService>> create(
      BridgeConfig config, const runtime::ServiceDeps& deps,
      pipeline::Sink* in_process_destination = nullptr);
  ~BridgeService() override;

  Status start() override;
  void stop_accepting() override;
  bool drain(Deadline deadline) override;
  void shed_load() override;
  Readiness readiness() const override;
  runtime::Statusz status() const override;
  Status fatal() const override;

  // The producing sink, for an ingress in the same process; null in mode consume. Usable from
  // create() on, as long as the service.
  pipeline::Sink* kafka_sink() noexcept { return kafka_sink_.get(); }
  // 0 when nothing is listened on.
  std::uint16_t grpc_port() const noexcept { return grpc_port_; }
  const MemoryBudget& budget() const noexcept { return budget_; }

 private:
  BridgeService(BridgeConfig config, const runtime::ServiceDeps& deps);
  Status create_producing();
  Status create_consuming(pipeline::Sink* in_process_destination);
  Status create_dead_letters();
  Result<std::size_t> read_size_limit(const std::string& topic) const;
  Status listen();
  void watch_topics();
  void apply_size_limits(const TopicWatch::Reports& reports);
  void check_topics(const TopicWatch::Reports& reports);
  void add_produce_status(runtime::Statusz& status) const;
  void add_consume_status(runtime::Statusz& status) const;
  void tick();
  bool drain_consuming(Deadline deadline);
  std::string last_error() const;

  const BridgeConfig config_;
  const runtime::ServiceDeps deps_;
  MemoryBudget budget_;
  MemoryBudget index_memory_;      // An owner within it.
  kafka::TopicAdmin topic_admin_;  // Used by topic_watch_.
  // Runs the consumer and all lanes, and housekeeping. Stopped before anything else is destroyed.
  Loop loop_;
  // Runs the dead letters: reading topic settings and writing the fallback file block it. Null in
  // mode produce.
  std::unique_ptr<Loop> dead_letter_loop_;

  // Each is destroyed before the members above it.
  std::unique_ptr<pipeline::Sink> network_destination_;
  pipeline::Sink* destination_ = nullptr;
  std::unique_ptr<KafkaDeadLetters> dead_letters_;
  std::unique_ptr<kafka::Producer> dead_letter_producer_;
  std::unique_ptr<ConsumerGroup> group_;

  std::unique_ptr<KafkaSink> kafka_sink_;
  std::unique_ptr<kafka::Producer> producer_;
  std::unique_ptr<rpc::Gatekeeper> gatekeeper_;
  std::unique_ptr<rpc::ExportService> handler_;
  std::unique_ptr<otlp_server::OtlpListener> listener_;

  std::atomic<bool> started_{false};
  bool consuming_drained_ = false;
  std::atomic<std::uint16_t> grpc_port_{0};
  std::atomic<bool> stopping_{false};
  std::unique_ptr<TopicWatch> topic_watch_;  // First to go: it reports to kafka_sink_.
};

}  // namespace spanway::kafka_bridge
