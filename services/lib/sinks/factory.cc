#include "services/lib/sinks/factory.h"

#include "services/lib/base/base64.h"

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

std::map<std::string, Secret> secret_headers(const std::map<std::string, std::string>& headers) {
  std::map<std::string, Secret> secrets;
  for (const auto& [name, value] : headers) secrets.emplace(name, Secret(value));
  return secrets;
}

HttpOptions http_options(const HttpConfig& c, std::int64_t in_flight_max) {
  HttpOptions options;
  options.compression = coding_of(c.compression);
  options.headers = secret_headers(c.headers);
  if (const BasicAuthConfig& user = c.basic_auth; !user.username.empty())
    options.headers.emplace("authorization",
                            Secret("Basic " + encode_base64(user.username + ":" + user.password)));
  options.tls = c.tls;
  options.timeout = c.timeout;
  options.connections_max = static_cast<std::size_t>(c.connections);
  options.in_flight_max = static_cast<std::size_t>(in_flight_max);
  options.tenant_header = c.tenant_header;
  return options;
}

}  // namespace spanway::sinks
