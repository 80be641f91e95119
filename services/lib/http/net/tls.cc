#include "services/lib/http/tls.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <utility>
#include <vector>

#include "services/lib/base/file.h"
#include "services/lib/http/net/tls_context.h"

namespace spanway::http {
namespace {

// A certificate bundle of a whole system is about 200 KB.
constexpr std::size_t kFileBytesMax = 4 * 1024 * 1024;
constexpr std::size_t kReadBufferBytes = 64 * 1024;

struct Freer {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, Freer>;
using CertificatePtr = std::unique_ptr<X509, Freer>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer>;

Error tls_error(std::string text) {
  return configuration_error(Code::kInvalidArgument, std::move(text)).with_reason("tls_file");
}

// The content of a PEM file, wiped when it is no longer needed.
class PemFile {
 public:
  // `key`: that of the configuration, for messages.
  static Result<PemFile> read(std::string key, const std::string& path) {
    PemFile file;
    file.name_ = std::move(key);
    file.path_ = path;
    if (path.empty()) return file;
    auto text = read_file(path, kFileBytesMax);
    if (!text.ok()) return tls_error(file.name_ + ": " + text.error().message);
    file.text_ = std::move(text).value();
    if (file.text_.empty()) return file.error("is empty", "write PEM into it");
    return file;
  }
  // `name` is for messages.
  static PemFile of_text(std::string name, std::string text) {
    PemFile file;
    file.name_ = std::move(name);
    file.text_ = std::move(text);
    return file;
  }
  PemFile(PemFile&&) = default;
  PemFile& operator=(PemFile&&) = default;
  PemFile(const PemFile&) = delete;
  PemFile& operator=(const PemFile&) = delete;
  ~PemFile() { OPENSSL_cleanse(text_.data(), text_.size()); }

  // "otlp.tls.key_file: the file '/tls/key' <problem> (<the reason of OpenSSL>); <advice>"
  Error error(std::string_view problem, std::string_view advice) const {
    std::string text =
        name_ + (path_.empty() ? " " : ": the file '" + path_ + "' ") + std::string(problem);
    const unsigned long code = ERR_peek_last_error();
    if (const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code))
      text += std::string(" (") + reason + ")";
    ERR_clear_error();
    return tls_error(text + "; " + std::string(advice));
  }
  const std::string& name() const noexcept { return name_; }
  std::string_view text() const noexcept { return text_; }
  BioPtr open() const {
    return BioPtr(BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size())));
  }

 private:
  PemFile() = default;
  std::string name_;
  std::string path_;  // Empty = from no file.
  std::string text_;
};

// SHA-256 over all files with their lengths: also notices a change that keeps size and time.
std::string fingerprint_of(const std::vector<const PemFile*>& files) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
  for (const PemFile* file : files) {
    const std::uint64_t length = file->text().size();
    EVP_DigestUpdate(context, &length, sizeof(length));
    EVP_DigestUpdate(context, file->text().data(), file->text().size());
  }
  EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(digest.data()), &size);
  EVP_MD_CTX_free(context);
  digest.resize(size);
  return digest;
}

// A locked key is an error, not a question on the terminal.
int no_password(char*, int, int, void*) noexcept { return 0; }

Status use_certificate(SSL_CTX* context, const PemFile& certificate, const PemFile& key) {
  const BioPtr chain = certificate.open();
  const CertificatePtr leaf(PEM_read_bio_X509_AUX(chain.get(), nullptr, no_password, nullptr));
  if (leaf == nullptr || SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return certificate.error("holds no usable PEM certificate",
                             "it must hold the certificate, then those of its chain");
  while (const CertificatePtr next{PEM_read_bio_X509(chain.get(), nullptr, no_password, nullptr)})
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1)
      return certificate.error("holds an unusable certificate of the chain",
                               "it must hold the certificate, then those of its chain");
  ERR_clear_error();  // The end of the file is reported as an error.
  const KeyPtr secret(PEM_read_bio_PrivateKey(key.open().get(), nullptr, no_password, nullptr));
  if (secret == nullptr || SSL_CTX_use_PrivateKey(context, secret.get()) != 1)
    return key.error("holds no usable PEM key",
                     "it must hold the key of " + certificate.name() + ", without a password");
  if (SSL_CTX_check_private_key(context) != 1)
    return key.error("holds another key", "it must hold that of " + certificate.name());
  return ok_status();
}

constexpr std::string_view kAuthoritiesAdvice = "it must hold PEM certificates of CAs";

