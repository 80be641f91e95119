#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <string_view>
#include <utility>

#include "services/lib/http/net/tls_context.h"

namespace spanway::http {
namespace {

// The place OpenSSL reserves for the application.
constexpr int kOfferIndex = 0;

struct SslDeleter {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslDeleter>;

std::string take_error(SSL* ssl) {
  std::string text;
  const long verify_result = SSL_get_verify_result(ssl);
  if (verify_result != X509_V_OK)
    text = std::string("certificate: ") + X509_verify_cert_error_string(verify_result);
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  if (reason != nullptr) text += (text.empty() ? "" : "; ") + std::string(reason);
  ERR_clear_error();
  return text.empty() ? "the peer closed the connection" : text;
}

class TlsTransport final : public Transport {
 public:
  TlsTransport(int fd, SslPtr ssl, AlpnOffer offer) : fd_(fd), ssl_(std::move(ssl)), offer_(offer) {
    SSL_set_ex_data(ssl_.get(), kOfferIndex, &offer_);
    SSL_set_fd(ssl_.get(), fd);
  }

  IoResult handshake() override {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    if (done == 1) return {IoState::kOk, 0};
    return blocked_or_failed(done);
  }

  IoResult read(std::span<char> into) override {
    std::size_t total = 0;
    stopped_full_ = false;
    // A record holds 16 KiB at most: several at once, so that the session is called less often.
    while (total < into.size()) {
      ERR_clear_error();
      std::size_t got = 0;
      const int done = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &got);
      if (done != 1) {
        if (total > 0) return {IoState::kOk, total};  // The next call says why it stopped.
        return blocked_or_failed(done);
      }
      total += got;
    }
    stopped_full_ = true;
    return {IoState::kOk, total};
  }

  IoResult write(std::string_view bytes) override {
    ERR_clear_error();
    std::size_t sent = 0;
    const int done = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent);
    if (done == 1) return {IoState::kOk, sent};
    return blocked_or_failed(done);
  }

  void shutdown() noexcept override {
    ERR_clear_error();
    if (!failed_ && SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());
    ERR_clear_error();
    ::shutdown(fd_, SHUT_WR);
  }

  std::string_view alpn() const override {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string peer_cn() const override;
  std::string failure() const override { return failure_; }
  bool has_buffered() const override { return stopped_full_; }

 private:
  IoResult blocked_or_failed(int done) {
    switch (SSL_get_error(ssl_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        return {IoState::kWantRead, 0};
      case SSL_ERROR_WANT_WRITE:
        return {IoState::kWantWrite, 0};
      case SSL_ERROR_ZERO_RETURN:
        return {IoState::kEof, 0};
      default:
        break;
    }
    failed_ = true;
    failure_ = take_error(ssl_.get());
    return {IoState::kFailed, 0};
  }

  const int fd_;
  const SslPtr ssl_;
  AlpnOffer offer_;
  bool failed_ = false;
  bool stopped_full_ = false;
  std::string failure_;
};

std::string TlsTransport::peer_cn() const {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      SSL_get1_peer_certificate(ssl_.get()), X509_free);
  if (certificate == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  // Two names leave room for two readings.
  if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) return {};
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return name.find('\0') == std::string::npos ? name : std::string();
}

}  // namespace

int select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                const unsigned char* offered, unsigned int offered_size, void*) noexcept {
  const auto* const offer = static_cast<const AlpnOffer*>(SSL_get_ex_data(ssl, kOfferIndex));
  const auto choose = [&](std::string_view protocol) {
    for (unsigned int at = 0; at < offered_size;) {
      const unsigned int size = offered[at];
      if (at + 1 + size > offered_size) return false;
      if (protocol == std::string_view(reinterpret_cast<const char*>(offered + at + 1), size)) {
        *out = offered + at + 1;
        *out_size = static_cast<unsigned char>(size);
        return true;
      }
      at += 1 + size;
    }
    return false;
  };
  if (offer != nullptr && offer->http2 && choose("h2")) return SSL_TLSEXT_ERR_OK;
  if (offer != nullptr && offer->http1 && choose("http/1.1")) return SSL_TLSEXT_ERR_OK;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::unique_ptr<Transport> make_tls_server_transport(int fd, const SslContext& context,
                                                     AlpnOffer offer) {
  SslPtr ssl(SSL_new(context.get()));
  if (ssl == nullptr) return nullptr;
  SSL_set_accept_state(ssl.get());
  return std::make_unique<TlsTransport>(fd, std::move(ssl), offer);
}

std::unique_ptr<Transport> make_tls_client_transport(int fd, const SslContext& context,
                                                     const std::string& host,
                                                     std::string_view alpn) {
  SslPtr ssl(SSL_new(context.get()));
  if (ssl == nullptr) return nullptr;
  SSL_set_connect_state(ssl.get());
  // Zero is success, unlike in the rest of OpenSSL.
  if (!alpn.empty() &&
      SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned int>(alpn.size())) != 0)
    return nullptr;
  X509_VERIFY_PARAM* const parameters = SSL_get0_param(ssl.get());
  // Without a name to check against, nothing must pass.
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) != 1) {
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) != 1) return nullptr;
    // SSL_set_tlsext_host_name() without its C cast.
    if (SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>(host.c_str())) != 1)
      return nullptr;
  }
  ERR_clear_error();
  return std::make_unique<TlsTransport>(fd, std::move(ssl), AlpnOffer{});
}

}  // namespace spanway::http
