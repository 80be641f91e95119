#include "services/lib/kafka/tls_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/lib/kafka/native.h"
#include "services/lib/telemetry/logger.h"
#include "tests/unit/http/test_certificates.h"

namespace spanway::kafka::native {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class IgnoredCallbacks final : public Callbacks {
 public:
  using Callbacks::Callbacks;
  void on_error(int, const std::string&, bool) noexcept override {}
};

// A client that never connects.
class TlsReloadOfAClient : public testing::Test {
 protected:
  void SetUp() override {
    client_.brokers = {"127.0.0.1:1"};
    client_.tls.enabled = true;
    client_.tls.ca_file = folder_.write("ca.crt", http::TestCa("one").certificate());
    write_pair("first");
    Conf conf;
    apply_client(conf, client_, callbacks_);
    auto handle = create_handle(conf, client_, Role::kProducer);
    ASSERT_TRUE(handle.ok()) << handle.error().message;
    handle_ = std::move(handle).value();
  }
  void write_pair(const std::string& name) {
    const http::PemPair pair = clients_.issue(name, "");
    client_.tls.certificate_file = folder_.write("client.crt", pair.certificate);
    client_.tls.key_file = folder_.write("client.key", pair.key);
  }

  const http::TemporaryFolder folder_;
  const http::TestCa clients_{"clients"};
  ClientConfig client_;
  const telemetry::Logger log_ = telemetry::Logger::null();
  IgnoredCallbacks callbacks_{log_};
  Handle handle_;
};

TEST_F(TlsReloadOfAClient, SeesEachFileThatChanges) {
  TlsReload files(client_.tls);
  EXPECT_FALSE(files.refresh(handle_.get()).value()) << "the first files";
  EXPECT_FALSE(files.refresh(handle_.get()).value()) << "the same files";
  write_pair("second");
  EXPECT_TRUE(files.refresh(handle_.get()).value());
  folder_.write("ca.crt", http::TestCa("two").certificate());
  EXPECT_TRUE(files.refresh(handle_.get()).value());
  EXPECT_FALSE(files.refresh(handle_.get()).value());
}

TEST_F(TlsReloadOfAClient, FilesThatDoNotBelongTogetherAreAnErrorUntilTheyDo) {
  TlsReload files(client_.tls);
  ASSERT_TRUE(files.refresh(handle_.get()).ok());
  folder_.write("client.crt", clients_.issue("third", "").certificate);
  for (int i = 0; i < 2; ++i) {
    const Result<bool> refused = files.refresh(handle_.get());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().refusal, Refusal::kConfiguration);
    EXPECT_THAT(refused.error().message, StartsWith("kafka.tls.key_file: "));
    EXPECT_THAT(refused.error().message, HasSubstr("stay in use"));
  }
  write_pair("third");
  EXPECT_TRUE(files.refresh(handle_.get()).value());
}

TEST_F(TlsReloadOfAClient, AGarbageFileIsNamed) {
  TlsReload files(client_.tls);
  ASSERT_TRUE(files.refresh(handle_.get()).ok());
  folder_.write("ca.crt", "garbage");
  EXPECT_THAT(files.refresh(handle_.get()).error().message, StartsWith("kafka.tls.ca_file: "));
  folder_.write("ca.crt", "");
  EXPECT_THAT(files.refresh(handle_.get()).error().message, StartsWith("kafka.tls.ca_file: "));
}

TEST_F(TlsReloadOfAClient, WithoutTlsNothingIsRead) {
  TlsConfig off = client_.tls;
  off.enabled = false;
  off.ca_file = "/does/not/exist";
  EXPECT_FALSE(TlsReload(off).refresh(nullptr).value());
}

}  // namespace
}  // namespace spanway::kafka::native
