#include "services/allinone/config.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/lib/config/memory_limit.h"

namespace spanway::allinone {
namespace {

// The rules of one section, with the section's name in front of each path.
template <typename Config>
void validate_section(const char* name, const Config& section, config::Problems& problems) {
  config::Problems inner;
  validate(section, inner);
  for (config::Problem& problem : inner.all()) {
    if (problem.path != "memory_limit") problem.path.insert(0, std::string(name) + ".");
    problems.add(std::move(problem));
  }
}

}  // namespace

bool AllInOneConfig::runs(std::string_view service) const {
  return std::ranges::find(run, service) != run.end();
}

kafka_bridge::BridgeConfig AllInOneConfig::both_ways() {
  kafka_bridge::BridgeConfig bridge;
  bridge.mode = kafka_bridge::Mode::kBoth;
  return bridge;
}

AllInOneConfig with_memory_shares(AllInOneConfig config) {
  const bool bridge = config.runs("bridge");
  const bool takes_requests =
      bridge && config.bridge.produces() && !(config.fused && config.runs("ingress"));
  const bool reads_kafka = bridge && config.bridge.consumes();
  std::uint64_t users = config.runs("ingress") ? 1 : 0;
  if (takes_requests || reads_kafka) ++users;
  if (config.runs("exporter") && !(config.fused && bridge)) ++users;
  const std::uint64_t reserved = bridge ? kafka_bytes(config.bridge) : 0;
  const std::uint64_t share =
      config::request_budget(config.memory_limit, reserved) / std::max<std::uint64_t>(users, 1);
  // 0 would mean that a section has the whole limit for itself.
  const std::uint64_t own = std::max<std::uint64_t>(share, 1);
  config.ingress.budget_share = config.bridge.budget_share = config.exporter.budget_share = own;
  config.ingress.memory_limit = config.bridge.memory_limit = config.exporter.memory_limit =
      config.memory_limit;
  return config;
}

void describe(config::Binder& b, AllInOneConfig& c) {
  b.key("run", c.run,
        {.doc = "The services of this process.",
         .example = "[ingress, bridge]",
         .required = false,
         .pattern = "ingress|bridge|exporter"});
  b.key("fused", c.fused,
        {.doc = "Adjacent services hand batches over in memory; the bridge and the exporter "
                "then open no OTLP port. false = they send OTLP/gRPC as configured."});
  ingress::IngressSections ingress{c.ingress};
  kafka_bridge::BridgeSections bridge{c.bridge};
  exporter::ExporterSections exporter{c.exporter};
  b.section("ingress", ingress, "As in spanway-ingress.");
  b.section("bridge", bridge, "As in spanway-kafka-bridge; the mode is `both` by default.");
  b.section("exporter", exporter, "As in spanway-exporter.");
  config::describe_memory_limit(b, c.memory_limit);
}

void validate(const AllInOneConfig& c, config::Problems& problems) {
  if (c.run.empty())
    problems.add("run", "is empty; name at least one of ingress, bridge, exporter");
  for (std::size_t i = 0; i < c.run.size(); ++i) {
    if (std::ranges::count(c.run, c.run[i]) > 1) {
      problems.add("run", "names '" + c.run[i] + "' twice; a process runs each service once");
      break;
    }
  }
  if (c.fused && c.runs("ingress") && c.runs("bridge") && !c.bridge.produces()) {
    problems.add("bridge.mode",
                 "is consume, but the ingress of this process hands its data to the bridge; use "
                 "produce or both, or set fused: false");
  }
  if (c.fused && c.runs("bridge") && c.runs("exporter") && !c.bridge.consumes()) {
    problems.add("bridge.mode",
                 "is produce, but the exporter of this process gets its data from the bridge; use "
                 "consume or both, or set fused: false");
  }
  const AllInOneConfig shared = with_memory_shares(c);
  if (c.runs("ingress")) validate_section("ingress", shared.ingress, problems);
  if (c.runs("bridge")) validate_section("bridge", shared.bridge, problems);
  if (c.runs("exporter")) validate_section("exporter", shared.exporter, problems);
}

}  // namespace spanway::allinone
