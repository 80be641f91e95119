#include "services/kafka-bridge/consume/dead_letters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include "services/lib/base/random.h"
#include "services/lib/kafka/error_map.h"
#include "tests/fakes/fake_file_ops.h"
#include "tests/fakes/fake_producer.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr int kMessageSizeTooLarge = 10;
constexpr int kUnknownTopic = 3;
constexpr int kTopicNotAuthorised = 29;

DeadLetter letter(std::string_view payload, std::string origin = "otel.traces:5:17") {
  DeadLetter letter;
  letter.payload = Bytes(payload);
  letter.error = "cannot be stored";
  letter.origin = std::move(origin);
  letter.partition = 5;
  letter.attempts = 7;
  return letter;
}

// A writer over a topic that refuses records above a size, as a broker does.
struct Fixture {
  Fixture() {
    options.destination = "jaeger";
    options.group = "spanway-jaeger";
  }
  KafkaDeadLetters& letters() {
    if (!writer) {
      writer = std::make_unique<KafkaDeadLetters>(
          options, KafkaDeadLettersDeps{executor,
                                        producer,
                                        budget,
                                        files,
                                        [this](const std::string&) -> Result<std::size_t> {
                                          ++reads;
                                          return setting;
                                        },
                                        {log, metrics}});
    }
    return *writer;
  }
  void write(DeadLetter one) {
    answer.reset();
    letters().write(std::move(one), [this](Status status) { answer = std::move(status); });
    executor.run();
  }
  // From now on: what is larger than `limit` is refused, and kept is what is not.
  void broker(std::size_t limit) {
    producer.answer_with([this, limit](const fakes::FakeProducer::Sent& sent) -> Status {
      ++tries;
      std::size_t bytes = sent.record.payload.size();
      for (const auto& [name, value] : sent.record.headers) bytes += name.size() + value.size();
      if (bytes > limit) return kafka::error_from_code(kMessageSizeTooLarge, "writing");
      if (fail_next) return std::exchange(fail_next, std::nullopt).value();
      records.push_back({sent.topic,
                         std::string(sent.record.payload.view()),
                         {sent.record.headers.begin(), sent.record.headers.end()}});
      return {};
    });
  }

  struct Written {
    std::string topic;
    std::string payload;
    std::map<std::string, std::string> headers;
  };
  // As a reader joins the parts of a letter: by their first bytes.
  std::string join() const {
    std::map<std::size_t, std::string> parts;
    for (const Written& record : records) {
      const std::string& range = record.headers.at("spanway-part");
      const auto begin = static_cast<std::size_t>(std::atoll(range.c_str()));
      EXPECT_TRUE(parts.emplace(begin, record.payload).second) << range << " was written twice";
      EXPECT_EQ(record.headers.at("spanway-letter"), records[0].headers.at("spanway-letter"));
    }
    std::string joined;
    for (const auto& [begin, payload] : parts) {
      EXPECT_EQ(begin, joined.size());
      joined += payload;
    }
    return joined;
  }

  fakes::ManualClock clock;
  fakes::ManualExecutor executor{clock};
  fakes::FakeProducer producer{3};
  fakes::FakeFileOps files;
  MemoryBudget budget{256u << 20};
  telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  KafkaDeadLettersOptions options;
  Result<std::size_t> setting = Error{Code::kPermissionDenied, Refusal::kConfiguration, "no"};
  int reads = 0;
  int tries = 0;
  std::optional<Error> fail_next;
  std::vector<Written> records;
  std::optional<Status> answer;
  std::unique_ptr<KafkaDeadLetters> writer;
};

std::string random_bytes(std::size_t size) {
  Random random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next() | 0x80);
  return bytes;
}

