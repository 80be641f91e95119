#include "services/lib/sinks/factory.h"

#include "services/lib/config/secret_reloader.h"

namespace spanway::sinks {
namespace {

http::ContentCoding coding_of(HttpConfig::Compression compression) {
  switch (compression) {
    case HttpConfig::Compression::kGzip:
      return http::ContentCoding::kGzip;
    case HttpConfig::Compression::kZstd:
      return http::ContentCoding::kZstd;
    case HttpConfig::Compression::kNone:
      break;
  }
  return http::ContentCoding::kIdentity;
}

}  // namespace

Result<HttpOptions> http_options(const HttpConfig& c, std::int64_t in_flight_max) {
  HttpOptions options;
  options.compression = coding_of(c.compression);
  SPANWAY_ASSIGN(options.headers, config::secrets_of("headers", c.headers));
  options.username = c.basic_auth.username;
  options.password = c.basic_auth.password;
  options.tls = c.tls;
  options.timeout = c.timeout;
  options.connections_max = static_cast<std::size_t>(c.connections);
  options.in_flight_max = static_cast<std::size_t>(in_flight_max);
  options.tenant_header = c.tenant_header;
  return options;
}

}  // namespace spanway::sinks
