// destination.loki: Grafana Loki, by its OTLP endpoint or its push API.
#pragma once

#include <string>
#include <vector>

#include "services/lib/sinks/shared_sections.h"

namespace spanway::sinks {

struct LokiConfig {
  std::string endpoint = "http://127.0.0.1:3100";
  enum class Protocol { kOtlp, kPush } protocol = Protocol::kOtlp;
  // Resource attributes that become labels; `push` only.
  std::vector<std::string> labels = {"service.name", "service.namespace",
                                     "deployment.environment.name", "k8s.namespace.name"};
  HttpConfig http;
};

void describe(config::Binder& b, LokiConfig& c);
// `path` is that of the section, for problems.
void validate(const LokiConfig& c, const std::string& path, config::Problems& problems);
// For logs and /statusz: without user info, query or headers.
std::string endpoint_of(const LokiConfig& c);

}  // namespace spanway::sinks
