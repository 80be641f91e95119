#include "services/exporter/program.h"

#include <memory>

#include "services/exporter/compact_command.h"
#include "services/exporter/events.h"
#include "services/exporter/exporter_service.h"
#include "services/exporter/migrate_command.h"
#include "services/lib/sinks/registry.h"

namespace spanway::exporter {

runtime::Program make_program() {
  auto config = std::make_shared<ExporterConfig>();
  return {
      .name = "spanway-exporter",
      .summary =
          "Sends OTLP batches to one destination: OTLP, ClickHouse, S3, Loki, Prometheus, Zipkin, "
          "files or the log.",
      .describe_config = [config](config::Binder& b) { describe(b, *config); },
      .validate = [config](config::Problems& problems) { validate(*config, problems); },
      .create =
          [config](const runtime::ServiceDeps& deps) -> Result<std::unique_ptr<runtime::Service>> {
        SPANWAY_ASSIGN(auto service,
                       ExporterService::create(*config, sinks::builtin_destinations(), deps));
        return std::unique_ptr<runtime::Service>(std::move(service));
      },
      .commands = {{"migrate", "Create or update the tables of a ClickHouse destination.",
                    [config](const std::vector<std::string>& arguments) {
                      return migrate_command(*config, arguments);
                    },
                    migrate_help},
                   {"compact", "Join the small objects of past hours of an S3 destination.",
                    [config](const std::vector<std::string>& arguments) {
                      return compact_command(*config, arguments);
                    },
                    compact_help}},
      .metrics = all_metric_specs(),
      .memory_limit = [config] { return config->memory_limit.bytes; },
  };
}

}  // namespace spanway::exporter
