// TLS material for servers and clients: read from files, re-read when they change.
#pragma once

#include <memory>
#include <string>

#include "services/lib/base/result.h"
#include "services/lib/base/secret.h"

namespace spanway::http {

// Paths to PEM files. TLS 1.2 or newer; peers and host names are verified by default.
struct TlsServerFiles {
  std::string certificate_file;
  std::string key_file;
  std::string client_ca_file;  // Set = mTLS: clients without a certificate of this CA are refused.
};
struct TlsClientFiles {
  std::string ca_file;           // Empty = the system's CAs.
  std::string certificate_file;  // Client certificate for mTLS, with its key.
  std::string key_file;
  std::string server_name;            // Overrides the name that is verified.
  bool insecure_skip_verify = false;  // Only for tests and by explicit setting.
};

// The same for material that the caller has in memory.
struct TlsClientPem {
  std::string ca;           // Empty = the system's CAs.
  std::string certificate;  // Empty = none.
  Secret key;
  std::string server_name;
  bool insecure_skip_verify = false;
};

// Thread-safe. New connections use the newest good material; a broken new file keeps the old one
// and the caller of reload() logs it.
class TlsServerContext {
 public:
  static Result<std::shared_ptr<TlsServerContext>> create(TlsServerFiles files);
  virtual ~TlsServerContext() = default;
  // Re-reads the files when they have changed. True when new material is in use.
  virtual Result<bool> reload() = 0;
  // Seconds until the certificate expires; negative when it has.
  virtual double seconds_to_expiry() const = 0;
};

class TlsClientContext {
 public:
  static Result<std::shared_ptr<TlsClientContext>> create(TlsClientFiles files);
  // reload() does nothing.
  static Result<std::shared_ptr<TlsClientContext>> create(const TlsClientPem& pem);
  virtual ~TlsClientContext() = default;
  virtual Result<bool> reload() = 0;
};

}  // namespace spanway::http
