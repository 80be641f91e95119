#include "services/lib/otlp_server/otlp_listener.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/answers.h"
#include "tests/fakes/sink_recorder.h"
#include "tests/unit/http/test_certificates.h"
#include "tests/unit/rpc/loopback.h"

namespace spanway::otlp_server {
namespace {

class OtlpListenerTest : public testing::Test {
 protected:
  OtlpListenerTest() {
    behind_.answer_with([](const pipeline::Batch&) { return pipeline::Outcome{}; });
  }
  void use_tls() {
    write_certificate();
    config_.tls.certificate_file = folder_.path() + "/server.pem";
    config_.tls.key_file = folder_.path() + "/server.key";
  }
  void write_certificate(const std::string& name = "server") {
    const http::PemPair pair = ca_.issue(name, "IP:127.0.0.1");
    folder_.write("server.pem", pair.certificate);
    folder_.write("server.key", pair.key);
  }
  Result<std::unique_ptr<OtlpListener>> create() {
    return OtlpListener::create({config_, {}}, {io_, telemetry_, system_clock()}, budget_);
  }
  void start() {
    listener_ = create().value();
    ASSERT_TRUE(listener_->listen_grpc(0, service_).ok());
    listener_->start();
  }
  // True when a new client gets an answer.
  bool answers() {
    rpc::OtlpGrpcSinkOptions options;
    options.endpoint = "127.0.0.1:" + std::to_string(listener_->port("otlp_grpc"));
    options.connections = 1;
    if (listener_->tls())
      options.tls.emplace().ca_file = folder_.write("ca.pem", ca_.certificate());
    const auto client = rpc::OtlpGrpcSink::create(options, system_clock(), telemetry_).value();
    return rpc::exchange(*client, rpc::batch_of("x")).ok();
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  telemetry::Telemetry telemetry_{log_, metrics_};
  const http::TemporaryFolder folder_;
  const http::TestCa ca_{"ca"};
  OtlpListenerConfig config_;
  MemoryBudget budget_{64 << 20};
  fakes::SinkRecorder behind_;
  const std::unique_ptr<rpc::Gatekeeper> gatekeeper_ = rpc::plain_gatekeeper();
  rpc::ExportService service_{{},         behind_,    *gatekeeper_, budget_, system_clock(),
                              telemetry_, "otlp_grpc"};
  http::IoPool io_{"io", 1};
  std::unique_ptr<OtlpListener> listener_;
};

TEST_F(OtlpListenerTest, ServesItsPorts) {
  start();
  EXPECT_NE(listener_->port("otlp_grpc"), 0);
  EXPECT_EQ(listener_->port("otlp_http"), 0);
  EXPECT_FALSE(listener_->tls());
  EXPECT_TRUE(answers());
  EXPECT_GT(listener_->connection_memory().peak(), 0u);
  listener_->stop_accepting();
  EXPECT_TRUE(listener_->drain(Deadline::after(system_clock(), std::chrono::seconds(10))));
}

TEST_F(OtlpListenerTest, APortThatIsTakenIsAnErrorWithTheKeysName) {
  start();
  const auto second = create().value();
  const Status status = second->listen_grpc(listener_->port("otlp_grpc"), service_);
  ASSERT_FALSE(status.ok());
  EXPECT_TRUE(status.error().message.starts_with("otlp: ")) << status.error().message;
}

TEST_F(OtlpListenerTest, FilesThatCannotBeUsedAreAnErrorWithTheKeysName) {
  use_tls();
  folder_.write("server.key", "garbage");
  const auto created = create();
  ASSERT_FALSE(created.ok());
  EXPECT_TRUE(created.error().message.starts_with("otlp.tls: ")) << created.error().message;
}

TEST_F(OtlpListenerTest, AGarbageCertificateIsReportedAndTheOldOneStaysInUse) {
  use_tls();
  start();
  EXPECT_GT(listener_->tls_status().seconds_to_expiry, 0);
  EXPECT_EQ(listener_->tls_status().reload_error, "");
  folder_.write("server.pem", "garbage");
  EXPECT_FALSE(listener_->reload_tls().ok());
  EXPECT_NE(listener_->tls_status().reload_error.find("server.pem"), std::string::npos)
      << listener_->tls_status().reload_error;
  EXPECT_GT(listener_->tls_status().seconds_to_expiry, 0);
  EXPECT_TRUE(answers());

  write_certificate("renewed");
  const Result<bool> reloaded = listener_->reload_tls();
  ASSERT_TRUE(reloaded.ok()) << reloaded.error().message;
  EXPECT_TRUE(*reloaded);
  EXPECT_EQ(listener_->tls_status().reload_error, "");
  EXPECT_TRUE(answers());
}

TEST_F(OtlpListenerTest, FilesThatAreGoneAreReportedToo) {
  use_tls();
  start();
  std::remove(config_.tls.key_file.c_str());
  EXPECT_FALSE(listener_->reload_tls().ok());
  EXPECT_NE(listener_->tls_status().reload_error, "");
  EXPECT_TRUE(answers());
}

}  // namespace
}  // namespace spanway::otlp_server
