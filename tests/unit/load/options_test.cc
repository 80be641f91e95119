#include "services/load/options.h"

#include <gtest/gtest.h>

#include <vector>

#include "services/load/item_id.h"

namespace spanway::load {
namespace {

using std::chrono::seconds;
using Words = std::vector<std::string>;

Result<Parsed<SendOptions>> send(const Words& words) { return parse_send(words, 42); }

TEST(SendOptions, TakeTheShortForm) {
  const auto parsed = send({"-rate", "20000", "-duration", "5s", "-workers", "3"});
  ASSERT_TRUE(parsed.ok());
  const GeneratorOptions& generator = parsed->options.generator;
  EXPECT_EQ(generator.plan.rate, 20'000);
  EXPECT_EQ(generator.plan.duration, seconds(5));
  EXPECT_EQ(generator.plan.batch, 512u);
  EXPECT_EQ(generator.workers, 3u);
  EXPECT_EQ(parsed->options.connections, 3u);
  EXPECT_EQ(parsed->options.endpoint, "127.0.0.1:4317");
  EXPECT_TRUE(is_run(generator.run));
}

TEST(SendOptions, MakeRequestsSmallerAtSmallRates) {
  EXPECT_EQ(send({"-rate", "5000"})->options.generator.plan.batch, 500u);
  EXPECT_EQ(send({"-rate", "1"})->options.generator.plan.batch, 1u);
  EXPECT_EQ(send({"-rate", "0"})->options.generator.plan.batch, 512u);
  EXPECT_EQ(send({"-rate", "1", "--batch", "64"})->options.generator.plan.batch, 64u);
}

TEST(SendOptions, UnderstandTheWholeLongForm) {
  const auto parsed = send({"--protocol",
                            "http-json",
                            "--endpoint",
                            "host:1",
                            "--signal",
                            "logs,metrics",
                            "--compression",
                            "zstd",
                            "--tenant",
                            "t",
                            "--header",
                            "Authorization=Bearer x",
                            "--in-flight",
                            "4",
                            "--item-bytes",
                            "240",
                            "--spans-per-trace",
                            "3",
                            "--seed",
                            "9",
                            "--run",
                            "5357000000000001",
                            "--report",
                            "json",
                            "--ledger",
                            "l",
                            "--timeout",
                            "1s",
                            "--retry-for",
                            "2s",
                            "--finish-within",
                            "3s",
                            "--connections",
                            "7"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  const SendOptions& options = parsed->options;
  EXPECT_EQ(options.transport, Transport::kHttpJson);
  EXPECT_EQ(options.endpoint, "http://host:1");
  EXPECT_EQ(options.generator.signals, (std::vector{otlp::Signal::kLogs, otlp::Signal::kMetrics}));
  EXPECT_EQ(options.headers.at("authorization").reveal(), "Bearer x");
  EXPECT_EQ(options.generator.tenant, "t");
  EXPECT_EQ(options.generator.in_flight, 4u);
  EXPECT_EQ(options.generator.run, 0x5357000000000001u);
  EXPECT_EQ(options.generator.retry.retry_for, seconds(2));
  EXPECT_EQ(options.generator.finish_within, seconds(3));
  EXPECT_EQ(options.connections, 7u);
  EXPECT_TRUE(options.json_report);
}

TEST(SendOptions, RefuseWhatMakesNoSense) {
  for (const Words& words : std::vector<Words>{{"--protocol", "udp"},
                                               {"--signal", "spans"},
                                               {"--signal", ""},
                                               {"--compression", "zstd"},
                                               {"--compression", "lz4", "--protocol", "http"},
                                               {"--header", "novalue"},
                                               {"--workers", "0"},
                                               {"--in-flight", "0"},
                                               {"--batch", "1000001"},
                                               {"--item-bytes", "0"},
                                               {"--spans-per-trace", "0"},
                                               {"--distinct", "0"},
                                               {"--run", "1234"},
                                               {"--report", "xml"},
                                               {"--timeout", "0s"},
                                               {"--batch", "1000000", "--item-bytes", "100000"},
                                               {"extra"}}) {
    EXPECT_FALSE(send(words).ok()) << testing::PrintToString(words);
  }
}

TEST(SinkOptions, TakeBehaviour) {
  const Words words = {"--grpc-port",  "0",    "--admin-port",     "0",
                       "--delay-ms",   "300",  "--fail-code",      "RESOURCE_EXHAUSTED",
                       "--fail-ratio", "0.25", "--retry-after-ms", "50"};
  const auto parsed = parse_sink(words);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->options.grpc_port, std::uint16_t{0});
  EXPECT_EQ(parsed->options.http_port, std::nullopt);
  EXPECT_EQ(parsed->options.behaviour.delay, std::chrono::milliseconds(300));
  EXPECT_EQ(parsed->options.behaviour.fail_code, Code::kResourceExhausted);
  EXPECT_EQ(parsed->options.behaviour.fail_ratio, 0.25);
  EXPECT_EQ(parsed->options.behaviour.retry_after, std::chrono::milliseconds(50));
  EXPECT_FALSE(parse_sink(Words{"--fail-code", "SOMETIMES"}).ok());
  EXPECT_FALSE(parse_sink(Words{"--threads", "0"}).ok());
}

TEST(CompareOptions, NeedALedger) {
  EXPECT_FALSE(parse_compare(Words{}).ok());
  EXPECT_EQ(parse_compare(Words{"--ledger", "x"})->options.ledger_file, "x");
}

TEST(CodeText, IsANameOrANumber) {
  EXPECT_EQ(parse_code("UNAVAILABLE"), Code::kUnavailable);
  EXPECT_EQ(parse_code("14"), Code::kUnavailable);
  EXPECT_EQ(parse_code("0"), Code::kOk);
  EXPECT_EQ(parse_code("17"), std::nullopt);
  EXPECT_EQ(parse_code("unavailable"), std::nullopt);
}

}  // namespace
}  // namespace spanway::load
