#include "services/lib/sinks/loki/config.h"

#include <algorithm>

namespace spanway::sinks {
namespace {

// Loki refuses a stream with more.
constexpr std::size_t kLabelsMax = 15;

}  // namespace

void describe(config::Binder& b, LokiConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "Base URL of Loki; /otlp/v1/logs or /loki/api/v1/push is appended.",
         .example = "http://loki:3100"});
  b.key("protocol", c.protocol, {"otlp", "push"},
        {.doc = "`otlp`: Loki decides which resource attributes become labels "
                "(limits_config.otlp_config). `push`: `labels` decides, for Lokis without "
                "/otlp or a tenant whose limits cannot be changed."});
  b.key("labels", c.labels,
        {.doc = "With `push`: resource attributes that become labels of a stream, at most 15. All "
                "others, and values above 256 bytes, are structured metadata.",
         .example = "[service.name, k8s.namespace.name]"});
  describe_http(b, c.http);
}

void validate(const LokiConfig& c, const std::string& path, config::Problems& problems) {
  check_url(path + ".endpoint", c.endpoint, problems);
  if (c.labels.size() > kLabelsMax)
    problems.add(path + ".labels",
                 "has " + std::to_string(c.labels.size()) +
                     " attributes, and Loki takes at most 15 labels; remove some");
  if (std::find(c.labels.begin(), c.labels.end(), "") != c.labels.end())
    problems.add(path + ".labels", "holds an empty name; remove it");
  check_http(path, c.http, problems);
}

std::string endpoint_of(const LokiConfig& c) { return c.endpoint.substr(0, c.endpoint.find('?')); }

}  // namespace spanway::sinks
