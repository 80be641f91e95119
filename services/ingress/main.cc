// spanway-ingress: takes OTLP from applications and hands it to the bridge.
#include <memory>
#include <utility>

#include "services/ingress/events.h"
#include "services/ingress/service.h"
#include "services/lib/http/events.h"
#include "services/lib/rpc/events.h"

int main(int argc, char** argv) {
  using spanway::ingress::IngressConfig;
  IngressConfig config;
  spanway::runtime::Program program;
  program.name = "spanway-ingress";
  program.summary = "Receives OTLP over gRPC and HTTP and forwards it to the kafka-bridge.";
  program.describe_config = [&config](spanway::config::Binder& b) { describe(b, config); };
  program.validate = [&config](spanway::config::Problems& problems) { validate(config, problems); };
  program.create = [&config](const spanway::runtime::ServiceDeps& deps)
      -> spanway::Result<std::unique_ptr<spanway::runtime::Service>> {
    auto service = spanway::ingress::Service::create(config, deps, nullptr);
    if (!service.ok()) return std::move(service).error();
    return std::unique_ptr<spanway::runtime::Service>(std::move(service).value());
  };
  program.memory_limit = [&config] { return config.memory_limit.bytes; };
  for (const auto specs : {spanway::ingress::metric_specs(), spanway::rpc::metric_specs(),
                           spanway::http::metric_specs()})
    program.metrics.insert(program.metrics.end(), specs.begin(), specs.end());
  return spanway::runtime::run_program(std::move(program), argc, argv);
}
