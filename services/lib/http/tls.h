// TLS material for servers and clients: read from files, re-read when they change.
#pragma once

#include <memory>
#include <string>

#include "services/lib/base/result.h"
#include "services/lib/base/secret.h"
#include "services/lib/endpoint_config/tls_config.h"

namespace spanway::http {

// ClientTlsConfig for material that the caller has in memory.
struct TlsClientPem {
  std::string ca;           // Empty = the system's CAs.
  std::string certificate;  // Empty = none.
  Secret key;
  std::string server_name;
  bool insecure_skip_verify = false;
};

// Thread-safe. New connections use the newest good material; a broken new file keeps the old one
// and the caller of reload(), a TlsReloader, logs it.
class TlsServerContext {
 public:
  static Result<std::shared_ptr<TlsServerContext>> create(ServerTlsConfig config);
  virtual ~TlsServerContext() = default;
  // Re-reads the files when they have changed. True when new material is in use.
  virtual Result<bool> reload() = 0;
  // Seconds until the certificate expires; negative when it has.
  virtual double seconds_to_expiry() const = 0;
};

class TlsClientContext {
 public:
  static Result<std::shared_ptr<TlsClientContext>> create(ClientTlsConfig config);
  // reload() does nothing.
  static Result<std::shared_ptr<TlsClientContext>> create(const TlsClientPem& pem);
  virtual ~TlsClientContext() = default;
  virtual Result<bool> reload() = 0;
};

}  // namespace spanway::http
