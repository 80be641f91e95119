#include "services/lib/sinks/zipkin/config.h"

namespace spanway::sinks {
namespace {

using config::Binder;
using config::Problems;

constexpr double kKibi = 1024.0;
constexpr double kMebi = 1024.0 * kKibi;

}  // namespace

void describe(Binder& b, ZipkinConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "URL of the server. Without a path, /api/v2/spans is used.",
         .example = "http://zipkin:9411/api/v2/spans"});
  b.key("resource_tags", c.resource_tags,
        {.doc = "Resource attributes that become tags of each span; names, or prefixes that end "
                "in *."});
  b.key("request_bytes_max", c.request_bytes_max,
        {.doc = "A larger batch is sent as several requests of at most this much JSON.",
         .min = 64 * kKibi,
         .max = 64 * kMebi});
  describe_http(b, c.http);
}

void validate(const ZipkinConfig& c, const std::string& path, Problems& problems) {
  check_url(path + ".endpoint", c.endpoint, problems);
  check_http(path, c.http, problems);
}

std::string endpoint_of(const ZipkinConfig& c) {
  return c.endpoint.substr(0, c.endpoint.find('?'));
}

}  // namespace spanway::sinks