TEST(KafkaDeadLetters, SayWhyAndWhence) {
  Fixture fixture;
  DeadLetter one = letter(spans(0, 1));
  one.tenant = "acme";
  one.rejected = "2/10";
  fixture.write(std::move(one));
  auto sent = fixture.producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->topic, "otel.traces.dlq");
  EXPECT_EQ(sent->record.partition, 5 % 3);
  EXPECT_EQ(sent->record.payload.view(), spans(0, 1));
  EXPECT_EQ(sent->header("content-type"), "application/x-protobuf");
  EXPECT_EQ(sent->header("spanway-error"), "cannot be stored");
  EXPECT_EQ(sent->header("spanway-origin"), "otel.traces:5:17");
  EXPECT_EQ(sent->header("spanway-attempts"), "7");
  EXPECT_EQ(sent->header("spanway-destination"), "jaeger");
  EXPECT_EQ(sent->header("spanway-group"), "spanway-jaeger");
  EXPECT_EQ(sent->header("spanway-tenant"), "acme");
  EXPECT_EQ(sent->header("spanway-rejected"), "2/10");
  EXPECT_EQ(sent->header("spanway-part"), "") << "it has no parts";
  EXPECT_LE(sent->record.headers.size(), 8u) << "a part has two more, and a producer takes 10";
  EXPECT_FALSE(fixture.answer);
  sent->report(ok_status());
  fixture.executor.run();
  ASSERT_TRUE(fixture.answer);
  EXPECT_TRUE(fixture.answer->ok());
  EXPECT_EQ(fixture.budget.used(), 0u);
}

TEST(KafkaDeadLetters, CutBetweenItemsWhatNoRecordCanHold) {
  Fixture fixture;
  fixture.options.record_bytes_assumed = 3000;
  fixture.broker(3000);
  fixture.write(letter(spans(0, 100)));
  EXPECT_TRUE(fixture.answer && fixture.answer->ok());
  EXPECT_GE(fixture.records.size(), 3u);
  std::vector<std::string> names;
  for (const auto& record : fixture.records) {
    EXPECT_EQ(record.headers.count("spanway-part"), 0u) << "each is a letter of its own";
    for (std::string& name : span_names(record.payload)) names.push_back(std::move(name));
  }
  EXPECT_EQ(names, span_names(spans(0, 100)));
  EXPECT_EQ(fixture.budget.used(), 0u);
}

// P1: one span of 3 MB, and a topic with the broker's default limit.
TEST(KafkaDeadLetters, OneItemLargerThanTheTopicTakesGoesInPartsThatAReaderCanJoin) {
  Fixture fixture;
  fixture.broker(1'048'588);
  const std::string payload = fakes::otlp_request_of({fakes::otlp_span(
      1, 1, "span-0/", {fakes::otlp_attribute("a", std::string(3u << 20, 'x'))})});
  fixture.write(letter(payload));
  ASSERT_TRUE(fixture.answer && fixture.answer->ok());
  EXPECT_EQ(fixture.records.size(), 4u);
  EXPECT_EQ(fixture.join(), payload);
  EXPECT_EQ(fixture.records[0].headers.at("spanway-origin"), "otel.traces:5:17");
  EXPECT_EQ(
      fixture.metrics.value("spanway_kafka_bridge_dead_letter_parts_total", {{"signal", "traces"}}),
      4);
  EXPECT_EQ(fixture.budget.used(), 0u);
}

TEST(KafkaDeadLetters, GarbageGoesInPartsToo) {
  Fixture fixture;
  fixture.broker(1'048'588);
  const std::string payload = random_bytes(2'500'000);
  fixture.write(letter(payload));
  ASSERT_TRUE(fixture.answer && fixture.answer->ok());
  EXPECT_EQ(fixture.join(), payload);
}

TEST(KafkaDeadLetters, LargerThanTheProducersQueueIsNoMatter) {
  Fixture fixture;
  fixture.broker(10u << 20);
  fixture.setting = std::size_t{10u << 20};
  const std::string payload = random_bytes(40u << 20);
  fixture.write(letter(payload));
  ASSERT_TRUE(fixture.answer && fixture.answer->ok());
  EXPECT_EQ(fixture.join(), payload);
  EXPECT_EQ(fixture.reads, 1);
}

TEST(KafkaDeadLetters, TheTopicsOwnLimitIsUsedWhereItMayBeRead) {
  Fixture fixture;
  fixture.setting = std::size_t{4u << 20};
  fixture.broker(4u << 20);
  fixture.write(letter(random_bytes(3u << 20)));
  ASSERT_TRUE(fixture.answer && fixture.answer->ok());
  EXPECT_EQ(fixture.records.size(), 1u) << "it fits in one record";
}

