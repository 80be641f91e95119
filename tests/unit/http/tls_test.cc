// TLS end to end: handshakes, ALPN, client certificates, reload.
#include "services/lib/http/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "tests/unit/http/client_fixture.h"
#include "tests/unit/http/server_fixture.h"
#include "tests/unit/http/test_certificates.h"

namespace spanway::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kNames = "DNS:localhost,IP:127.0.0.1";

// A server's and a client's files, of one CA.
struct Material {
  Material() {
    write(server_ca.issue("server", kNames));
    client_files.ca_file = folder.write("server-ca.pem", server_ca.certificate());
  }
  void write(const PemPair& pair) {
    server_files.certificate_file = folder.write("server.pem", pair.certificate);
    server_files.key_file = folder.write("server.key", pair.key);
  }
  void require_client_certificates() {
    server_files.client_ca_file = folder.write("client-ca.pem", client_ca.certificate());
  }
  void use_client_certificate(const PemPair& pair) {
    client_files.certificate_file = folder.write("client.pem", pair.certificate);
    client_files.key_file = folder.write("client.key", pair.key);
  }
  std::shared_ptr<TlsServerContext> server() const {
    auto made = TlsServerContext::create(server_files);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return std::move(made).value();
  }
  std::shared_ptr<TlsClientContext> client() const {
    auto made = TlsClientContext::create(client_files);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return std::move(made).value();
  }

  TemporaryFolder folder;
  TestCa server_ca{"server CA"};
  TestCa client_ca{"client CA"};
  ServerTlsConfig server_files;
  ClientTlsConfig client_files;
};

std::string https(const TestServer& server, const std::string& host = "127.0.0.1") {
  return "https://" + host + ":" + std::to_string(server.server->port());
}

// A blocking TLS client that says more of the handshake than ours does.
class RawTls {
 public:
  RawTls(std::uint16_t port, std::string_view alpn, int version = 0) : socket_(port) {
    context_ = SSL_CTX_new(TLS_client_method());
    if (version != 0) SSL_CTX_set_max_proto_version(context_, version);
    SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
    SSL_CTX_set_cipher_list(context_, "ALL:@SECLEVEL=0");
    ssl_ = SSL_new(context_);
    if (!alpn.empty())
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
    SSL_set_fd(ssl_, socket_.fd());
    connected_ = SSL_connect(ssl_) == 1;
  }
  ~RawTls() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;

  bool connected() const noexcept { return connected_; }
  std::string alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return std::string(reinterpret_cast<const char*>(name), size);
  }
  void send(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
  std::string receive() {
    char buffer[4096];
    const int got = SSL_read(ssl_, buffer, sizeof(buffer));
    return std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
  }

 private:
  RawClient socket_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
};

TEST(Tls, CarriesBodiesOfAnySizeBothWays) {
  Material material;
  TestServer server({}, material.server());
  TestClient client(https(server), {}, material.client());
  for (const std::size_t size : {0U, 1U, 20'000U, 3'000'000U}) {
    const std::string body(size, 'x');
    const auto answer = client.post("/echo", body);
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(answer->body.view(), "POST /echo ? " + body);
  }
  EXPECT_EQ(server.metric("spanway_http_connections_total"), 1) << "the connection is kept";
  EXPECT_TRUE(server.handler.last_head().tls);
}

TEST(Tls, VerifiesTheHostName) {
  Material material;
  TestServer server({}, material.server());
  EXPECT_TRUE(TestClient(https(server, "localhost"), {}, material.client()).get("/echo").ok());
  material.write(material.server_ca.issue("localhost", "DNS:other.example"));
  TestServer other({}, material.server());
  for (const char* host : {"localhost", "127.0.0.1"}) {
    const auto answer = TestClient(https(other, host), {}, material.client()).get("/echo");
    ASSERT_FALSE(answer.ok()) << host;
    EXPECT_STREQ(answer.error().reason, "connect_failed");
    EXPECT_THAT(answer.error().message, HasSubstr("certificate"));
  }
  material.client_files.server_name = "other.example";
  EXPECT_TRUE(TestClient(https(other), {}, material.client()).get("/echo").ok());
  EXPECT_EQ(other.handler.requests(), 1U);
}

TEST(Tls, VerifiesTheAuthorityUnlessConfiguredNotTo) {
  Material material;
  TestServer server({}, material.server());
  material.client_files.ca_file = material.folder.write("x.pem", material.client_ca.certificate());
  EXPECT_FALSE(TestClient(https(server), {}, material.client()).get("/echo").ok());
  material.client_files.insecure_skip_verify = true;
  EXPECT_TRUE(TestClient(https(server), {}, material.client()).get("/echo").ok());
  EXPECT_TRUE(eventually([&] {
    return server.metric("spanway_http_connections_refused_total",
                         {{"reason", "handshake_failed"}}) >= 1;
  }));
}

TEST(Tls, ChoosesTheProtocolByAlpn) {
  Material material;
  TestServer server({}, material.server());
  const std::uint16_t port = server.server->port();
  EXPECT_EQ(RawTls(port, "\x02h2\x08http/1.1").alpn(), "h2");
  EXPECT_EQ(RawTls(port, "\x08http/1.1\x02h2").alpn(), "h2");
  EXPECT_EQ(RawTls(port, "\x08http/1.1").alpn(), "http/1.1");
  EXPECT_FALSE(RawTls(port, "\x06spdy/3").connected());
  RawTls without(port, "");
  EXPECT_EQ(without.alpn(), "");
  without.send("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(without.receive(), StartsWith("HTTP/1.1 200"));
  RawTls http2(port, "\x02h2");
  http2.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9));
  EXPECT_EQ(http2.receive().substr(3, 1), "\x04") << "SETTINGS";
}

