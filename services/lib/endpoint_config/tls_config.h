// TLS of listeners and of clients, the only structs for it: sections of configurations, and
// arguments of the servers and clients. Plain values; no transport, so that the operator can link
// them. TLS 1.2 or newer; peers and host names are verified by default.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/config/binder.h"

namespace spanway {

// Paths to PEM files.
struct ServerTlsConfig {
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;  // Set = mTLS: clients without a certificate of this CA are refused.
  bool enabled() const noexcept { return !certificate_file.empty(); }
};
void describe(config::Binder& b, ServerTlsConfig& c);
// `path` of the section: "otlp.tls".
void validate(const ServerTlsConfig& c, const std::string& path, config::Problems& problems);

// Paths to PEM files. Where a section is described by this alone, the scheme of a URL turns TLS on.
struct ClientTlsConfig {
  std::string ca_file;           // Empty = the system's CAs.
  std::string certificate_file;  // Client certificate for mTLS, with its key.
  std::string key_file;
  std::string server_name;            // Overrides the name that is verified.
  bool insecure_skip_verify = false;  // Only for tests, and no key of every section.
};
// All but insecure_skip_verify.
void describe(config::Binder& b, ClientTlsConfig& c);
void validate(const ClientTlsConfig& c, const std::string& path, config::Problems& problems);

// Where there is no scheme.
struct SwitchedClientTlsConfig : ClientTlsConfig {
  bool enabled = false;
};
void describe(config::Binder& b, SwitchedClientTlsConfig& c);
void validate(const SwitchedClientTlsConfig& c, const std::string& path,
              config::Problems& problems);

}  // namespace spanway
