#include "services/kafka-bridge/dead_letters.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "services/lib/kafka/error_map.h"
#include "tests/fakes/fake_producer.h"
#include "tests/unit/kafka-bridge/lane_bench.h"

namespace spanway::kafka_bridge {
namespace {

KafkaDeadLettersOptions options(std::size_t record_bytes_max = 900u << 10) {
  KafkaDeadLettersOptions options;
  options.destination = "jaeger";
  options.group = "spanway-jaeger";
  options.record_bytes_max = record_bytes_max;
  return options;
}

DeadLetter letter(std::string_view payload) {
  DeadLetter letter;
  letter.payload = Bytes(payload);
  letter.error = "cannot be stored";
  letter.origin = "otel.traces:5:17";
  letter.partition = 5;
  letter.attempts = 7;
  return letter;
}

TEST(KafkaDeadLetters, SayWhyAndWhence) {
  fakes::FakeProducer producer(3);
  KafkaDeadLetters letters(options(), producer);
  std::optional<Status> answer;
  DeadLetter one = letter(spans(0, 1));
  one.tenant = "acme";
  one.rejected = "2/10";
  letters.write(std::move(one), [&answer](Status status) { answer = std::move(status); });
  auto sent = producer.take();
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
  EXPECT_LE(sent->record.headers.size(), 8u) << "what a producer takes";
  EXPECT_FALSE(answer);
  sent->report(ok_status());
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->ok());
}

TEST(KafkaDeadLetters, SplitWhatNoRecordCanHold) {
  fakes::FakeProducer producer;
  const std::string payload = spans(0, 100);
  KafkaDeadLetters letters(options(payload.size() / 3), producer);
  std::optional<Status> answer;
  letters.write(letter(payload), [&answer](Status status) { answer = std::move(status); });
  std::size_t names = 0;
  std::size_t records = 0;
  while (auto sent = producer.take()) {
    EXPECT_FALSE(answer) << "not before all are written";
    EXPECT_LE(sent->record.payload.size(), payload.size() / 3);
    names += span_names(sent->record.payload.view()).size();
    ++records;
    sent->report(ok_status());
  }
  EXPECT_GE(records, 3u);
  EXPECT_EQ(names, 100u);
  EXPECT_TRUE(answer && answer->ok());
}

TEST(KafkaDeadLetters, GarbageIsWrittenWhole) {
  fakes::FakeProducer producer;
  KafkaDeadLetters letters(options(100), producer);
  letters.write(letter(std::string(500, '\xff')), [](const Status&) {});
  auto sent = producer.take();
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->record.payload.size(), 500u);
}

TEST(KafkaDeadLetters, OneFailureFailsTheLetter) {
  fakes::FakeProducer producer;
  const std::string payload = spans(0, 100);
  KafkaDeadLetters letters(options(payload.size() / 2), producer);
  std::optional<Status> answer;
  letters.write(letter(payload), [&answer](Status status) { answer = std::move(status); });
  producer.take()->report(unavailable("no broker"));
  while (auto sent = producer.take()) sent->report(ok_status());
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->ok());
}

TEST(KafkaDeadLetters, AMissingTopicIsAnErrorAtOnce) {
  fakes::FakeProducer producer;
  producer.set_partitions("otel.traces.dlq", kafka::error_from_code(3, "looking up"));
  KafkaDeadLetters letters(options(), producer);
  std::optional<Status> answer;
  letters.write(letter("x"), [&answer](Status status) { answer = std::move(status); });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error().code, Code::kNotFound);
  EXPECT_EQ(producer.count(), 0u);
}

}  // namespace
}  // namespace spanway::kafka_bridge
