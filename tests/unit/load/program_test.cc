#include "services/load/program.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "services/lib/base/thread.h"
#include "services/load/sink_server.h"

namespace spanway::load {
namespace {

class ProgramTest : public testing::Test {
 protected:
  int run(const std::vector<std::string>& words) {
    out_.str("");
    err_.str("");
    return load::run(words, {system_clock(), out_, err_, stop_.get_token()});
  }
  std::stop_source stop_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(ProgramTest, ExplainsItself) {
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_NE(out_.str().find("--rate"), std::string::npos);
  EXPECT_EQ(run({"sink", "--help"}), 0);
  EXPECT_NE(out_.str().find("--delay-ms"), std::string::npos);
  EXPECT_EQ(run({"compare", "--help"}), 0);
  EXPECT_NE(out_.str().find("--ledger"), std::string::npos);
}

TEST_F(ProgramTest, RefusesWrongFlags) {
  EXPECT_EQ(run({"--rat", "5"}), 2);
  EXPECT_NE(err_.str().find("--rat"), std::string::npos);
  EXPECT_EQ(run({"sink", "--delay", "5"}), 2);
  EXPECT_EQ(run({"compare"}), 2);
  EXPECT_EQ(run({"--endpoint", "nowhere"}), 2);
  EXPECT_EQ(run({"--ledger", "/nonexistent/ledger"}), 2);
}

TEST_F(ProgramTest, EndsWith1WhenNothingWasAcknowledged) {
  EXPECT_EQ(run({"-rate", "100", "-duration", "50ms", "--endpoint", "127.0.0.1:1", "--retry-for",
                 "10ms", "--report", "json"}),
            1);
  EXPECT_NE(out_.str().find("\"acknowledged\":0"), std::string::npos);
}

TEST_F(ProgramTest, SendsAndCompares) {
  const telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  SinkServerOptions options;
  options.grpc_port = 0;
  options.admin_port = 0;
  const auto server = SinkServer::create(options, system_clock(), {log, metrics}).value();
  const std::string ledger = testing::TempDir() + "program_test_ledger";
  const std::string admin = "http://127.0.0.1:" + std::to_string(server->admin_port());
  EXPECT_EQ(run({"-rate", "10000", "-duration", "100ms", "-workers", "2", "--endpoint",
                 "127.0.0.1:" + std::to_string(server->grpc_port()), "--ledger", ledger}),
            0)
      << out_.str() << err_.str();
  EXPECT_NE(out_.str().find("1000 items"), std::string::npos) << out_.str();
  EXPECT_EQ(run({"compare", "--ledger", ledger, "--sink", admin}), 0) << err_.str();
  EXPECT_TRUE(out_.str().starts_with("{\"acknowledged\":1000,")) << out_.str();
  server->sink().reset();
  EXPECT_EQ(run({"compare", "--ledger", ledger, "--sink", admin}), 1);
  EXPECT_NE(out_.str().find("\"missing\":1000,"), std::string::npos) << out_.str();
  std::filesystem::remove(ledger);
}

TEST_F(ProgramTest, TheSinkReportsWhenItIsStopped) {
  stop_.request_stop();
  EXPECT_EQ(run({"sink", "--grpc-port", "0", "--admin-port", "0"}), 0) << err_.str();
  EXPECT_TRUE(out_.str().starts_with("{\"received\":0,")) << out_.str();
}

}  // namespace
}  // namespace spanway::load