TEST(KafkaDeadLetters, ALimitThatMayNotBeReadIsFoundByHalving) {
  Fixture fixture;
  fixture.broker(100'000);
  const std::string payload = random_bytes(500'000);
  fixture.write(letter(payload));
  ASSERT_TRUE(fixture.answer && fixture.answer->ok());
  EXPECT_EQ(fixture.join(), payload);
  EXPECT_LE(fixture.tries, 5 + static_cast<int>(fixture.records.size()));
  const int before = fixture.tries;
  fixture.records.clear();
  fixture.write(letter(payload, "otel.traces:5:18"));
  EXPECT_EQ(fixture.join(), payload);
  EXPECT_EQ(fixture.tries - before, static_cast<int>(fixture.records.size()))
      << "what was found out is remembered";
}

TEST(KafkaDeadLetters, WhatIsWrittenIsNotWrittenAgainByTheNextTry) {
  Fixture fixture;
  fixture.broker(1'048'588);
  const std::string payload = random_bytes(4'000'000);
  for (int round = 0; round < 4; ++round) {
    fixture.fail_next = round == 0 ? std::nullopt : std::optional<Error>(unavailable("no broker"));
    const std::size_t before = fixture.records.size();
    if (round == 0) {
      // Stops after two parts.
      fixture.producer.answer_with([&fixture](const fakes::FakeProducer::Sent& sent) -> Status {
        if (fixture.records.size() == 2) return unavailable("no broker");
        fixture.records.push_back({sent.topic,
                                   std::string(sent.record.payload.view()),
                                   {sent.record.headers.begin(), sent.record.headers.end()}});
        return {};
      });
    } else if (round == 3) {
      fixture.fail_next.reset();
      fixture.broker(1'048'588);
    }
    fixture.write(letter(payload));
    ASSERT_TRUE(fixture.answer);
    EXPECT_EQ(fixture.answer->ok(), round == 3);
    EXPECT_EQ(fixture.records.size() - before, round == 0 ? 2u : round == 3 ? 3u : 0u);
  }
  EXPECT_EQ(fixture.join(), payload);
  EXPECT_EQ(fixture.budget.used(), 0u);
}

TEST(KafkaDeadLetters, LettersThatWereCutBetweenItemsAreNotRepeatedEither) {
  Fixture fixture;
  fixture.options.record_bytes_assumed = 3000;
  fixture.producer.answer_with([&fixture](const fakes::FakeProducer::Sent& sent) -> Status {
    if (fixture.records.size() == 1) return unavailable("no broker");
    fixture.records.push_back({sent.topic, std::string(sent.record.payload.view()), {}});
    return {};
  });
  fixture.write(letter(spans(0, 100)));
  EXPECT_FALSE(fixture.answer->ok());
  fixture.broker(3000);
  fixture.write(letter(spans(0, 100)));
  EXPECT_TRUE(fixture.answer->ok());
  std::vector<std::string> names;
  for (const auto& record : fixture.records) {
    for (std::string& name : span_names(record.payload)) names.push_back(std::move(name));
  }
  EXPECT_EQ(names, span_names(spans(0, 100)));
}

TEST(KafkaDeadLetters, TheFirstLetterWaitsForTheLookUpOfItsTopic) {
  Fixture fixture;
  fixture.broker(1'048'588);
  fixture.producer.set_partitions("otel.traces.dlq", unavailable("no broker has answered yet"));
  fixture.write(letter("x"));
  EXPECT_FALSE(fixture.answer);
  fixture.producer.set_partitions("otel.traces.dlq", 3);
  fixture.executor.advance(seconds(1));
  ASSERT_TRUE(fixture.answer);
  EXPECT_TRUE(fixture.answer->ok());
}

TEST(KafkaDeadLetters, AMissingTopicIsAnErrorThatSaysWhatToDo) {
  Fixture fixture;
  fixture.producer.set_partitions("otel.traces.dlq",
                                  kafka::error_from_code(kUnknownTopic, "looking up"));
  fixture.write(letter("x"));
  ASSERT_TRUE(fixture.answer);
  EXPECT_EQ(fixture.answer->error().code, Code::kNotFound);
  EXPECT_THAT(fixture.answer->error().message, HasSubstr("create the topic otel.traces.dlq"));
  EXPECT_THAT(fixture.answer->error().message, HasSubstr("dead_letters.fallback"));
  EXPECT_EQ(fixture.producer.count(), 0u);
}

TEST(KafkaDeadLetters, ATopicThatCannotHoldTheHeadersIsAnErrorThatSaysWhatToDo) {
  Fixture fixture;
  fixture.broker(100);
  fixture.write(letter(std::string(5000, '\xff')));
  ASSERT_TRUE(fixture.answer);
  EXPECT_THAT(fixture.answer->error().message, HasSubstr("raise max.message.bytes"));
  EXPECT_LT(fixture.tries, 30);
}

TEST(KafkaDeadLetters, NoMemoryForAPartIsTransient) {
  Fixture fixture;
  fixture.broker(1'048'588);
  auto others = fixture.budget.try_acquire(fixture.budget.limit() - 1000);
  fixture.write(letter(random_bytes(3'000'000)));
  ASSERT_TRUE(fixture.answer && !fixture.answer->ok());
  EXPECT_EQ(fixture.answer->error().refusal, Refusal::kTransient);
  others->release();
  fixture.write(letter(random_bytes(3'000'000)));
  EXPECT_TRUE(fixture.answer->ok());
  EXPECT_EQ(fixture.budget.used(), 0u);
}

// --- The fallback ---

TEST(KafkaDeadLetters, TheFallbackTopicTakesWhatTheTopicDoesNot) {
  Fixture fixture;
  fixture.options.fallback_topic = "fallback";
  fixture.producer.set_partitions("otel.traces.dlq",
                                  kafka::error_from_code(kTopicNotAuthorised, "looking up"));
  fixture.broker(1'048'588);
  for (int i = 0; i < 2; ++i) {
    fixture.write(letter("x"));
    EXPECT_FALSE(fixture.answer->ok()) << "a topic that was just made may be unknown for a moment";
  }
  fixture.write(letter("x"));
  ASSERT_TRUE(fixture.answer->ok());
  ASSERT_EQ(fixture.records.size(), 1u);
  EXPECT_EQ(fixture.records[0].topic, "fallback");
  fixture.write(letter("y"));
  EXPECT_TRUE(fixture.answer->ok()) << "it is known by now";
  // The topic is tried again after a while.
  fixture.producer.set_partitions("otel.traces.dlq", 3);
  fixture.executor.advance(seconds(31));
  fixture.write(letter("z"));
  ASSERT_EQ(fixture.records.size(), 3u);
  EXPECT_EQ(fixture.records[2].topic, "otel.traces.dlq");
  EXPECT_EQ(fixture.metrics.value("spanway_kafka_bridge_dead_letter_fallbacks_total",
                                  {{"signal", "traces"}}),
            2);
}

TEST(KafkaDeadLetters, TheFallbackFileHoldsTheBytesBeforeTheLetterCounts) {
  Fixture fixture;
  fixture.options.fallback_file = "/letters";
  fixture.broker(100);
  const std::string payload = random_bytes(100'000);
  for (int i = 0; i < 3; ++i) fixture.write(letter(payload));
  ASSERT_TRUE(fixture.answer->ok());
  const std::string line = fixture.files.content("/letters").value();
  EXPECT_THAT(line, HasSubstr(R"("topic":"otel.traces.dlq")"));
  EXPECT_THAT(line, HasSubstr(R"("spanway-origin":"otel.traces:5:17")"));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(KafkaDeadLetters, AFallbackThatFailsTooIsAnErrorThatNamesIt) {
  Fixture fixture;
  fixture.options.fallback_file = "/letters";
  fixture.files.fail_sync(EIO);
  fixture.broker(100);
  for (int i = 0; i < 3; ++i) fixture.write(letter("xxx"));
  ASSERT_FALSE(fixture.answer->ok());
  EXPECT_THAT(fixture.answer->error().message, HasSubstr("consumer.dead_letters.fallback"));
  EXPECT_THAT(fixture.answer->error().message, HasSubstr("/letters"));
}

TEST(KafkaDeadLetters, ABrokerThatIsAwayIsNoCaseForTheFallback) {
  Fixture fixture;
  fixture.options.fallback_file = "/letters";
  fixture.producer.set_partitions("otel.traces.dlq", unavailable("no broker has answered yet"));
  for (int i = 0; i < 10; ++i) {
    fixture.write(letter("x"));
    fixture.executor.advance(seconds(5));
    ASSERT_TRUE(fixture.answer) << "the wait has an end";
    EXPECT_EQ(fixture.answer->error().refusal, Refusal::kTransient);
  }
  EXPECT_FALSE(fixture.files.content("/letters").has_value());
}

}  // namespace
}  // namespace spanway::kafka_bridge
