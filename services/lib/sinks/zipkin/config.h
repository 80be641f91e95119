// destination.zipkin: a Zipkin server, by its JSON API, version 2.
#pragma once

#include <string>
#include <vector>

#include "services/lib/sinks/shared_sections.h"

namespace spanway::sinks {

struct ZipkinConfig {
  ZipkinConfig() { http.compression = HttpConfig::Compression::kNone; }
  std::string endpoint = "http://127.0.0.1:9411";
  std::vector<std::string> resource_tags = {"service.*"};
  config::ByteSize request_bytes_max{5'000'000};
  HttpConfig http;
};

void describe(config::Binder& b, ZipkinConfig& c);
// `path` is that of the section, for problems.
void validate(const ZipkinConfig& c, const std::string& path, config::Problems& problems);
// For logs and /statusz: without user info, query or headers.
std::string endpoint_of(const ZipkinConfig& c);

}  // namespace spanway::sinks
