#include "services/query/program.h"

#include <memory>
#include <utility>

#include "services/query/events.h"
#include "services/query/query_service.h"

namespace spanway::query {

runtime::Program make_program() {
  auto config = std::make_shared<QueryConfig>();
  return {
      .name = "spanway-query",
      .summary =
          "Reads stored telemetry back by the APIs of Jaeger (HTTP and gRPC), Prometheus, Loki and "
          "Tempo and by Spanway's own, over ClickHouse, S3 or memory.",
      .describe_config = [config](config::Binder& b) { describe(b, *config); },
      .validate = [config](config::Problems& problems) { validate(*config, problems); },
      .create =
          [config](const runtime::ServiceDeps& deps) -> Result<std::unique_ptr<runtime::Service>> {
        SPANWAY_ASSIGN(auto service, QueryService::create(*config, deps));
        return std::unique_ptr<runtime::Service>(std::move(service));
      },
      .metrics = all_metric_specs(),
      .memory_limit = [config] { return config->memory_limit.bytes; },
  };
}

}  // namespace spanway::query
