// destination.otlp_http: any server of OTLP/HTTP.
#pragma once

#include <string>

#include "services/lib/sinks/shared_sections.h"

namespace spanway::sinks {

struct OtlpHttpConfig {
  std::string endpoint = "http://127.0.0.1:4318";
  std::string traces_endpoint;
  std::string metrics_endpoint;
  std::string logs_endpoint;
  enum class Encoding { kProtobuf, kJson } encoding = Encoding::kProtobuf;
  HttpConfig http;
};

void describe(config::Binder& b, OtlpHttpConfig& c);
// `path` is that of the section, for problems.
void validate(const OtlpHttpConfig& c, const std::string& path, config::Problems& problems);
// For logs and /statusz: without user info, query or headers.
std::string endpoint_of(const OtlpHttpConfig& c);

}  // namespace spanway::sinks
