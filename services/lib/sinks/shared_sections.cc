#include "services/lib/sinks/shared_sections.h"

#include <utility>

#include "services/lib/config/endpoint.h"

namespace spanway::sinks {
namespace {

using config::Binder;
using config::Problems;

void add_problem(const std::string& path, std::string problem, Problems& problems) {
  if (!problem.empty()) problems.add(path, std::move(problem));
}

void describe_client_files(Binder& b, std::string& ca, std::string& certificate, std::string& key,
                           std::string& server_name) {
  b.key("ca_file", ca, {.doc = "PEM file with the CAs that are trusted; empty = the system's."});
  b.key("certificate_file", certificate,
        {.doc = "PEM file with the client certificate, for mutual TLS."});
  b.key("key_file", key, {.doc = "PEM file with its private key."});
  b.key("server_name", server_name,
        {.doc = "The name that the server's certificate must have, where it is not the host's."});
}

}  // namespace

void describe(Binder& b, ClientTlsConfig& c) {
  b.key("enabled", c.enabled,
        {.doc = "Use TLS. An endpoint that begins with https:// turns it on."});
  describe_client_files(b, c.ca_file, c.certificate_file, c.key_file, c.server_name);
}

void describe(Binder& b, HttpTlsConfig& c) {
  describe_client_files(b, c.ca_file, c.certificate_file, c.key_file, c.server_name);
  b.key("insecure_skip_verify", c.insecure_skip_verify,
        {.doc = "Accept any certificate. Only for tests."});
}

void describe_headers(Binder& b, std::map<std::string, std::string>& headers) {
  b.key("headers", headers,
        {.doc = "Sent with each request; the case of names makes no difference. Values are "
                "secrets: refer to the "
                "environment or to a file.",
         .example = "{authorization: \"Bearer ${env:TOKEN}\"}",
         .secret = true});
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
  describe_headers(b, c.headers);
  b.section("tls", c.tls, "TLS, for https:// endpoints.");
  describe_timeout(b, c.timeout);
  b.key("connections", c.connections,
        {.doc = "Most connections to one host.", .min = 1, .max = kConnectionsMax});
  b.key("tenant_header", c.tenant_header,
        {.doc = "Name of a header that carries the batch's tenant; empty = none.",
         .example = "x-scope-orgid",
         .pattern = "[A-Za-z0-9-]{0,64}"});
}

void check_url(const std::string& path, std::string_view url, Problems& problems) {
  config::UrlParts parts;
  add_problem(path, config::parse_url(url, parts), problems);
}

void check_certificate(const std::string& path, const std::string& certificate,
                       const std::string& key, Problems& problems) {
  if (certificate.empty() != key.empty())
    problems.add(path, "certificate_file and key_file must be set together");
}

void check_http(const std::string& path, const HttpConfig& c, Problems& problems) {
  check_certificate(path + ".tls", c.tls.certificate_file, c.tls.key_file, problems);
  config::check_headers(path + ".headers", c.headers, config::HeaderUse::kHttp, problems);
  if (!c.tenant_header.empty())
    add_problem(path + ".tenant_header",
                config::header_name_problem(c.tenant_header, config::HeaderUse::kHttp), problems);
}

}  // namespace spanway::sinks
