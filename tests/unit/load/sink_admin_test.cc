#include "services/load/sink_admin.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace spanway::load {
namespace {

class Recorder final : public http::Responder::Target {
 public:
  void respond(http::Response response) noexcept override { answer = std::move(response); }
  std::optional<http::Response> answer;
};

class SinkAdminTest : public testing::Test {
 protected:
  // "200 body"
  std::string call(std::string method, std::string path, std::string query = "",
                   std::string_view body = "") {
    http::RequestHead head;
    head.method = std::move(method);
    head.path = std::move(path);
    head.query = std::move(query);
    const auto target = std::make_shared<Recorder>();
    auto reader = admin_.on_request(head, http::Responder(target));
    if (reader && (body.empty() || reader->on_data(body))) reader->on_end();
    if (!target->answer) return "no answer";
    return std::to_string(target->answer->status) + " " + std::string(target->answer->body.view());
  }

  http::IoPool pool_{"test-io", 1};
  telemetry::Metrics metrics_;
  CountingSink sink_{{}, pool_, system_clock(), Random(1)};
  SinkAdmin admin_{sink_, metrics_};
};

TEST_F(SinkAdminTest, ServesItsPages) {
  EXPECT_TRUE(call("GET", "/report").starts_with("200 {\"received\":0,"));
  EXPECT_EQ(call("GET", "/healthz"), "200 ok\n");
  EXPECT_TRUE(call("GET", "/metrics").starts_with("200 "));
  EXPECT_EQ(call("POST", "/reset"), "200 ok\n");
  EXPECT_TRUE(call("GET", "/nothing").starts_with("404 "));
  EXPECT_TRUE(call("POST", "/nothing").starts_with("404 "));
  EXPECT_TRUE(call("DELETE", "/report").starts_with("405 "));
}

TEST_F(SinkAdminTest, ChangesTheBehaviour) {
  EXPECT_EQ(call("POST", "/behaviour", "delay-ms=5&fail-code=UNAVAILABLE&fail-ratio=0.5"),
            "200 ok\n");
  EXPECT_EQ(sink_.behaviour().delay, std::chrono::milliseconds(5));
  EXPECT_EQ(sink_.behaviour().fail_code, Code::kUnavailable);
  EXPECT_EQ(sink_.behaviour().fail_ratio, 0.5);
  EXPECT_TRUE(call("POST", "/behaviour", "fail-code=MAYBE").starts_with("400 "));
  EXPECT_TRUE(call("POST", "/behaviour", "colour=blue").starts_with("400 "));
  EXPECT_EQ(sink_.behaviour().fail_code, Code::kUnavailable);
  EXPECT_EQ(call("POST", "/behaviour"), "200 ok\n");
  EXPECT_EQ(sink_.behaviour().fail_code, Code::kOk);
}

TEST_F(SinkAdminTest, ComparesALedger) {
  const std::string answer = call("POST", "/compare", "",
                                  "{\"run\":\"5357000000000001\"}\n"
                                  "{\"first\":1,\"count\":2,\"outcome\":\"acked\"}\n");
  EXPECT_TRUE(answer.starts_with("200 {\"acknowledged\":2,")) << answer;
  EXPECT_NE(answer.find("\"missing\":2,"), std::string::npos) << answer;
  EXPECT_TRUE(call("POST", "/compare", "", "rubbish\n").starts_with("400 "));
}

}  // namespace
}  // namespace spanway::load
