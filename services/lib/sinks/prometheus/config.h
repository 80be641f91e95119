// destination.prometheus_remote_write: any receiver of Prometheus's remote write.
#pragma once

#include <string>
#include <vector>

#include "services/lib/config/binder.h"
#include "services/lib/sinks/shared_sections.h"

namespace spanway::sinks {

struct PrometheusRemoteWriteConfig {
  std::string endpoint = "http://127.0.0.1:9090/api/v1/write";
  enum class Protocol { kAuto, kV2, kV1 } protocol = Protocol::kAuto;
  // Named and meant as Prometheus's own `otlp` section has them.
  enum class Translation {
    kUnderscoreEscapingWithSuffixes,
    kUnderscoreEscapingWithoutSuffixes,
    kNoUtf8EscapingWithSuffixes,
    kNoTranslation,
  } translation = Translation::kUnderscoreEscapingWithSuffixes;
  std::vector<std::string> promote;
  enum class Delta { kReject, kAsIs } delta = Delta::kReject;
  enum class Histograms { kClassic, kNative } histograms = Histograms::kClassic;
  config::ByteSize request_bytes_max{1u << 20};
  HttpConfig http;
};

void describe(config::Binder& b, PrometheusRemoteWriteConfig& c);
// `path` is that of the section, for problems.
void validate(const PrometheusRemoteWriteConfig& c, const std::string& path,
              config::Problems& problems);
// For logs and /statusz: without user info, query or headers.
std::string endpoint_of(const PrometheusRemoteWriteConfig& c);

}  // namespace spanway::sinks