TEST(Tls, OffersOnlyWhatThePortSpeaks) {
  Material material;
  ServerOptions options;
  options.http1 = false;
  TestServer server(options, material.server());
  EXPECT_FALSE(RawTls(server.server->port(), "\x08http/1.1").connected());
  EXPECT_EQ(RawTls(server.server->port(), "\x02h2\x08http/1.1").alpn(), "h2");
}

TEST(Tls, RefusesAFolderInPlaceOfAFile) {
  const auto server = TlsServerContext::create(
      {.certificate_file = "/tmp", .key_file = "/tmp", .client_ca_file = ""});
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.error().message,
            "certificate_file: the file '/tmp' cannot be read; check that it is a file");
}

TEST(Tls, ErrorsNameTheKeyTheFileAndTheRemedy) {
  Material material;
  const PemPair other = material.server_ca.issue("other", "");
  ServerTlsConfig files = material.server_files;
  const auto message = [&] { return TlsServerContext::create(files).error().message; };
  files.key_file = material.folder.write("other.key", other.key);
  EXPECT_EQ(message(), "key_file: the file '" + files.key_file +
                           "' holds no usable PEM key (key values mismatch); it must hold the key "
                           "of certificate_file, without a password");
  files = material.server_files;
  files.client_ca_file = material.folder.write("ca.key", other.key);
  EXPECT_EQ(message(), "client_ca_file: the file '" + files.client_ca_file +
                           "' holds no PEM certificate; it must hold PEM certificates of CAs");
  ClientTlsConfig client = material.client_files;
  client.certificate_file = files.client_ca_file;
  client.key_file = files.client_ca_file;
  EXPECT_EQ(TlsClientContext::create(client).error().message,
            "tls.certificate_file: the file '" + client.certificate_file +
                "' holds no usable PEM certificate (no start line); it must hold the certificate, "
                "then those of its chain");
}

TEST(Tls, RefusesOldVersions) {
  Material material;
  TestServer server({}, material.server());
  EXPECT_FALSE(RawTls(server.server->port(), "", TLS1_1_VERSION).connected());
  EXPECT_TRUE(RawTls(server.server->port(), "", TLS1_2_VERSION).connected());
}

TEST(Tls, ReportsTheNameOfTheClientsCertificate) {
  Material material;
  material.require_client_certificates();
  material.use_client_certificate(material.client_ca.issue("team-a", ""));
  TestServer server({}, material.server());
  TestClient client(https(server), {}, material.client());
  const auto answer = client.get("/cn");
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->body.view(), "team-a");
}

TEST(Tls, RefusesClientsWithoutACertificateOfTheAuthority) {
  Material material;
  material.require_client_certificates();
  TestServer server({}, material.server());
  EXPECT_FALSE(TestClient(https(server), {}, material.client()).get("/cn").ok());
  material.use_client_certificate(material.server_ca.issue("team-a", ""));
  EXPECT_FALSE(TestClient(https(server), {}, material.client()).get("/cn").ok());
  material.use_client_certificate(material.client_ca.issue("team-a", "", -10));
  EXPECT_FALSE(TestClient(https(server), {}, material.client()).get("/cn").ok()) << "expired";
  EXPECT_EQ(server.handler.requests(), 0U);
}

TEST(Tls, AbortsStalledHandshakes) {
  Material material;
  ServerOptions options;
  options.limits.handshake_timeout = std::chrono::milliseconds(50);
  TestServer server(options, material.server());
  RawClient silent(server.server->port());
  RawClient half(server.server->port());
  half.send(std::string("\x16\x03\x01\x02\x00\x01\x00", 7));
  EXPECT_TRUE(silent.closed_within(std::chrono::seconds(5)));
  EXPECT_TRUE(half.closed_within(std::chrono::seconds(5)));
  EXPECT_EQ(
      server.metric("spanway_http_connections_refused_total", {{"reason", "handshake_timeout"}}),
      2);
}

