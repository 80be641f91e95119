#include "services/kafka-bridge/replay/replay_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::kafka_bridge {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::string>;

class ReplayRequestTest : public testing::Test {
 protected:
  ReplayRequestTest() {
    config_.mode = Mode::kConsume;
    config_.consumer.destination = "jaeger";
    config_.destination.endpoint = "exporter:4337";
  }
  ReplayRequest parse(const Words& words) {
    auto request = parse_replay_request(config_, words);
    EXPECT_TRUE(request.ok()) << request.error().message;
    return std::move(request).value();
  }
  std::string error_of(const Words& words) {
    const auto request = parse_replay_request(config_, words);
    return request.ok() ? "" : request.error().message;
  }
  BridgeConfig config_;
};

TEST_F(ReplayRequestTest, TakesWhatFollowsFromTheConfiguration) {
  const ReplayRequest request = parse({"--topic", "otel.traces.dlq", "--rate", "2.5"});
  EXPECT_EQ(request.signal, otlp::Signal::kTraces);
  EXPECT_EQ(request.letters_of, "jaeger");
  EXPECT_EQ(request.state_file, "otel.traces.dlq.replay");
  EXPECT_EQ(request.rate, 2.5);
  EXPECT_FALSE(request.begin.offset || request.begin.time_ms || request.end.offset);
  EXPECT_EQ(parse({"--topic", "otel.logs", "--rate", "1"}).signal, otlp::Signal::kLogs);
}

TEST_F(ReplayRequestTest, TheFallbackTopicHasLettersOfAnySignal) {
  config_.consumer.dead_letters.fallback.topic = "letters";
  EXPECT_EQ(parse({"--topic", "letters", "--rate", "1"}).signal, std::nullopt);
  kafka::StoredRecord record;
  const auto signal_with = [&](const char* origin) {
    record.headers = {{"spanway-origin", origin}};
    return signal_of_record(config_.kafka.topics, std::nullopt, record);
  };
  EXPECT_EQ(signal_with("otel.metrics:3:77"), otlp::Signal::kMetrics);
  EXPECT_EQ(signal_with("otel.logs:3:77-80"), otlp::Signal::kLogs);
  for (const char* origin : {"", ":", "::", "otel.logs", "otel.logs:3", "other:3:7"})
    EXPECT_EQ(signal_with(origin), std::nullopt) << origin;
  EXPECT_EQ(signal_of_record(config_.kafka.topics, otlp::Signal::kTraces, record),
            otlp::Signal::kTraces);
}

TEST_F(ReplayRequestTest, RefusesWhatCannotBeMeant) {
  const Words topic = {"--topic", "otel.traces.dlq", "--rate", "5"};
  const auto with = [&](Words more) {
    Words all = topic;
    all.insert(all.end(), more.begin(), more.end());
    return error_of(all);
  };
  EXPECT_THAT(error_of({}), HasSubstr("--topic is missing"));
  EXPECT_THAT(error_of({"--topic", "otel.trace", "--rate", "1"}), HasSubstr("'otel.trace'"));
  EXPECT_THAT(error_of({"--topic", "otel.traces"}), HasSubstr("--rate: give items a second"));
  for (const char* rate : {"0", "-5", "1e10", "nan", "fast", ""})
    EXPECT_THAT(error_of({"--topic", "otel.traces", "--rate", rate}), HasSubstr("--rate")) << rate;
  for (const char* bound :
       {"-1", "yesterday", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00:00+01:00",
        "2026-02-30T12:00:00Z", "12x", "99999999999999999999"})
    EXPECT_THAT(with({"--from", bound}), HasSubstr("--from '" + std::string(bound) + "'"));
  EXPECT_THAT(with({"--to", "soon"}), HasSubstr("--to 'soon': give an offset"));
  EXPECT_THAT(with({"--from", "9", "--to", "9"}), HasSubstr("--to must be behind --from"));
  EXPECT_THAT(with({"--from", "2026-01-31T12:00:00Z", "--to", "2026-01-30T12:00:00Z"}),
              HasSubstr("--to must be behind --from"));
  EXPECT_THAT(with({"--signal", "spans"}), HasSubstr("--signal 'spans'"));
  EXPECT_THAT(with({"--signal", "logs"}), HasSubstr("holds traces; leave --signal out"));
  EXPECT_THAT(with({"--refused-max", "0"}), HasSubstr("--refused-max"));
  EXPECT_THAT(with({"--tpoic", "x"}), HasSubstr("tpoic"));
  EXPECT_EQ(with({"--from", "9", "--to", "10"}), "");
  EXPECT_EQ(error_of({"--topic", "otel.traces", "--dry-run"}), "");
  EXPECT_EQ(error_of({"--topic", "other", "--rate", "1", "--signal", "logs"}), "");
  config_.mode = Mode::kProduce;
  EXPECT_THAT(error_of(topic), HasSubstr("mode is produce"));
}

TEST_F(ReplayRequestTest, ABoundIsAnOffsetOrATime) {
  EXPECT_EQ(parse_range_bound("17")->offset, 17);
  EXPECT_EQ(parse_range_bound("2026-01-01T00:00:01Z")->time_ms, 1'767'225'601'000);
  EXPECT_EQ(parse_range_bound("")->offset, std::nullopt);
}

TEST_F(ReplayRequestTest, AnotherRangeOrDestinationIsAnotherReplayAndAnotherRateIsNot) {
  const Words words = {"--topic", "otel.traces.dlq", "--rate", "5"};
  const std::string identity = parse(words).identity(config_);
  const auto other = [&](Words more) {
    more.insert(more.end(), words.begin(), words.end());
    return parse(more).identity(config_);
  };
  EXPECT_NE(other({"--from", "1"}), identity);
  EXPECT_NE(other({"--to", "1"}), identity);
  EXPECT_NE(other({"--letters-of", "zipkin"}), identity);
  EXPECT_EQ(parse({"--topic", "otel.traces.dlq", "--rate", "9"}).identity(config_), identity);
  config_.destination.endpoint = "elsewhere:4337";
  EXPECT_NE(parse(words).identity(config_), identity);
}

TEST_F(ReplayRequestTest, HelpHasEachFlagAndTheExitCodes) {
  const std::string help = replay_help();
  for (const char* text :
       {"--topic", "--from", "--to", "--rate", "--dry-run", "--state", "--letters-of", "--signal",
        "--refused-max", "--give-up-after", "--no-dedup", "130 stopped by a signal"})
    EXPECT_THAT(help, HasSubstr(text));
}

}  // namespace
}  // namespace spanway::kafka_bridge
