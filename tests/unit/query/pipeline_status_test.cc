#include "services/query/pipeline_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/fakes/fake_http_backend.h"

namespace spanway::query {
namespace {

using testing::HasSubstr;

// The clients need the real time; only the age of an answer is moved.
class MovedClock final : public Clock {
 public:
  SteadyTime now() const noexcept override { return system_clock().now() + Duration(by_.load()); }
  SystemTime system_now() const noexcept override { return system_clock().system_now(); }
  void advance(Duration by) { by_ += by.count(); }

 private:
  std::atomic<Duration::rep> by_{0};
};

class PipelineStatusTest : public testing::Test {
 protected:
  void read_from(std::map<std::string, std::string> services) {
    status_ = PipelineStatus::create(PipelineConfig{std::move(services)}, io_, clock_).value();
  }
  static std::string address(std::uint16_t port) {
    return "http://127.0.0.1:" + std::to_string(port);
  }

  MovedClock clock_;
  http::IoPool io_{"test", 1};
  std::atomic<int> reads_{0};
  fakes::FakeHttpBackend service_{[this](const fakes::SeenRequest& request) {
    ++reads_;
    return fakes::http_answer(200, R"({"ready":true,"reason":")" + request.head.path + R"("})");
  }};
  std::unique_ptr<PipelineStatus> status_;
};

TEST_F(PipelineStatusTest, EachServiceHasItsStateOrTheReason) {
  fakes::FakeHttpBackend other([](const fakes::SeenRequest&) { return fakes::http_answer(404); });
  fakes::FakeHttpBackend page(
      [](const fakes::SeenRequest&) { return fakes::http_answer(200, "<html>"); });
  fakes::FakeHttpBackend large([](const fakes::SeenRequest&) {
    return fakes::http_answer(200, std::string(PipelineStatus::kStatuszBytesMax + 1, ' '));
  });
  read_from({{"ingress", address(service_.port())},
             {"large", address(large.port())},
             {"other", address(other.port())},
             {"page", address(page.port())},
             {"silent", "http://127.0.0.1:1"}});
  const std::string json = status_->read();
  EXPECT_THAT(
      json,
      testing::StartsWith(
          R"({"services":[{"name":"ingress","answered":true,"services":[{"ready":true}]},{"name":"large","answered":false,"error":)"));
  EXPECT_THAT(json, HasSubstr(R"("name":"other","answered":false,"error":"/statusz answers 404)"));
  EXPECT_THAT(json, HasSubstr("is no /statusz of a service of Spanway"));
  EXPECT_THAT(json, HasSubstr(R"("name":"silent","answered":false)"));
}

TEST_F(PipelineStatusTest, AnAnswerIsKeptForSeconds) {
  read_from({{"ingress", address(service_.port())}});
  const std::string first = status_->read();
  EXPECT_EQ(status_->read(), first);
  EXPECT_EQ(reads_, 1);
  clock_.advance(PipelineStatus::kKeptFor);
  EXPECT_EQ(status_->read(), first);
  EXPECT_EQ(reads_, 2);
}

TEST_F(PipelineStatusTest, NoServicesAreAnEmptyList) {
  read_from({});
  EXPECT_EQ(status_->read(), R"({"services":[]})");
}

TEST_F(PipelineStatusTest, AnAddressThatCannotBeCalledIsNamed) {
  const auto created =
      PipelineStatus::create(PipelineConfig{{{"ingress", "ingress:8080"}}}, io_, clock_);
  ASSERT_FALSE(created.ok());
  EXPECT_THAT(created.error().message, HasSubstr("pipeline.services.ingress"));
}

}  // namespace
}  // namespace spanway::query