TEST(Tls, RefusesPlainTextOnATlsPortAndSaysSo) {
  Material material;
  LogLines log;
  ServerOptions options;
  options.tls_section = "otlp.tls";
  TestServer server(options, material.server(), 1, log.logger());
  for (const char* request :
       {"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "P"}) {
    RawClient client(server.server->port());
    client.send(request);
    EXPECT_TRUE(client.closed_within(std::chrono::seconds(5))) << request;
  }
  EXPECT_EQ(server.handler.requests(), 0U);
  EXPECT_EQ(
      server.metric("spanway_http_connections_refused_total", {{"reason", "handshake_failed"}}), 3);
  const auto lines = log.with("the client speaks plain text, and this port is TLS");
  ASSERT_EQ(lines.size(), 1U) << "the rate of the line is limited";
  EXPECT_THAT(lines[0], HasSubstr("listener=test"));
  EXPECT_THAT(lines[0], HasSubstr("peer=127.0.0.1"));
  EXPECT_THAT(lines[0], HasSubstr("remove otlp.tls.certificate_file"));
  EXPECT_TRUE(TestClient(https(server), {}, material.client()).get("/echo").ok());
}

TEST(Tls, RefusesTlsOnAPlainPortAndSaysSo) {
  Material material;
  LogLines log;
  ServerOptions options;
  options.tls_section = "otlp.tls";
  TestServer server(options, nullptr, 1, log.logger());
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(TestClient(https(server), {}, material.client()).get("/echo").ok());
  EXPECT_EQ(server.handler.requests(), 0U);
  EXPECT_TRUE(server.all_gone());
  EXPECT_GE(server.metric("spanway_http_connections_refused_total", {{"reason", "protocol"}}), 3);
  const auto lines = log.with("the client speaks TLS, and this port does not");
  ASSERT_EQ(lines.size(), 1U) << "the rate of the line is limited";
  EXPECT_THAT(lines[0], HasSubstr("set otlp.tls.certificate_file and otlp.tls.key_file"));
}

// As the admin port is.
TEST(Tls, AListenerThatNeverHasTlsNamesNoKey) {
  LogLines log;
  TestServer server({}, nullptr, 1, log.logger());
  RawClient client(server.server->port());
  client.send(std::string("\x16\x03\x01\x02\x00\x01\x00", 7));
  EXPECT_TRUE(client.closed_within(std::chrono::seconds(5)));
  const auto lines = log.with("the client speaks TLS");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].find("certificate_file"), std::string::npos);
}

TEST(Tls, TakesNewFilesForNewConnections) {
  Material material;
  const auto context = material.server();
  TestServer server({}, context);
  TestClient old_client(https(server), {}, material.client());
  ASSERT_TRUE(old_client.get("/echo").ok());
  EXPECT_FALSE(context->reload().value()) << "nothing has changed";

  const TestCa next("next CA");
  material.write(next.issue("server", kNames));
  EXPECT_TRUE(context->reload().value());
  EXPECT_TRUE(old_client.get("/echo").ok()) << "open connections stay usable";
  EXPECT_FALSE(TestClient(https(server), {}, material.client()).get("/echo").ok());
  material.client_files.ca_file = material.folder.write("next.pem", next.certificate());
  EXPECT_TRUE(TestClient(https(server), {}, material.client()).get("/echo").ok());
}

TEST(Tls, KeepsTheOldFilesWhenTheNewOnesAreBroken) {
  Material material;
  const auto context = material.server();
  TestServer server({}, context);
  const PemPair next = material.server_ca.issue("server", kNames);
  const PemPair other = material.server_ca.issue("server", kNames);
  for (const PemPair& broken : {PemPair{"garbage", next.key}, PemPair{next.certificate, other.key},
                                PemPair{"", next.key}, PemPair{next.certificate, "garbage"}}) {
    material.write(broken);
    const auto result = context->reload();
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().refusal, Refusal::kConfiguration);
    EXPECT_TRUE(TestClient(https(server), {}, material.client()).get("/echo").ok());
  }
  material.write(next);
  EXPECT_TRUE(context->reload().value());
  EXPECT_TRUE(TestClient(https(server), {}, material.client()).get("/echo").ok());
}

TEST(Tls, ClientsTakeNewFilesToo) {
  Material material;
  TestServer server({}, material.server());
  material.client_files.ca_file = material.folder.write("ca.pem", material.client_ca.certificate());
  const auto context = material.client();
  TestClient client(https(server), {}, context);
  EXPECT_FALSE(client.get("/echo").ok());
  material.folder.write("ca.pem", material.server_ca.certificate());
  EXPECT_TRUE(context->reload().value());
  EXPECT_TRUE(client.get("/echo").ok());
}

TEST(Tls, KnowsWhenTheCertificateExpires) {
  Material material;
  EXPECT_NEAR(material.server()->seconds_to_expiry(), 3600, 60);
  material.write(material.server_ca.issue("server", kNames, -100));
  EXPECT_NEAR(material.server()->seconds_to_expiry(), -100, 60);
}

TEST(Tls, SaysWhichFileIsWrong) {
  const auto missing = TlsServerContext::create(
      {.certificate_file = "/no/such/file", .key_file = "/no/such/key", .client_ca_file = ""});
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/file"));
  EXPECT_FALSE(TlsServerContext::create({}).ok());
  EXPECT_FALSE(TlsClientContext::create({.ca_file = "",
                                         .certificate_file = "/x",
                                         .key_file = "",
                                         .server_name = "",
                                         .insecure_skip_verify = false})
                   .ok());
}

}  // namespace
}  // namespace spanway::http
