// Parts that sections of destinations share: TLS, headers, HTTP. No transport.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/secret.h"
#include "services/lib/config/binder.h"
#include "services/lib/endpoint_config/tls_config.h"

namespace spanway::sinks {

// With the key insecure_skip_verify.
struct HttpTlsConfig : ClientTlsConfig {};

// Basic authentication; an empty username = none.
struct BasicAuthConfig {
  std::string username;
  Secret password;
};

// For destinations that are reached by HTTP.
struct HttpConfig {
  enum class Compression { kNone, kGzip, kZstd } compression = Compression::kGzip;
  std::map<std::string, std::string> headers;  // For config::secrets_of().
  BasicAuthConfig basic_auth;
  HttpTlsConfig tls;
  Duration timeout = std::chrono::seconds(10);
  std::int64_t connections = 8;
  std::string tenant_header;
};

inline constexpr double kConnectionsMax = 64;
// Bounds of durations are in milliseconds.
inline constexpr double kSecondMs = 1000.0;
inline constexpr double kHourMs = 3600.0 * kSecondMs;

void describe(config::Binder& b, HttpTlsConfig& c);
void describe(config::Binder& b, BasicAuthConfig& c);
// Binds its keys beside those of the destination.
void describe_http(config::Binder& b, HttpConfig& c);
// The same without `compression`, for protocols that have one of their own.
void describe_http_transport(config::Binder& b, HttpConfig& c);
void describe_headers(config::Binder& b, std::map<std::string, std::string>& headers);
void describe_timeout(config::Binder& b, Duration& timeout);

// `path` is that of the section: "destination.zipkin".
void check_http(const std::string& path, const HttpConfig& c, config::Problems& problems);
void check_url(const std::string& path, std::string_view url, config::Problems& problems);
// A URL to which the sink appends a path or a query.
void check_base_url(const std::string& path, std::string_view url, config::Problems& problems);

}  // namespace spanway::sinks
