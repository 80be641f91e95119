#include "tests/fakes/scripted_api_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "services/lib/base/check.h"
#include "services/lib/base/thread.h"

namespace spanway::fakes {
namespace {

using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;

BioPtr bio_of(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}

SSL_CTX* make_context(const ScriptedApiServer::Tls& tls) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  X509* certificate =
      PEM_read_bio_X509(bio_of(tls.certificate_pem).get(), nullptr, nullptr, nullptr);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio_of(tls.key_pem).get(), nullptr, nullptr, nullptr);
  SPANWAY_CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
  SPANWAY_CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(certificate);
  EVP_PKEY_free(key);
  if (tls.client_ca_pem.empty()) return context;
  X509* ca = PEM_read_bio_X509(bio_of(tls.client_ca_pem).get(), nullptr, nullptr, nullptr);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
  X509_free(ca);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return context;
}

// One line or a number of bytes at a time from a socket; nothing once it is closed.
class Reader {
 public:
  Reader(int socket, SSL* tls) : socket_(socket), tls_(tls) {}

  std::optional<std::string> line() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos)
      if (!more()) return std::nullopt;
    std::string text = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    return text;
  }
  std::optional<std::string> bytes(std::size_t count) {
    while (buffer_.size() < count)
      if (!more()) return std::nullopt;
    std::string text = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return text;
  }

 private:
  bool more() {
    std::array<char, 4096> bytes{};
    const auto got = tls_ != nullptr ? SSL_read(tls_, bytes.data(), static_cast<int>(bytes.size()))
                                     : recv(socket_, bytes.data(), bytes.size(), 0);
    if (got <= 0) return false;
    buffer_.append(bytes.data(), static_cast<std::size_t>(got));
    return true;
  }

  const int socket_;
  SSL* const tls_;
  std::string buffer_;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::optional<ApiRequest> read_request(Reader& reader) {
  const auto first = reader.line();
  if (!first) return std::nullopt;
  ApiRequest request;
  const auto space = first->find(' ');
  const auto second = first->find(' ', space + 1);
  request.method = first->substr(0, space);
  const std::string target = first->substr(space + 1, second - space - 1);
  const auto mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != std::string::npos) request.query = target.substr(mark + 1);
  while (true) {
    const auto line = reader.line();
    if (!line) return std::nullopt;
    if (line->empty()) break;
    const auto colon = line->find(':');
    const auto value = line->find_first_not_of(' ', colon + 1);
    request.headers[lower(line->substr(0, colon))] =
        value == std::string::npos ? "" : line->substr(value);
  }
  const std::string length = request.header("content-length");
  auto body = reader.bytes(length.empty() ? 0 : std::stoul(length));
  if (!body) return std::nullopt;
  request.body = std::move(*body);
  return request;
}

}  // namespace

void ApiReply::raw(std::string_view bytes) {
  while (!bytes.empty() && !dropped_) {
    const auto sent = tls_ != nullptr
                          ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                          : send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      dropped_ = true;
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void ApiReply::answer(int status, std::string_view body, const Headers& headers) {
  std::string text =
      "HTTP/1.1 " + std::to_string(status) +
      " Said\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  text += "\r\n";
  text += body;
  raw(text);
}

void ApiReply::start_stream(int status) {
  raw("HTTP/1.1 " + std::to_string(status) +
      " Said\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
}

void ApiReply::chunk(std::string_view bytes) {
  std::array<char, 32> size{};
  const int length = std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
  std::string text(size.data(), static_cast<std::size_t>(length));
  text += bytes;
  text += "\r\n";
  raw(text);
}

void ApiReply::end_stream() { raw("0\r\n\r\n"); }

void ApiReply::hold() {
  while (!dropped_) {
    std::array<pollfd, 2> waits{{{socket_, POLLIN, 0}, {wake_, POLLIN, 0}}};
    if (poll(waits.data(), waits.size(), 30'000) <= 0 || waits[1].revents != 0) break;
    std::array<char, 256> bytes{};
    if (recv(socket_, bytes.data(), bytes.size(), 0) <= 0) break;
  }
  dropped_ = true;
}

ScriptedApiServer::ScriptedApiServer(Handler handler, const Tls* tls)
    : handler_(std::move(handler)), tls_(tls == nullptr ? nullptr : make_context(*tls)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  wake_ = eventfd(0, EFD_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  SPANWAY_CHECK(bind(listener_, generic, sizeof address) == 0);
  SPANWAY_CHECK(listen(listener_, 64) == 0);
  socklen_t length = sizeof address;
  SPANWAY_CHECK(getsockname(listener_, generic, &length) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = start_thread("api-accept", [this](const std::stop_token&) { accept_all(); });
}

ScriptedApiServer::~ScriptedApiServer() {
  stop();
  close(wake_);
  if (tls_ != nullptr) SSL_CTX_free(tls_);
}

void ScriptedApiServer::stop() {
  std::vector<std::unique_ptr<Connection>> open;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  const std::uint64_t one = 1;
  SPANWAY_CHECK(write(wake_, &one, sizeof one) == sizeof one);
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  {
    MutexLock lock(mutex_);
    open = std::move(connections_);
  }
  for (auto& connection : open) shutdown(connection->socket, SHUT_RDWR);
  for (auto& connection : open) {
    connection->thread.join();
    close(connection->socket);
  }
}

void ScriptedApiServer::accept_all() {
  while (true) {
    const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    auto connection = std::make_unique<Connection>();
    connection->socket = peer;
    MutexLock lock(mutex_);
    const int number = static_cast<int>(connections_.size()) + 1;
    connection->thread = start_thread(
        "api-serve", [this, peer, number](const std::stop_token&) { serve(peer, number); });
    connections_.push_back(std::move(connection));
  }
}

void ScriptedApiServer::serve(int socket, int number) {
  SSL* tls = nullptr;
  bool ready = true;
  if (tls_ != nullptr) {
    tls = SSL_new(tls_);
    SSL_set_fd(tls, socket);
    ready = SSL_accept(tls) == 1;
  }
  if (ready) serve_requests(socket, tls, number);
  if (tls != nullptr) SSL_free(tls);
  shutdown(socket, SHUT_RDWR);
}

void ScriptedApiServer::serve_requests(int socket, ssl_st* tls, int number) {
  Reader reader(socket, tls);
  while (auto request = read_request(reader)) {
    request->connection = number;
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      requests_.push_back(*request);
    }
    ApiReply reply(socket, tls, wake_);
    handler_(*request, reply);
    if (reply.dropped()) return;
  }
}

std::string ScriptedApiServer::url() const {
  return (tls_ == nullptr ? "http://127.0.0.1:" : "https://127.0.0.1:") + std::to_string(port_);
}

std::vector<ApiRequest> ScriptedApiServer::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

int ScriptedApiServer::connections() const {
  MutexLock lock(mutex_);
  return static_cast<int>(connections_.size());
}

}  // namespace spanway::fakes
