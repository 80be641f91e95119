// The TLS sections of listeners and of clients. Plain values; no transport, so that the operator
// can link them.
#pragma once

#include <string>
#include <string_view>

#include "services/lib/config/binder.h"

namespace spanway {

struct ServerTlsConfig {
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;
  bool enabled() const noexcept { return !certificate_file.empty(); }
};
void describe(config::Binder& b, ServerTlsConfig& c);
// `path` is where the section stands: "otlp.tls".
void validate(const ServerTlsConfig& c, const std::string& path, config::Problems& problems);

// Where the scheme of a URL turns TLS on.
struct ClientTlsFiles {
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string server_name;
};
void describe(config::Binder& b, ClientTlsFiles& c);
void validate(const ClientTlsFiles& c, const std::string& path, config::Problems& problems);

struct ClientTlsConfig : ClientTlsFiles {
  bool enabled = false;
};
void describe(config::Binder& b, ClientTlsConfig& c);
void validate(const ClientTlsConfig& c, const std::string& path, config::Problems& problems);

}  // namespace spanway
