#include "services/ingress/program.h"

#include <memory>
#include <utility>

#include "services/ingress/events.h"
#include "services/ingress/ingress_service.h"
#include "services/lib/http/events.h"
#include "services/lib/rpc/events.h"

namespace spanway::ingress {

runtime::Program make_program() {
  auto config = std::make_shared<IngressConfig>();
  runtime::Program program;
  program.name = "spanway-ingress";
  program.summary = "Receives OTLP over gRPC and HTTP and forwards it to the kafka-bridge.";
  program.describe_config = [config](config::Binder& b) { describe(b, *config); };
  program.validate = [config](config::Problems& problems) { validate(*config, problems); };
  program.create =
      [config](const runtime::ServiceDeps& deps) -> Result<std::unique_ptr<runtime::Service>> {
    SPANWAY_ASSIGN(auto service, IngressService::create(*config, deps, nullptr));
    return std::unique_ptr<runtime::Service>(std::move(service));
  };
  program.memory_limit = [config] { return config->memory_limit.bytes; };
  for (const auto specs : {metric_specs(), rpc::metric_specs(), http::metric_specs()})
    program.metrics.insert(program.metrics.end(), specs.begin(), specs.end());
  return program;
}

}  // namespace spanway::ingress
