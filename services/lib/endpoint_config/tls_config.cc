#include "services/lib/endpoint_config/tls_config.h"

namespace spanway {
namespace {

void check_pair(const std::string& certificate, const std::string& key, const std::string& path,
                config::Problems& problems) {
  if (certificate.empty() != key.empty())
    problems.add(path, "certificate_file and key_file go together: set both or neither");
}

}  // namespace

void describe(config::Binder& b, ServerTlsConfig& c) {
  b.key("certificate_file", c.certificate_file,
        {.doc = "PEM file with the certificate chain; set it to serve TLS. Re-read when it "
                "changes."});
  b.key("key_file", c.key_file, {.doc = "PEM file with the private key."});
  b.key("client_ca_file", c.client_ca_file,
        {.doc = "PEM file with the CA of the clients. Set it to refuse clients without a "
                "certificate of this CA (mTLS)."});
}

void validate(const ServerTlsConfig& c, const std::string& path, config::Problems& problems) {
  check_pair(c.certificate_file, c.key_file, path, problems);
  if (!c.client_ca_file.empty() && !c.enabled())
    problems.add(path + ".client_ca_file", "needs certificate_file and key_file");
}

void describe(config::Binder& b, ClientTlsConfig& c) {
  b.key("ca_file", c.ca_file,
        {.doc = "PEM file with the CAs that are trusted; empty = the system's. Re-read when it "
                "changes."});
  b.key("certificate_file", c.certificate_file,
        {.doc = "PEM file with the client certificate, for mutual TLS. Re-read when it changes."});
  b.key("key_file", c.key_file, {.doc = "PEM file with its private key."});
  b.key("server_name", c.server_name,
        {.doc = "The name that the server's certificate must have, where it is not the host's."});
}

void validate(const ClientTlsConfig& c, const std::string& path, config::Problems& problems) {
  check_pair(c.certificate_file, c.key_file, path, problems);
}

void describe(config::Binder& b, SwitchedClientTlsConfig& c) {
  b.key("enabled", c.enabled, {.doc = "Use TLS."});
  describe(b, static_cast<ClientTlsConfig&>(c));
}

void validate(const SwitchedClientTlsConfig& c, const std::string& path,
              config::Problems& problems) {
  validate(static_cast<const ClientTlsConfig&>(c), path, problems);
  const bool unused = !c.ca_file.empty() || !c.certificate_file.empty() || !c.server_name.empty();
  if (!c.enabled && unused)
    problems.add(path + ".enabled",
                 "is false, yet other keys of the section are set: set it to true");
}

}  // namespace spanway
