#include "services/lib/sinks/registry.h"

#include <string>
#include <utility>

#include "services/lib/sinks/clickhouse/factory.h"
#include "services/lib/sinks/debug/factory.h"
#include "services/lib/sinks/file/factory.h"
#include "services/lib/sinks/loki/factory.h"
#include "services/lib/sinks/otlp_grpc/factory.h"
#include "services/lib/sinks/otlp_http/factory.h"
#include "services/lib/sinks/prometheus/factory.h"
#include "services/lib/sinks/s3/factory.h"
#include "services/lib/sinks/zipkin/factory.h"

namespace spanway::sinks {

void DestinationRegistry::add(DestinationType type, DestinationFactory factory) {
  factories_[static_cast<std::size_t>(type)] = std::move(factory);
}

SinkResult DestinationRegistry::create(const DestinationConfig& config,
                                       const DestinationDeps& deps) const {
  const DestinationFactory& factory = factories_[static_cast<std::size_t>(config.type)];
  const std::string name(to_string(config.type));
  if (!factory)
    return configuration_error(Code::kFailedPrecondition,
                               "This exporter has no destination " + name);
  auto sink = factory(config, deps);
  if (!sink.ok()) return std::move(sink).error().with_context("destination." + name);
  return sink;
}

const DestinationRegistry& builtin_destinations() {
  static const DestinationRegistry registry = [] {
    DestinationRegistry r;
    r.add(DestinationType::kOtlpGrpc, create_otlp_grpc);
    r.add(DestinationType::kOtlpHttp, create_otlp_http);
    r.add(DestinationType::kZipkin, create_zipkin);
    r.add(DestinationType::kFile, create_file);
    r.add(DestinationType::kDebug, create_debug);
    r.add(DestinationType::kClickHouse, create_clickhouse);
    r.add(DestinationType::kS3, create_s3);
    r.add(DestinationType::kLoki, create_loki);
    r.add(DestinationType::kPrometheusRemoteWrite, create_prometheus_remote_write);
    return r;
  }();
  return registry;
}

}  // namespace spanway::sinks
