#include "services/lib/sinks/shared_sections.h"

#include <utility>

#include "services/lib/base/ascii.h"
#include "services/lib/config/endpoint.h"

namespace spanway::sinks {
namespace {

using config::Binder;
using config::Problems;

void add_problem(const std::string& path, std::string problem, Problems& problems) {
  if (!problem.empty()) problems.add(path, std::move(problem));
}

}  // namespace

void describe(Binder& b, HttpTlsConfig& c) {
  describe(b, static_cast<ClientTlsConfig&>(c));
  b.key("insecure_skip_verify", c.insecure_skip_verify,
        {.doc = "Accept any certificate. Only for tests."});
}

void describe(Binder& b, BasicAuthConfig& c) {
  b.key("username", c.username, {.doc = "User name; empty = no basic authentication."});
  b.key("password", c.password,
        {.doc = "Its password: refer to the environment or to a file; ${file:path} is read again "
                "every 5 s.",
         .example = "\"${env:PASSWORD}\"",
         .reread = true});
}

void describe_headers(Binder& b, std::map<std::string, std::string>& headers) {
  b.key("headers", headers,
        {.doc = "Sent with each request; the case of names makes no difference. Values are "
                "secrets: refer to the environment or to a file; ${file:path} is read again every "
                "5 s.",
         .example = "{authorization: \"Bearer ${env:TOKEN}\"}",
         .secret = true,
         .reread = true});
}

void describe_timeout(Binder& b, Duration& timeout) {
  b.key("timeout", timeout,
        {.doc = "Longest wait for one answer. Never longer than the sender's own deadline.",
         .min = 10,
         .max = 300 * kSecondMs});
}

void describe_http(Binder& b, HttpConfig& c) {
  b.key("compression", c.compression, {"none", "gzip", "zstd"},
        {.doc = "Compression of requests."});
  describe_http_transport(b, c);
}

void describe_http_transport(Binder& b, HttpConfig& c) {
  describe_headers(b, c.headers);
  b.section("basic_auth", c.basic_auth,
            "Basic authentication; a token goes into headers as `authorization`.");
  b.section("tls", c.tls, "TLS, for https:// endpoints.");
  describe_timeout(b, c.timeout);
  b.key(
      "connections", c.connections,
      {.doc = "Most connections to one host; twice as many while requests of some tenants hold all "
              "of them.",
       .min = 1,
       .max = kConnectionsMax});
  b.key("tenant_header", c.tenant_header,
        {.doc = "Name of a header that carries the batch's tenant; empty = none.",
         .example = "x-scope-orgid",
         .pattern = "[A-Za-z0-9-]{0,64}"});
}

void check_url(const std::string& path, std::string_view url, Problems& problems) {
  config::UrlParts parts;
  add_problem(path, config::parse_url(url, parts), problems);
}

void check_base_url(const std::string& path, std::string_view url, Problems& problems) {
  add_problem(path, config::base_url_problem(url), problems);
}

// RFC 7617: the name ends at the first colon; neither has control characters.
static void check_basic_auth(const std::string& path, const HttpConfig& c, Problems& problems) {
  const BasicAuthConfig& user = c.basic_auth;
  if (user.username.empty()) {
    if (!user.password.empty()) problems.add(path + ".password", "needs a username");
    return;
  }
  if (user.username.find(':') != std::string::npos)
    problems.add(path + ".username", "must not hold a colon: it would end the name");
  for (const auto& [key, value] :
       {std::pair(".username", &user.username), std::pair(".password", &user.password.reveal())})
    add_problem(path + key, config::header_value_problem(*value, config::HeaderUse::kHttp),
                problems);
  for (const auto& [name, value] : c.headers)
    if (to_lower(name) == "authorization")
      problems.add(path, "and the header authorization are one header: use one of them");
}

void check_http(const std::string& path, const HttpConfig& c, Problems& problems) {
  validate(c.tls, path + ".tls", problems);
  config::check_headers(path + ".headers", c.headers, config::HeaderUse::kHttp, problems);
  check_basic_auth(path + ".basic_auth", c, problems);
  if (c.tenant_header.empty()) return;
  add_problem(path + ".tenant_header",
              config::header_name_problem(c.tenant_header, config::HeaderUse::kHttp), problems);
  const std::string tenant_header = to_lower(c.tenant_header);
  for (const auto& [name, value] : c.headers) {
    if (to_lower(name) == tenant_header)
      problems.add(
          path + ".tenant_header",
          "is in headers, too: a request would carry it twice. Take it out of one of them");
  }
}

}  // namespace spanway::sinks
