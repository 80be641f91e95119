// spanway-kafka-bridge: writes OTLP to Kafka, and delivers what lies in Kafka.
#include <memory>
#include <utility>

#include "services/kafka-bridge/bridge_service.h"
#include "services/kafka-bridge/topics.h"
#include "services/lib/kafka/events.h"
#include "services/lib/rpc/events.h"

int main(int argc, char** argv) {
  using spanway::kafka::TopicChanges;
  using spanway::kafka_bridge::BridgeConfig;
  BridgeConfig config;
  spanway::runtime::Program program;
  program.name = "spanway-kafka-bridge";
  program.summary = "Writes OTLP to Kafka (mode produce), or delivers from Kafka (mode consume).";
  program.describe_config = [&config](spanway::config::Binder& b) { describe(b, config); };
  program.validate = [&config](spanway::config::Problems& problems) { validate(config, problems); };
  program.create = [&config](const spanway::runtime::ServiceDeps& deps)
      -> spanway::Result<std::unique_ptr<spanway::runtime::Service>> {
    auto service = spanway::kafka_bridge::BridgeService::create(config, deps);
    if (!service.ok()) return std::move(service).error();
    return std::unique_ptr<spanway::runtime::Service>(std::move(service).value());
  };
  program.memory_limit = [&config] { return config.memory_limit.bytes; };
  program.commands = {{"topics apply", "Create missing topics and grow small ones; prints JSON.",
                       [&config](const std::vector<std::string>& arguments) {
                         return topics_command(config, TopicChanges::kCreateAndGrow, arguments);
                       }},
                      {"topics verify", "Look only: are the topics there, and as strong as wanted?",
                       [&config](const std::vector<std::string>& arguments) {
                         return topics_command(config, TopicChanges::kNone, arguments);
                       }}};
  for (const auto& table : {spanway::kafka_bridge::metric_specs(), spanway::kafka::metric_specs(),
                            spanway::rpc::metric_specs()}) {
    program.metrics.insert(program.metrics.end(), table.begin(), table.end());
  }
  return spanway::runtime::run_program(std::move(program), argc, argv);
}
