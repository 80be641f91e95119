#include "services/lib/sinks/prometheus/config.h"

#include <algorithm>

#include "services/lib/config/endpoint.h"

namespace spanway::sinks {
namespace {

constexpr double kKibi = 1024.0;
constexpr double kMebi = 1024.0 * kKibi;

}  // namespace

void describe(config::Binder& b, PrometheusRemoteWriteConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "URL of the receiver, with its path.",
         .example = "http://prometheus:9090/api/v1/write"});
  b.key("protocol", c.protocol, {"auto", "2.0", "1.0"},
        {.doc = "Version of remote write. `auto`: 2.0, and 1.0 once the receiver shows that it "
                "has no 2.0."});
  b.key("translation", c.translation,
        {"UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes",
         "NoUTF8EscapingWithSuffixes", "NoTranslation"},
        {.doc = "How names of metrics and attributes become those of series, as "
                "`otlp.translation_strategy` of Prometheus."});
  b.key("promote", c.promote,
        {.doc = "Resource attributes that become labels of every series; all others are labels of "
                "target_info.",
         .example = "[service.version, k8s.namespace.name]"});
  b.key("delta", c.delta, {"reject", "as_is"},
        {.doc = "Sums and histograms of delta temporality. `reject`: counted as rejected, and a "
                "copy is a dead letter. `as_is`: each value is a sample."});
  b.key("histograms", c.histograms, {"classic", "native"},
        {.doc = "Histograms with explicit bounds. `classic`: a series for each bucket. `native`: "
                "one native histogram with custom buckets."});
  b.key("request_bytes_max", c.request_bytes_max,
        {.doc = "A larger batch is sent as several requests of about this much, uncompressed, one "
                "after the other.",
         .min = 16 * kKibi,
         .max = 16 * kMebi});
  describe_http_transport(b, c.http);
}

void validate(const PrometheusRemoteWriteConfig& c, const std::string& path,
              config::Problems& problems) {
  check_url(path + ".endpoint", c.endpoint, problems);
  config::UrlParts parts;
  if (config::parse_url(c.endpoint, parts).empty() && parts.path == "/")
    problems.add(path + ".endpoint",
                 "has no path: write that of the receiver, /api/v1/write for Prometheus");
  if (std::find(c.promote.begin(), c.promote.end(), "") != c.promote.end())
    problems.add(path + ".promote", "holds an empty name; remove it");
  check_http(path, c.http, problems);
}

std::string endpoint_of(const PrometheusRemoteWriteConfig& c) {
  return c.endpoint.substr(0, c.endpoint.find('?'));
}

}  // namespace spanway::sinks
