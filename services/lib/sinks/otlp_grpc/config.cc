#include "services/lib/sinks/otlp_grpc/config.h"

#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/config/endpoint.h"

namespace spanway::sinks {
namespace {

using config::Binder;
using config::Problems;

}  // namespace

void describe(Binder& b, OtlpGrpcConfig& c) {
  b.key("endpoint", c.endpoint,
        {.doc = "host:port, with or without http:// or https://, which turns TLS on. All addresses "
                "of the name are used, round robin.",
         .alias = "JAEGER_ENDPOINT",
         .example = "jaeger-collector:4317"});
  describe_client(b, c);
  describe_headers(b, c.headers);
  describe_timeout(b, c.timeout);
  b.key("send_metadata", c.send_metadata,
        {.doc = "Pass on spanway-tenant, spanway-batch and traceparent. For destinations that are "
                "Spanway services themselves."});
}

void validate(const OtlpGrpcConfig& c, const std::string& path, Problems& problems) {
  config::HostPort target;
  std::string problem = config::parse_host_port(grpc_target(c), target);
  if (!problem.empty()) problems.add(path + ".endpoint", std::move(problem));
  if (c.tls.enabled && c.endpoint.starts_with("http://"))
    problems.add(path + ".endpoint", "begins with http://, yet tls.enabled is true");
  config::check_headers(path + ".headers", c.headers, config::HeaderUse::kGrpc, problems);
  for (const auto& [name, value] : c.headers) {
    if (c.send_metadata && config::is_metadata_header(name))
      problems.add(path + ".headers." + name,
                   "is sent already, because send_metadata is true: take it out or turn that off");
  }
  validate(static_cast<const ClientTlsConfig&>(c.tls), path + ".tls", problems);
}

std::string endpoint_of(const OtlpGrpcConfig& c) { return grpc_target(c); }

std::string grpc_target(const OtlpGrpcConfig& config) {
  std::string_view target = config.endpoint;
  if (target.starts_with("http://") || target.starts_with("https://"))
    target.remove_prefix(target.find("//") + 2);
  return std::string(trim_end(target, "/"));
}

bool uses_tls(const OtlpGrpcConfig& config) {
  return config.tls.enabled || config.endpoint.starts_with("https://");
}

}  // namespace spanway::sinks