// Makes the certificates of the file the trusted ones.
Status use_authorities(SSL_CTX* context, const PemFile& file, bool name_them_to_clients) {
  const BioPtr bundle = file.open();
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  std::size_t count = 0;
  while (const CertificatePtr ca{PEM_read_bio_X509(bundle.get(), nullptr, no_password, nullptr)}) {
    if (X509_STORE_add_cert(store, ca.get()) != 1)
      return file.error("holds an unusable certificate", kAuthoritiesAdvice);
    if (name_them_to_clients) SSL_CTX_add_client_CA(context, ca.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return file.error("holds no PEM certificate", kAuthoritiesAdvice);
  return ok_status();
}

SslContext make_context(const SSL_METHOD* method) {
  SslContext context(SSL_CTX_new(method), SSL_CTX_free);
  SPANWAY_CHECK(context != nullptr);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  // Several records per system call; safe because TlsTransport reads until nothing is left.
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_default_read_buffer_len(context.get(), kReadBufferBytes);
  // TLS 1.2 only with forward secrecy and authenticated encryption.
  SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  return context;
}

Result<SslContext> make_server_context(const PemFile& certificate, const PemFile& key,
                                       const PemFile& ca) {
  SslContext context = make_context(TLS_server_method());
  SPANWAY_TRY(use_certificate(context.get(), certificate, key));
  SSL_CTX_set_alpn_select_cb(context.get(), select_alpn, nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  // Sessions resumed with a client certificate belong to this server.
  constexpr unsigned char kSessions[] = "spanway";
  SSL_CTX_set_session_id_context(context.get(), kSessions, sizeof(kSessions));
  if (ca.text().empty()) return context;
  SPANWAY_TRY(use_authorities(context.get(), ca, true));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return context;
}

Result<SslContext> make_client_context(bool insecure_skip_verify, const PemFile& ca,
                                       const PemFile& certificate, const PemFile& key) {
  SslContext context = make_context(TLS_client_method());
  if (!ca.text().empty()) {
    SPANWAY_TRY(use_authorities(context.get(), ca, false));
  } else if (SSL_CTX_set_default_verify_paths(context.get()) != 1) {
    return tls_error("tls.ca_file: is empty, and the system's CAs cannot be read; set it");
  }
  if (!certificate.text().empty()) SPANWAY_TRY(use_certificate(context.get(), certificate, key));
  SSL_CTX_set_verify(context.get(), insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                     nullptr);
  return context;
}

}  // namespace

Result<bool> TlsServerContextImpl::reload() {
  SPANWAY_ASSIGN(const PemFile certificate,
                 PemFile::read("certificate_file", files_.certificate_file));
  SPANWAY_ASSIGN(const PemFile key, PemFile::read("key_file", files_.key_file));
  SPANWAY_ASSIGN(const PemFile ca, PemFile::read("client_ca_file", files_.client_ca_file));
  std::string fingerprint = fingerprint_of({&certificate, &key, &ca});
  if (material_.matches(fingerprint)) return false;
  SPANWAY_ASSIGN(SslContext created, make_server_context(certificate, key, ca));
  material_.replace(std::move(created), std::move(fingerprint));
  return true;
}

double TlsServerContextImpl::seconds_to_expiry() const {
  const SslContext context = material_.current();
  const X509* const certificate = SSL_CTX_get0_certificate(context.get());
  int days = 0;
  int seconds = 0;
  if (certificate == nullptr ||
      ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1)
    return 0;
  return 86'400.0 * days + seconds;
}

Result<bool> TlsClientContextImpl::reload() {
  if (!from_files_) return false;
  SPANWAY_ASSIGN(const PemFile ca, PemFile::read("tls.ca_file", files_.ca_file));
  SPANWAY_ASSIGN(const PemFile certificate,
                 PemFile::read("tls.certificate_file", files_.certificate_file));
  SPANWAY_ASSIGN(const PemFile key, PemFile::read("tls.key_file", files_.key_file));
  std::string fingerprint = fingerprint_of({&ca, &certificate, &key});
  if (material_.matches(fingerprint)) return false;
  SPANWAY_ASSIGN(SslContext created,
                 make_client_context(files_.insecure_skip_verify, ca, certificate, key));
  material_.replace(std::move(created), std::move(fingerprint));
  return true;
}

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::create(ServerTlsConfig config) {
  if (config.certificate_file.empty() || config.key_file.empty())
    return tls_error("certificate_file and key_file go together: set both");
  auto context = std::make_shared<TlsServerContextImpl>(std::move(config));
  SPANWAY_TRY(context->reload());
  return std::shared_ptr<TlsServerContext>(std::move(context));
}

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::create(ClientTlsConfig config) {
  if (config.certificate_file.empty() != config.key_file.empty())
    return tls_error("tls: certificate_file and key_file go together: set both or neither");
  auto context = std::make_shared<TlsClientContextImpl>(std::move(config));
  SPANWAY_TRY(context->reload());
  return std::shared_ptr<TlsClientContext>(std::move(context));
}

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::create(const TlsClientPem& pem) {
  if (pem.certificate.empty() != pem.key.empty())
    return tls_error("a client certificate and its key go together: set both or neither");
  SPANWAY_ASSIGN(SslContext context,
                 make_client_context(pem.insecure_skip_verify, PemFile::of_text("the CA", pem.ca),
                                     PemFile::of_text("the client certificate", pem.certificate),
                                     PemFile::of_text("the client key", pem.key.reveal())));
  ClientTlsConfig names;
  names.server_name = pem.server_name;
  return std::shared_ptr<TlsClientContext>(
      std::make_shared<TlsClientContextImpl>(std::move(names), std::move(context)));
}

}  // namespace spanway::http
