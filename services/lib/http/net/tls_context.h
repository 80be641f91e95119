// The OpenSSL side of tls.h, and the TLS transports. For this module only.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "services/lib/base/mutex.h"
#include "services/lib/http/net/transport.h"
#include "services/lib/http/tls.h"

namespace spanway::http {

using SslContext = std::shared_ptr<SSL_CTX>;

// Thread-safe: the newest good material, and a fingerprint of the files it came from.
class TlsMaterial {
 public:
  SslContext current() const {
    MutexLock lock(mutex_);
    return context_;
  }
  bool matches(const std::string& fingerprint) const {
    MutexLock lock(mutex_);
    return context_ != nullptr && fingerprint == fingerprint_;
  }
  void replace(SslContext context, std::string fingerprint) {
    MutexLock lock(mutex_);
    context_.swap(context);
    fingerprint_ = std::move(fingerprint);
  }

 private:
  mutable Mutex mutex_;
  SslContext context_ SPANWAY_GUARDED_BY(mutex_);
  std::string fingerprint_ SPANWAY_GUARDED_BY(mutex_);
};

class TlsServerContextImpl final : public TlsServerContext {
 public:
  explicit TlsServerContextImpl(ServerTlsConfig files) : files_(std::move(files)) {}
  Result<bool> reload() override;
  double seconds_to_expiry() const override;
  SslContext current() const { return material_.current(); }

 private:
  const ServerTlsConfig files_;
  TlsMaterial material_;
};

class TlsClientContextImpl final : public TlsClientContext {
 public:
  explicit TlsClientContextImpl(ClientTlsConfig files) : files_(std::move(files)) {}
  // For material that is in no files: `names` has the server's name alone.
  TlsClientContextImpl(ClientTlsConfig names, SslContext context)
      : files_(std::move(names)), from_files_(false) {
    material_.replace(std::move(context), {});
  }
  Result<bool> reload() override;
  SslContext current() const { return material_.current(); }
  // Empty = that of the URL.
  const std::string& server_name() const noexcept { return files_.server_name; }

 private:
  const ClientTlsConfig files_;
  const bool from_files_ = true;
  TlsMaterial material_;
};

// Which protocols a server offers by ALPN.
struct AlpnOffer {
  bool http1 = true;
  bool http2 = true;
};

// Null when there is no memory. `fd` as in Transport.
std::unique_ptr<Transport> make_tls_server_transport(int fd, const SslContext& context,
                                                     AlpnOffer offer);
// Verifies that the certificate is for `host`, a DNS name or an IP address, unless the context does
// not verify. `alpn` in the form of the wire (length, name, ...); empty = none is offered.
std::unique_ptr<Transport> make_tls_client_transport(int fd, const SslContext& context,
                                                     const std::string& host,
                                                     std::string_view alpn = {});
// For SSL_CTX_set_alpn_select_cb.
int select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                const unsigned char* offered, unsigned int offered_size, void* unused) noexcept;

}  // namespace spanway::http
