#include "services/lib/endpoint_config/cors_config.h"

#include <utility>

#include "services/lib/config/endpoint.h"

namespace spanway {
namespace {

constexpr double kSecond = 1000.0;

}  // namespace

void describe(config::Binder& b, CorsConfig& c) {
  b.key("allowed_origins", c.allowed_origins,
        {.doc = "Origins of web pages that may send, each with at most one `*`. Empty turns CORS "
                "off.",
         .example = "[\"https://*.example.com\"]"});
  b.key("allowed_headers", c.allowed_headers,
        {.doc = "Request headers that such pages may set, besides content-type and "
                "content-encoding; `authorization` for example.",
         .pattern = "[A-Za-z0-9_-]{1,64}"});
  b.key("max_age", c.max_age,
        {.doc = "How long a browser may remember the answer to a preflight.",
         .min = 0,
         .max = 86'400 * kSecond});
}

void validate(const CorsConfig& c, const std::string& path, config::Problems& problems) {
  for (const std::string& origin : c.allowed_origins)
    if (std::string problem = config::origin_problem(origin); !problem.empty())
      problems.add(path + ".allowed_origins", std::move(problem));
}

}  // namespace spanway
