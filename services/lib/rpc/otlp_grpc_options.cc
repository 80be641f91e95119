#include "services/lib/rpc/otlp_grpc_options.h"

#include <string>
#include <utility>

#include "services/lib/config/endpoint.h"
#include "services/lib/http/tls.h"

namespace spanway::rpc {
namespace {

Error bad_option(std::string message) {
  return configuration_error(Code::kInvalidArgument, "otlp_grpc: " + std::move(message))
      .with_reason("bad_configuration");
}

Status check_endpoint(const std::string& endpoint) {
  config::HostPort parsed;
  const std::string problem = config::parse_host_port(endpoint, parsed);
  if (problem.empty()) return ok_status();
  return bad_option("endpoint '" + endpoint + "' " + problem);
}

// grpc++ reads the files later, on a thread of its own, and only logs what is wrong with them.
Status check_tls(const ClientTlsConfig& tls) {
  SPANWAY_TRY(http::TlsClientContext::create(tls));
  if (tls.insecure_skip_verify)
    return bad_option("tls.insecure_skip_verify: certificates are always verified over gRPC");
  return ok_status();
}

}  // namespace

Status check(const OtlpGrpcSinkOptions& options) {
  SPANWAY_TRY(check_endpoint(options.endpoint));
  if (options.compression != "none" && options.compression != "gzip") {
    return bad_option("compression '" + options.compression + "' must be none or gzip");
  }
  for (const auto& [name, value] : options.headers) {
    for (const std::string& problem :
         {config::header_name_problem(name, config::HeaderUse::kGrpc),
          config::header_value_problem(value.reveal(), config::HeaderUse::kGrpc)}) {
      if (!problem.empty()) return bad_option("the header '" + name + "' " + problem);
    }
  }
  if (options.tls) SPANWAY_TRY(check_tls(*options.tls));
  if (options.in_flight_max == 0) return bad_option("in_flight_max must be at least 1");
  return ok_status();
}

}  // namespace spanway::rpc
