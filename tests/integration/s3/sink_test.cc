// The S3 sink against a real server, and its files in a real ClickHouse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/lib/objectstore/manifest.h"
#include "services/lib/objectstore/object_key.h"
#include "services/lib/parquet_file/arrow/arrow_codec.h"
#include "services/lib/sinks/s3/compact.h"
#include "services/lib/sinks/s3/s3_sink.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_s3.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/integration/clickhouse/clickhouse_server.h"
#include "tests/integration/s3/s3_server.h"

namespace spanway::objectstore {
namespace {

class S3SinkOnServer : public testing::Test {
 protected:
  void SetUp() override { SPANWAY_NEEDS_S3(); }

  std::unique_ptr<sinks::S3Sink> sink(const S3Options& options) {
    sinks::S3SinkOptions all = fakes::s3_sink_options(options.endpoint);
    all.client = options;
    auto made = sinks::S3Sink::create(std::move(all), {io_, system_clock(), {log_, metrics_}},
                                      parquet_file::arrow_codec());
    SPANWAY_CHECK(made.ok());
    return std::move(made).value();
  }
  void send(pipeline::Sink& to, const std::string& payload, const std::string& id,
            otlp::Signal signal = otlp::Signal::kTraces) {
    pipeline::Batch batch;
    batch.signal = signal;
    batch.payload = Bytes(payload);
    batch.metadata.tenant = "acme";
    batch.metadata.batch_id = id;
    batch.deadline = Deadline::after(system_clock(), std::chrono::seconds(5));
    to.send(std::move(batch), answers_.token());
  }
  // 100 spans of batch `number`.
  static std::string spans(std::uint64_t number) {
    std::vector<fakes::ProtoMessage> all;
    for (std::uint64_t i = 1; i <= 100; ++i)
      all.push_back(fakes::otlp_span(number * 100 + i / 5 + 1, number * 1000 + i, "GET /cart",
                                     {fakes::otlp_attribute("user", "u" + std::to_string(i)),
                                      fakes::otlp_attribute("http.route", "/cart")}));
    return fakes::otlp_request_of(all);
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_{"sink", 2};
  fakes::Answers answers_;
};

// The server is killed again and again; a batch without an acknowledgement is sent again.
TEST_F(S3SinkOnServer, EverySpanIsStoredOnceAcrossKillsOfTheServer) {
  const auto server = S3Server::create();
  const S3Options options = server->options(server->bucket("kills"));
  const auto to = sink(options);
  constexpr std::uint64_t kBatches = 60;
  std::uint64_t sent_again = 0;
  for (std::uint64_t number = 0; number < kBatches; ++number) {
    for (bool is_stored = false; !is_stored; sent_again += is_stored ? 0 : 1) {
      send(*to, spans(number), "t:0:" + std::to_string(number) + "-" + std::to_string(number));
      if (number % 6 == 5 && sent_again * 6 <= number) {
        ASSERT_TRUE(server->run("kill9"));
        ASSERT_TRUE(server->run("start"));
      }
      const auto answer = answers_.next();
      ASSERT_TRUE(answer.has_value());
      is_stored = answer->ok();
      ASSERT_TRUE(is_stored || answer->error().refusal == Refusal::kTransient);
      // Every third batch comes twice, as after a lost answer.
      if (is_stored && number % 3 == 0) {
        send(*to, spans(number), "t:0:" + std::to_string(number) + "-" + std::to_string(number));
        ASSERT_TRUE(answers_.next()->ok());
      }
    }
  }
  TestBucket bucket(options);
  const auto listed = bucket.store().list("p/", false);
  ASSERT_TRUE(listed.ok()) << listed.error().message;
  EXPECT_EQ(listed->objects.size(), kBatches);
  std::uint64_t rows = 0;
  for (const ObjectInfo& object : listed->objects) {
    auto file =
        parquet_file::arrow_codec().open(object_source(bucket.store(), object.key, object.bytes));
    ASSERT_TRUE(file.ok()) << file.error().message;
    rows += (*file)->rows();
  }
  EXPECT_EQ(rows, kBatches * 100);
}

TEST_F(S3SinkOnServer, ClickHouseReadsEverySpanOnce) {
  // The server comes from a registry; a machine without one can still run the other tests.
  if (clickhouse::ClickHouseServer::shared() == nullptr)
    GTEST_SKIP() << "tests/parts/clickhouse.sh get: the command failed; its output is above";
  const S3Options options = S3Server::shared()->options(S3Server::shared()->bucket("clickhouse"));
  const auto to = sink(options);
  for (std::uint64_t number = 0; number < 5; ++number) {
    send(*to, spans(number), "t:0:" + std::to_string(number) + "-" + std::to_string(number));
    ASSERT_TRUE(answers_.next()->ok());
  }
  send(*to, fakes::otlp_request_of({fakes::otlp_log_record("disk full")}), "l:0:0-0",
       otlp::Signal::kLogs);
  ASSERT_TRUE(answers_.next()->ok());
  clickhouse::BlockingClient client(clickhouse::ClickHouseServer::shared()->url(), "default");
  const std::string from = "s3('" + options.endpoint +
                           "/clickhouse/p/v1/traces/tenant=acme/*/*/*.parquet', 'testkey', "
                           "'testsecret', 'Parquet') SETTINGS use_hive_partitioning = 0";
  EXPECT_EQ(client.value("SELECT toString(tuple(count(), uniqExact(span_id))) FROM " + from),
            "(500,500)");
  EXPECT_EQ(client.value("SELECT concat(name, '|', toString(kind), '|', http_route, '|', "
                         "attr_str['user'], '|', hex(trace_id), '|', toString(ts), '|', "
                         "JSONExtractString(resource_attributes, 'service.name')) FROM " +
                         from.substr(0, from.find(" SETTINGS")) +
                         " WHERE hex(span_id) = '0000000000000001' LIMIT 1"),
            "GET /cart|server|/cart|u1|00000000000000000000000000000001|"
            "2026-01-01 00:00:00.000000000|shop");
}

TEST_F(S3SinkOnServer, ClickHouseReadsEveryDataPointOnce) {
  // The server comes from a registry; a machine without one can still run the other tests.
  if (clickhouse::ClickHouseServer::shared() == nullptr)
    GTEST_SKIP() << "tests/parts/clickhouse.sh get: the command failed; its output is above";
  const S3Options options = S3Server::shared()->options(S3Server::shared()->bucket("points"));
  const auto to = sink(options);
  for (int number = 0; number < 5; ++number) {
    std::vector<fakes::ProtoMessage> points;
    for (int i = 0; i < 20; ++i)
      points.push_back(fakes::otlp_number_point(
          number * 100 + i, {fakes::otlp_attribute("route", "r" + std::to_string(i % 3))}));
    // Twice, as after a lost answer.
    for (int time = 0; time < 2; ++time) {
      send(*to,
           fakes::otlp_request_of(
               {fakes::otlp_metric("queue.size", fakes::MetricKind::kGauge, points)}),
           "m:0:" + std::to_string(number) + "-" + std::to_string(number), otlp::Signal::kMetrics);
      ASSERT_TRUE(answers_.next()->ok());
    }
  }
  clickhouse::BlockingClient client(clickhouse::ClickHouseServer::shared()->url(), "default");
  const std::string from = "s3('" + options.endpoint +
                           "/points/p/v1/metrics/samples/tenant=acme/*/*/*.parquet', 'testkey', "
                           "'testsecret', 'Parquet')";
  const std::string only = " WHERE metric = 'queue_size_ratio' SETTINGS use_hive_partitioning = 0";
  EXPECT_EQ(
      client.value("SELECT toString(tuple(count(), uniqExact(value), uniqExact(series_id), "
                   "uniqExact(JSONExtractString(series_labels, 'route')), any(toString(type)), "
                   "any(JSONExtractString(resource_attributes, 'service.name')))) FROM " +
                   from + only),
      "(100,100,3,3,'gauge','shop')");
}

TEST_F(S3SinkOnServer, CompactionJoinsThemAndDeletesWhatItReplaced) {
  const S3Options options = S3Server::shared()->options(S3Server::shared()->bucket("compact"));
  const auto to = sink(options);
  for (std::uint64_t number = 0; number < 5; ++number) {
    send(*to, spans(number), "t:0:" + std::to_string(number) + "-" + std::to_string(number));
    ASSERT_TRUE(answers_.next()->ok());
  }
  TestBucket bucket(options);
  sinks::CompactOptions compact;
  compact.prefix = "p";
  compact.days = 4000;  // The spans are of a fixed date.
  compact.delete_after = Duration::zero();
  sinks::Compactor compactor(bucket.store(), system_clock(), parquet_file::arrow_codec(), compact);
  const auto joined = compactor.run();
  ASSERT_TRUE(joined.ok()) << joined.error().message;
  EXPECT_EQ(joined->inputs, 5u);
  EXPECT_EQ(joined->rows, 500u);
  const auto deleted = compactor.run();
  ASSERT_TRUE(deleted.ok()) << deleted.error().message;
  EXPECT_EQ(deleted->deleted, 5u);
  // An hour whose manifest exists is changed on condition of its ETag.
  for (std::uint64_t number = 5; number < 7; ++number) {
    send(*to, spans(number), "t:0:" + std::to_string(number) + "-" + std::to_string(number));
    ASSERT_TRUE(answers_.next()->ok());
  }
  const auto again = compactor.run();
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->inputs, 2u);
  const auto hour =
      read_hour(bucket.store(), hour_folder("p", StoredTable::kSpans, "acme", 1'767'225'600'000));
  ASSERT_TRUE(hour.ok()) << hour.error().message;
  std::uint64_t rows = 0;
  for (const LiveObject& object : hour->live) rows += object.rows;
  EXPECT_EQ(hour->live.size(), 2u);
  EXPECT_EQ(rows, 700u);
}

TEST_F(S3SinkOnServer, AStalledServerIsTransientAndEverythingArrivesLater) {
  const auto server = S3Server::create();
  const S3Options options = server->options(server->bucket("stalls"));
  sinks::S3SinkOptions all = fakes::s3_sink_options(options.endpoint);
  all.client = options;
  all.put_timeout = std::chrono::milliseconds(500);
  auto to = sinks::S3Sink::create(std::move(all), {io_, system_clock(), {log_, metrics_}},
                                  parquet_file::arrow_codec());
  ASSERT_TRUE(to.ok());
  ASSERT_TRUE(server->run("stall"));
  send(**to, spans(1), "t:0:1-1");
  const auto answer = answers_.next();
  ASSERT_FALSE(answer->ok());
  EXPECT_EQ(answer->error().refusal, Refusal::kTransient);
  EXPECT_EQ(answer->error().code, Code::kDeadlineExceeded);
  ASSERT_TRUE(server->run("resume"));
  send(**to, spans(1), "t:0:1-1");
  EXPECT_TRUE(answers_.next()->ok());
}

}  // namespace
}  // namespace spanway::objectstore
