// OtlpGrpcSink over TLS against the real server.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "services/lib/rpc/otlp_grpc_sink.h"
#include "tests/fakes/sink_recorder.h"
#include "tests/unit/http/test_certificates.h"
#include "tests/unit/rpc/loopback.h"

namespace spanway::rpc {
namespace {

using std::chrono::seconds;

class OtlpGrpcSinkTlsTest : public testing::Test {
 protected:
  OtlpGrpcSinkTlsTest() {
    behind_.answer_with([](const pipeline::Batch&) { return pipeline::Outcome{}; });
    ca_file_ = folder_.write("ca.pem", ca_.certificate());
    server_files_ = {.certificate_file = "", .key_file = "", .client_ca_file = ""};
    const http::PemPair pair = ca_.issue("server", "DNS:ingress.test,IP:127.0.0.1");
    server_files_.certificate_file = folder_.write("server.pem", pair.certificate);
    server_files_.key_file = folder_.write("server.key", pair.key);
  }
  void listen() {
    receiver_ = std::make_unique<Receiver>(
        behind_, budget_, telemetry(),
        Receiver::Options{.tls = http::TlsServerContext::create(server_files_).value()});
  }
  OtlpGrpcSinkOptions options() const {
    OtlpGrpcSinkOptions options;
    options.endpoint = "127.0.0.1:" + std::to_string(receiver_->port());
    options.connections = 1;
    options.tls.emplace().ca_file = ca_file_;
    return options;
  }
  Answer send_once(const OtlpGrpcSinkOptions& options) {
    return exchange(*OtlpGrpcSink::create(options, system_clock(), telemetry()).value(),
                    batch_of("x"));
  }
  telemetry::Telemetry telemetry() { return {log_, metrics_}; }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  MemoryBudget budget_{1 << 20};
  fakes::SinkRecorder behind_;
  const http::TemporaryFolder folder_;
  const http::TestCa ca_{"ca"};
  const http::TestCa other_ca_{"other-ca"};
  std::string ca_file_;
  ServerTlsConfig server_files_;
  std::unique_ptr<Receiver> receiver_;
};

TEST_F(OtlpGrpcSinkTlsTest, TrustsTheConfiguredCa) {
  listen();
  const Answer answer = send_once(options());
  EXPECT_TRUE(answer.ok()) << answer.error().message;
}

TEST_F(OtlpGrpcSinkTlsTest, RefusesAServerOfAnotherCa) {
  listen();
  OtlpGrpcSinkOptions wrong = options();
  wrong.tls->ca_file = folder_.write("other.pem", other_ca_.certificate());
  const Answer answer = send_once(wrong);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(behind_.sent(), 0u);
}

TEST_F(OtlpGrpcSinkTlsTest, VerifiesTheNameOrTheOneThatIsConfigured) {
  const http::PemPair named = ca_.issue("server", "DNS:ingress.test");
  server_files_.certificate_file = folder_.write("server.pem", named.certificate);
  server_files_.key_file = folder_.write("server.key", named.key);
  listen();
  EXPECT_FALSE(send_once(options()).ok());
  OtlpGrpcSinkOptions right = options();
  right.tls->server_name = "ingress.test";
  const Answer answer = send_once(right);
  EXPECT_TRUE(answer.ok()) << answer.error().message;
}

TEST_F(OtlpGrpcSinkTlsTest, ShowsItsCertificateForMutualTls) {
  server_files_.client_ca_file = folder_.write("client-ca.pem", other_ca_.certificate());
  listen();
  EXPECT_FALSE(send_once(options()).ok());
  OtlpGrpcSinkOptions mutual = options();
  const http::PemPair pair = other_ca_.issue("client", "");
  mutual.tls->certificate_file = folder_.write("client.pem", pair.certificate);
  mutual.tls->key_file = folder_.write("client.key", pair.key);
  const Answer answer = send_once(mutual);
  EXPECT_TRUE(answer.ok()) << answer.error().message;
}

TEST_F(OtlpGrpcSinkTlsTest, UsesARenewedCertificateWithoutARestart) {
  server_files_.client_ca_file = folder_.write("client-ca.pem", other_ca_.certificate());
  listen();
  OtlpGrpcSinkOptions mutual = options();
  mutual.tls_reload_interval = seconds(1);
  const http::PemPair wrong = ca_.issue("client", "");
  mutual.tls->certificate_file = folder_.write("client.pem", wrong.certificate);
  mutual.tls->key_file = folder_.write("client.key", wrong.key);
  const auto sink = OtlpGrpcSink::create(mutual, system_clock(), telemetry()).value();
  EXPECT_FALSE(exchange(*sink, batch_of("x")).ok());
  const http::PemPair right = other_ca_.issue("client", "");
  folder_.write("client.pem", right.certificate);
  folder_.write("client.key", right.key);
  const Deadline deadline = Deadline::after(system_clock(), kTimeout);
  bool answered = false;
  while (!answered && !deadline.passed(system_clock().now())) {
    answered = exchange(*sink, batch_of("x")).ok();
  }
  EXPECT_TRUE(answered);
}

TEST_F(OtlpGrpcSinkTlsTest, DoesNotSpeakPlainTextToATlsServer) {
  listen();
  OtlpGrpcSinkOptions plain = options();
  plain.tls.reset();
  const Answer answer = send_once(plain);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
}

}  // namespace
}  // namespace spanway::rpc
