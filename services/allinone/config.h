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
  // Neighbours hand batches over in memory instead of by OTLP/gRPC on loopback.
  bool fused = true;
  ingress::IngressConfig ingress;
  kafka_bridge::BridgeConfig bridge = both_ways();
  exporter::ExporterConfig exporter;

  bool runs(std::string_view service) const;

 private:
  static kafka_bridge::BridgeConfig both_ways();
};

void describe(config::Binder& b, AllInOneConfig& c);
void validate(const AllInOneConfig& c, config::Problems& problems);

}  // namespace spanway::allinone
