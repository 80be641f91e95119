#include "services/lib/sinks/otlp_http/config.h"

#include <utility>

#include "services/lib/base/ascii.h"

namespace spanway::sinks {
namespace {

using config::Binder;
using config::Problems;

}  // namespace

void describe(Binder& b, OtlpHttpConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "Base URL; /v1/traces, /v1/metrics and /v1/logs are appended.",
         .example = "https://otlp.example.com"});
  b.key("traces_endpoint", c.traces_endpoint,
        {.doc = "URL for traces, taken as it is; empty = from `endpoint`."});
  b.key("metrics_endpoint", c.metrics_endpoint,
        {.doc = "URL for metrics, taken as it is; empty = from `endpoint`.",
         .example = "http://prometheus:9090/api/v1/otlp/v1/metrics"});
  b.key("logs_endpoint", c.logs_endpoint,
        {.doc = "URL for logs, taken as it is; empty = from `endpoint`.",
         .example = "http://loki:3100/otlp/v1/logs"});
  b.key("encoding", c.encoding, {"protobuf", "json"}, {.doc = "Encoding of requests."});
  describe_http(b, c.http);
}

void validate(const OtlpHttpConfig& c, const std::string& path, Problems& problems) {
  check_base_url(path + ".endpoint", c.endpoint, problems);
  for (const char* signal : {"traces", "metrics", "logs"}) {
    const std::string appended = std::string("/v1/") + signal;
    if (trim_end(c.endpoint, "/").ends_with(appended))
      problems.add(path + ".endpoint", "ends with " + appended +
                                           ", which is appended to it: leave that out, or set " +
                                           signal + "_endpoint");
  }
  for (const auto& [name, url] : {std::pair(".traces_endpoint", &c.traces_endpoint),
                                  std::pair(".metrics_endpoint", &c.metrics_endpoint),
                                  std::pair(".logs_endpoint", &c.logs_endpoint)})
    if (!url->empty()) check_url(path + name, *url, problems);
  check_http(path, c.http, problems);
}

std::string endpoint_of(const OtlpHttpConfig& c) {
  return c.endpoint.substr(0, c.endpoint.find('?'));
}

}  // namespace spanway::sinks
