#include "services/kafka-bridge/program.h"

#include <memory>
#include <utility>

#include "services/kafka-bridge/bridge_service.h"
#include "services/kafka-bridge/replay/replay_command.h"
#include "services/kafka-bridge/replay/replay_request.h"
#include "services/kafka-bridge/topics.h"
#include "services/lib/kafka/events.h"
#include "services/lib/rpc/events.h"

namespace spanway::kafka_bridge {

runtime::Program make_program() {
  auto config = std::make_shared<BridgeConfig>();
  runtime::Program program;
  program.name = "spanway-kafka-bridge";
  program.summary = "Writes OTLP to Kafka (mode produce), or delivers from Kafka (mode consume).";
  program.describe_config = [config](config::Binder& b) { describe(b, *config); };
  program.validate = [config](config::Problems& problems) { validate(*config, problems); };
  program.create =
      [config](const runtime::ServiceDeps& deps) -> Result<std::unique_ptr<runtime::Service>> {
    SPANWAY_ASSIGN(auto service, BridgeService::create(*config, deps));
    return std::unique_ptr<runtime::Service>(std::move(service));
  };
  program.memory_limit = [config] { return config->memory_limit.bytes; };
  program.commands = {
      {"topics apply",
       "Create missing topics; give others missing partitions and stronger settings; prints JSON.",
       [config](const std::vector<std::string>& arguments) {
         return topics_command(*config, kafka::TopicChanges::kCreateAndUpdate, arguments);
       }},
      {"topics verify", "Check only: do the topics exist, as strong as configured?",
       [config](const std::vector<std::string>& arguments) {
         return topics_command(*config, kafka::TopicChanges::kNone, arguments);
       }},
      {"replay", "Send dead letters, or any range of a topic, once more.",
       [config](const std::vector<std::string>& arguments) {
         return replay_command(*config, arguments);
       },
       replay_help}};
  for (const auto& table : {metric_specs(), kafka::metric_specs(), rpc::metric_specs()})
    program.metrics.insert(program.metrics.end(), table.begin(), table.end());
  return program;
}

}  // namespace spanway::kafka_bridge
