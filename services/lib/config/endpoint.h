// Network names in settings: endpoints, URLs, header fields. The code that connects
// reads them with the same functions, so what --check-config takes can be used.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "services/lib/config/binder.h"

namespace spanway::config {

// Functions without state: thread-safe. A problem is returned as text that follows the key's path
// ("must be host:port ..."), "" without a problem. It does not repeat a URL or a header's value,
// which may hold a secret.

struct HostPort {
  std::string host;  // An IPv6 address without its brackets.
  std::uint16_t port = 0;
};
// "collector:4317", "[::1]:4317"; no scheme, user or path.
std::string parse_host_port(std::string_view text, HostPort& out);

struct UrlParts {
  bool https = false;
  std::string host;  // Lower case; an IPv6 address without its brackets.
  std::uint16_t port = 80;
  std::string path = "/";  // With the query.
};
// http:// or https://; no user, fragment or backslash.
std::string parse_url(std::string_view text, UrlParts& out);
// The same for a URL to which a path or a query is appended: no query.
std::string base_url_problem(std::string_view text);

// The address that a listener binds to: "0.0.0.0", "::1" or a name; no port, brackets or scheme.
std::string listen_host_problem(std::string_view host);
// A broker of Kafka's bootstrap.servers: "kafka-0:9092".
std::string broker_problem(std::string_view text);
// An origin of web pages as browsers send it ("https://example.com"), with at most one `*`, which
// matches any text.
std::string origin_problem(std::string_view origin);

// Header names are case-insensitive and sent in lower case (to_lower): HTTP/2 has no other.
enum class HeaderUse : unsigned char { kHttp, kGrpc };
// Headers that HTTP or gRPC gives a meaning to: none of them can carry a value of ours. `name` in
// any case.
bool is_protocol_header(std::string_view name);
// Headers that our services send with a batch themselves: spanway-*, and the trace context.
bool is_metadata_header(std::string_view name);
// `name` in any case. The names that the sender sets itself, and "grpc-" in gRPC, are refused.
std::string header_name_problem(std::string_view name, HeaderUse use);
std::string header_value_problem(std::string_view value, HeaderUse use);
// A map of headers under `path`: each name and value, and names that differ only in case.
void check_headers(const std::string& path, const std::map<std::string, std::string>& headers,
                   HeaderUse use, Problems& problems);

}  // namespace spanway::config
