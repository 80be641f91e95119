// The configuration of `spanway`: which services run in this process, and the section of each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/exporter/config.h"
#include "services/ingress/config.h"
#include "services/kafka-bridge/config.h"
#include "services/lib/config/binder.h"

namespace spanway::allinone {

struct AllInOneConfig {
  std::vector<std::string> run = {"ingress", "bridge", "exporter"};
  // Adjacent services pass batches in memory instead of by OTLP/gRPC on loopback.
  bool fused = true;
  ingress::IngressConfig ingress;
  kafka_bridge::BridgeConfig bridge = both_ways();
  exporter::ExporterConfig exporter;
  config::ByteSize memory_limit{768u << 20};  // 256 MiB for each service.

  bool runs(std::string_view service) const;

 private:
  static kafka_bridge::BridgeConfig both_ways();
};

// The same with each section's share of memory_limit: what the Kafka clients leave is divided
// evenly among those that take in requests or records.
AllInOneConfig with_memory_shares(AllInOneConfig config);

void describe(config::Binder& b, AllInOneConfig& c);
void validate(const AllInOneConfig& c, config::Problems& problems);

}  // namespace spanway::allinone
