#include "services/lib/sinks/loki/config.h"

#include <algorithm>
#include <string_view>

#include "services/lib/config/endpoint.h"

namespace spanway::sinks {
namespace {

// Loki refuses a stream with more.
constexpr std::size_t kLabelsMax = 15;

bool names_an_api(std::string_view path) noexcept {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path.ends_with("/otlp") || path.find("/otlp/v1/") != std::string_view::npos ||
         path.find("/loki/api/") != std::string_view::npos || path.ends_with("/api/prom/push");
}

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
  check_base_url(path + ".endpoint", c.endpoint, problems);
  config::UrlParts parts;
  if (config::parse_url(c.endpoint, parts).empty() && names_an_api(parts.path))
    problems.add(path + ".endpoint",
                 "must be the base URL, to which the path of the API is appended: leave that out");
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
