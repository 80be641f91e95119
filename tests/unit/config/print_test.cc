#include <gtest/gtest.h>

#include "tests/unit/config/sample_config.h"

namespace spanway::config {
namespace {

SampleConfig odd_config() {
  SampleConfig config;
  config.kafka.brokers = {"a:1", "b:2"};
  config.kafka.topics.logs = "yes";
  config.listen.host = "a: \"b\"\n\\ # ${env:NAME} \xc3\xa4 \x7f";
  config.listen.port = 0;
  config.limits.timeout = std::chrono::microseconds(1'500'001);
  config.limits.body = ByteSize{1025};
  config.limits.ratio = 1.0 / 3.0;
  config.limits.strict = true;
  config.labels = {{"null", "null"}, {"a b", ""}, {"$x", "$$"}, {"n", "007"}};
  config.destinations = {{"one", "http://one"}, {"two", "-"}};
  return config;
}

TEST(Print, ShowsEveryKey) {
  SampleConfig config;
  config.destinations = {{"one", "http://one"}};
  EXPECT_EQ(print(describe_of(config)), R"(kafka:
  brokers: ["localhost:9092"]
  topics:
    traces: otel.traces
    logs: otel.logs
  password: ""
  compression: zstd
listen:
  host: "0.0.0.0"
  port: 4317
limits:
  timeout: 30s
  body: 64MiB
  ratio: 0.5
  workers: 4
  strict: false
labels: {}
headers: {}
destinations:
  - name: one
    url: "http://one"
)");
}

TEST(Print, HidesSecrets) {
  SampleConfig config;
  config.kafka.password = Secret("hunter2");
  config.headers = {{"authorization", "hunter2"}};
  const std::string text = print(describe_of(config));
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
  EXPECT_NE(text.find("password: \"***\""), std::string::npos);
  EXPECT_NE(text.find("authorization: \"***\""), std::string::npos);
}

TEST(Print, CanBeLoadedAgainWithoutLoss) {
  SampleConfig config = odd_config();
  const std::string text = print(describe_of(config));
  SampleConfig again;
  const LoadReport report = load_sample(again, text);
  EXPECT_EQ(format(report.problems, "f"), "") << text;
  EXPECT_EQ(print(describe_of(again)), text);
  EXPECT_EQ(again.listen.host, config.listen.host);
  EXPECT_EQ(again.limits.timeout, config.limits.timeout);
  EXPECT_EQ(again.limits.ratio, config.limits.ratio);
  EXPECT_EQ(again.labels, config.labels);
  EXPECT_EQ(again.kafka.brokers, config.kafka.brokers);
  EXPECT_EQ(again.destinations.at(1).url, "-");
}

}  // namespace
}  // namespace spanway::config
