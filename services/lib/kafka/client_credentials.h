// The password and the TLS files of a client, read again while it runs. Private to
// services/lib/kafka.
#pragma once

#include "services/lib/base/result.h"
#include "services/lib/kafka/client_config.h"
#include "services/lib/kafka/sasl_password.h"
#include "services/lib/kafka/tls_files.h"

namespace spanway::kafka::native {

// On one thread. Errors are configuration errors that name key and file.
class ClientCredentials {
 public:
  explicit ClientCredentials(const ClientConfig& client)
      : password_(client.sasl), tls_(client.tls) {}
  // SaslPassword::refresh() and TlsReload::refresh(). True when something has changed.
  Result<bool> refresh(rd_kafka_s* handle) {
    const Result<bool> files = tls_.refresh(handle);
    const Result<bool> password = password_.refresh(handle);
    SPANWAY_TRY(files);
    SPANWAY_TRY(password);
    return *files || *password;
  }

 private:
  SaslPassword password_;
  TlsReload tls_;
};

}  // namespace spanway::kafka::native
