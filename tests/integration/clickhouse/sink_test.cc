#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "services/lib/base/thread.h"
#include "services/lib/pipeline/batch_identity.h"
#include "services/lib/schema/migrations.h"
#include "services/lib/sinks/clickhouse/clickhouse_sink.h"
#include "services/lib/sinks/clickhouse/migrate.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/integration/clickhouse/clickhouse_server.h"

namespace spanway::clickhouse {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Newer than the TTL of every table: days of the past are dropped by the server.
std::uint64_t now_nano() {
  return static_cast<std::uint64_t>(system_clock().system_now().time_since_epoch().count());
}

fakes::ProtoMessage span_of(std::uint64_t trace, std::uint64_t id,
                            const std::vector<fakes::ProtoMessage>& attributes = {}) {
  fakes::ProtoMessage span = fakes::otlp_span(trace, id, "GET /cart", attributes);
  const std::uint64_t start = now_nano() - 60'000'000'000ULL;
  return span.fixed64(7, start).fixed64(8, start + 2'000'000);
}

class SinkOnServer : public testing::Test {
 protected:
  void SetUp() override { SPANWAY_NEEDS_CLICKHOUSE(); }

  sinks::MigrateOptions migration(const std::string& database) const {
    sinks::MigrateOptions options;
    options.client.url = ClickHouseServer::shared()->url();
    options.client.database = database;
    return options;
  }
  void migrate(const std::string& database) {
    BlockingClient(ClickHouseServer::shared()->url(), "default")
        .execute("DROP DATABASE IF EXISTS " + database)
        .ok();
    const auto report = sinks::migrate(migration(database), io_, system_clock());
    ASSERT_TRUE(report.ok()) << report.error().message;
  }
  std::unique_ptr<sinks::ClickHouseSink> sink(const std::string& database,
                                              const std::string& user = "",
                                              const std::string& password = "") {
    sinks::ClickHouseSinkOptions options;
    options.client.url = ClickHouseServer::shared()->url();
    options.client.database = database;
    options.client.username = user;
    options.client.password = Secret(password);
    auto made = sinks::ClickHouseSink::create(options, {io_, system_clock(), {log_, metrics_}});
    SPANWAY_CHECK(made.ok());
    return std::move(made).value();
  }
  Result<pipeline::Outcome> send(pipeline::Sink& to, const std::string& payload,
                                 const std::string& batch_id,
                                 otlp::Signal signal = otlp::Signal::kTraces) {
    pipeline::Batch batch;
    batch.signal = signal;
    batch.payload = Bytes(payload);
    batch.metadata.tenant = "acme";
    batch.metadata.batch_id = batch_id;
    batch.deadline = Deadline::after(system_clock(), std::chrono::seconds(20));
    to.send(std::move(batch), answers_.token());
    auto answer = answers_.next();
    if (!answer) return unknown_error(Code::kUnknown, "no answer");
    return std::move(*answer);
  }

  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_{"sink", 2};
  fakes::Answers answers_;
};

TEST_F(SinkOnServer, MigratesOnceAndSaysWhatItWouldDo) {
  const std::string url = ClickHouseServer::shared()->url();
  BlockingClient server(url, "default");
  ASSERT_TRUE(server.execute("DROP DATABASE IF EXISTS sink_migrate").ok());
  sinks::MigrateOptions options = migration("sink_migrate");
  options.dry_run = true;
  const auto dry = sinks::migrate(options, io_, system_clock());
  ASSERT_TRUE(dry.ok()) << dry.error().message;
  EXPECT_THAT(dry->applied, SizeIs(schema::migrations().size()));
  EXPECT_THAT(dry->statements.front(), HasSubstr("CREATE DATABASE"));
  EXPECT_EQ(server.value("SELECT count() FROM system.databases WHERE name = 'sink_migrate'"), "0");

  options.dry_run = false;
  EXPECT_THAT(sinks::migrate(options, io_, system_clock())->applied,
              SizeIs(schema::migrations().size()));
  EXPECT_THAT(sinks::migrate(options, io_, system_clock())->applied, IsEmpty());
  ASSERT_TRUE(server
                  .execute("ALTER TABLE sink_migrate.schema_version UPDATE checksum = 'other' "
                           "WHERE version = 1 SETTINGS mutations_sync = 1")
                  .ok());
  const auto other = sinks::migrate(options, io_, system_clock());
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().refusal, Refusal::kConfiguration);
  EXPECT_STREQ(other.error().reason, "schema_mismatch");
}

// Kafka counts from 0 again: the topic was made anew, or another Kafka is in front of the database.
TEST_F(SinkOnServer, OtherSpansOfTheSameOffsetsAreStored) {
  migrate("sink_offsets");
  const auto to = sink("sink_offsets");
  const std::string first = fakes::otlp_request_of({span_of(1, 1)});
  const std::string other = fakes::otlp_request_of({span_of(2, 2)});
  for (const std::string* payload : {&first, &other, &first, &other})
    ASSERT_TRUE(send(*to, *payload, "t:0:0-0").ok());
  BlockingClient client(ClickHouseServer::shared()->url(), "sink_offsets");
  EXPECT_EQ(client.value("SELECT count() FROM spans"), "2");
  EXPECT_EQ(client.value("SELECT sum(calls) FROM red_1h"), "2");
}

// CREATE ... IF NOT EXISTS passes over tables of others, and a recorded file is not executed again.
TEST_F(SinkOnServer, AMigrationThatLeavesOtherTablesBehindFails) {
  struct Case {
    const char* database;
    const char* before;
    const char* after;
    const char* expected;
  };
  for (const Case& c :
       {Case{"sink_taken", "CREATE TABLE exemplars (ts DateTime, note String) ENGINE = Memory", "",
             "column exemplars.metric LowCardinality(String) is missing"},
        Case{"sink_no_table", "", "DROP TABLE exemplars", "table exemplars is missing"},
        Case{"sink_no_view", "", "DROP TABLE samples_5m_mv", "table samples_5m_mv is missing"},
        Case{"sink_no_rollup", "", "ALTER TABLE red_1h MODIFY COLUMN calls UInt64",
             "column red_1h.calls is"}}) {
    SCOPED_TRACE(c.database);
    BlockingClient server(ClickHouseServer::shared()->url(), "default");
    ASSERT_TRUE(server.execute(std::string("DROP DATABASE IF EXISTS ") + c.database).ok());
    ASSERT_TRUE(server.execute(std::string("CREATE DATABASE ") + c.database).ok());
    BlockingClient client(ClickHouseServer::shared()->url(), c.database);
    if (*c.before != '\0') {
      ASSERT_TRUE(client.execute(c.before).ok());
    } else {
      ASSERT_TRUE(sinks::migrate(migration(c.database), io_, system_clock()).ok());
    }
    if (*c.after != '\0') {
      ASSERT_TRUE(client.execute(c.after).ok());
    }
    const auto report = sinks::migrate(migration(c.database), io_, system_clock());
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().refusal, Refusal::kConfiguration);
    EXPECT_STREQ(report.error().reason, "schema_mismatch");
    EXPECT_THAT(report.error().message, HasSubstr(c.expected));
  }
}

TEST_F(SinkOnServer, StoresASpanWithEverythingThatItHolds) {
  migrate("sink_span");
  const auto to = sink("sink_span");
  fakes::ProtoMessage span =
      span_of(1, 2,
              {fakes::otlp_attribute("http.route", "/cart"),
               fakes::otlp_attribute("http.response.status_code", fakes::otlp_int(503)),
               fakes::otlp_attribute("user", "u-1"), fakes::otlp_attribute("n", fakes::otlp_int(7)),
               fakes::otlp_attribute("list", fakes::otlp_array({fakes::otlp_string("a")}))});
  span.message(11, fakes::ProtoMessage().fixed64(1, now_nano()).bytes(2, "exception"));
  span.message(15, fakes::ProtoMessage().varint(3, 2));
  const auto answer = send(*to, fakes::otlp_request_of({span}), "t:0:0-0");
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  BlockingClient client(ClickHouseServer::shared()->url(), "sink_span");
  EXPECT_EQ(
      client.value(
          "SELECT concat(tenant, '|', service_name, '|', name, '|', toString(kind), '|', "
          "toString(status), '|', http_route, '|', toString(http_response_status_code), '|', "
          "attr_str['user'], '|', toString(attr_int['n']), '|', attr_other['list'], '|', "
          "events.name[1], '|', hex(trace_id), '|', hex(span_id), '|', toString(duration_ns)) "
          "FROM spans"),
      "acme|shop|GET /cart|server|error|/cart|503|u-1|7|[\"a\"]|exception|"
      "00000000000000000000000000000001|0000000000000002|2000000");
  EXPECT_EQ(client.value("SELECT count() FROM spans WHERE has(tokens, 'user=u-1')"), "1");
  EXPECT_EQ(client.value("SELECT count() FROM spans JOIN resources USING (tenant, res_id)"), "1");
  EXPECT_EQ(client.value("SELECT count() FROM attribute_keys WHERE scope = 'item'"), "5");
  EXPECT_EQ(client.value("SELECT sum(errors) FROM red_1h"), "1");
}

TEST_F(SinkOnServer, StoresALogRecordInItsStream) {
  migrate("sink_log");
  const auto to = sink("sink_log");
  fakes::ProtoMessage record = fakes::otlp_log_record("disk full", fakes::otlp_trace_id(1));
  record.fixed64(1, now_nano());
  ASSERT_TRUE(send(*to, fakes::otlp_request_of({record}), "l:0:0-0", otlp::Signal::kLogs).ok());
  BlockingClient client(ClickHouseServer::shared()->url(), "sink_log");
  EXPECT_EQ(client.value("SELECT concat(body, '|', severity_text, '|', s.labels['service_name']) "
                         "FROM logs AS l JOIN log_streams AS s USING (tenant, stream_id)"),
            "disk full|INFO|shop");
  EXPECT_EQ(client.value("SELECT sum(lines) FROM log_volume_5m"), "1");
}

TEST_F(SinkOnServer, ARepeatedBatchIsStoredOnceAndCountedOnce) {
  migrate("sink_twice");
  const auto to = sink("sink_twice");
  const std::string payload = fakes::otlp_request_of({span_of(1, 1), span_of(1, 2)});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(send(*to, payload, "t:0:0-9").ok());
  // Another process, which knows nothing of the first one.
  ASSERT_TRUE(send(*sink("sink_twice"), payload, "t:0:0-9").ok());
  BlockingClient client(ClickHouseServer::shared()->url(), "sink_twice");
  EXPECT_EQ(client.value("SELECT count() FROM spans"), "2");
  for (const std::string table : {"red_5m", "red_1h", "red_service_5m"})
    EXPECT_EQ(client.value("SELECT sum(calls) FROM " + table), "2") << table;
  ASSERT_TRUE(send(*to, payload, "t:0:10-19").ok());
  EXPECT_EQ(client.value("SELECT count() FROM spans"), "4");
  EXPECT_EQ(client.value("SELECT sum(calls) FROM red_1h"), "4");
}

TEST_F(SinkOnServer, AServerThatIsKilledAtAnyMomentHasEachSpanOnceAfterTheRepeat) {
  migrate("sink_kill");
  const auto to = sink("sink_kill");
  constexpr int kBatches = 24, kSpans = 200, kKillEvery = 6;
  for (int b = 0; b < kBatches; ++b) {
    std::vector<fakes::ProtoMessage> spans;
    for (int s = 1; s <= kSpans; ++s)
      spans.push_back(span_of(static_cast<std::uint64_t>(b + 1), static_cast<std::uint64_t>(s)));
    const std::string payload = fakes::otlp_request_of(spans);
    const std::string id = "t:0:" + std::to_string(b);
    if (b % kKillEvery == kKillEvery - 1) {
      // The answer to this batch may be lost, or come before its rows have reached a disk.
      const std::jthread killer = start_thread("killer", [](const std::stop_token&) {
        ASSERT_TRUE(ClickHouseServer::shared()->kill9().ok());
      });
      send(*to, payload, id).ok();
    }
    if (b % kKillEvery == kKillEvery - 1) {
      ASSERT_TRUE(ClickHouseServer::shared()->start().ok());
    }
    bool stored = false;
    for (int attempt = 0; attempt < 100 && !stored; ++attempt) {
      const auto answer = send(*to, payload, id);
      if (!answer.ok()) {
        ASSERT_EQ(answer.error().refusal, Refusal::kTransient) << answer.error().message;
      }
      stored = answer.ok();
    }
    ASSERT_TRUE(stored);
  }
  BlockingClient client(ClickHouseServer::shared()->url(), "sink_kill");
  const std::string expected = std::to_string(kBatches * kSpans);
  EXPECT_EQ(client.value("SELECT count() FROM spans"), expected);
  EXPECT_EQ(client.value("SELECT uniqExact(trace_id, span_id) FROM spans"), expected);
  for (const std::string table : {"red_5m", "red_1h", "red_service_5m"})
    EXPECT_EQ(client.value("SELECT sum(calls) FROM " + table), expected) << table;
}

// Points of all kinds: `count` gauges, a histogram with an exemplar and a delta sum.
std::string metrics_of(std::uint64_t number, std::uint64_t count) {
  const std::uint64_t now = now_nano();
  std::vector<fakes::ProtoMessage> points;
  for (std::uint64_t i = 0; i < count; ++i)
    points.push_back(fakes::otlp_number_point(static_cast<std::int64_t>(number * count + i),
                                              {fakes::otlp_attribute("n", std::to_string(i))})
                         .fixed64(3, now));
  fakes::ProtoMessage exemplar;
  exemplar.fixed64(2, now).real(3, 0.5).bytes(5, fakes::otlp_trace_id(number + 1));
  const std::vector<std::uint64_t> counts = {1, 2};
  const double bound = 0.1;
  fakes::ProtoMessage histogram;
  histogram.fixed64(3, now).fixed64(4, 3).real(5, 1.5).message(8, exemplar);
  histogram.bytes(6, {reinterpret_cast<const char*>(counts.data()), 16});
  histogram.bytes(7, {reinterpret_cast<const char*>(&bound), 8});
  return fakes::otlp_request_of(
      {fakes::otlp_metric("queue.size", fakes::MetricKind::kGauge, points),
       fakes::otlp_metric("latency", fakes::MetricKind::kHistogram, {histogram})});
}

TEST_F(SinkOnServer, StoresDataPointsWithTheirSeries) {
  migrate("sink_metrics");
  const auto to = sink("sink_metrics");
  const std::string payload = metrics_of(0, 3);
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(send(*to, payload, "m:0:0-0", otlp::Signal::kMetrics).ok());
  BlockingClient client(ClickHouseServer::shared()->url(), "sink_metrics");
  EXPECT_EQ(
      client.value("SELECT concat(toString(count()), ' ', toString(sum(value))) FROM samples"),
      "3 3");
  EXPECT_EQ(
      client.value("SELECT toString(tuple(labels['n'], labels['job'], type, otlp_name)) FROM "
                   "series FINAL WHERE series_id = (SELECT series_id FROM samples WHERE value "
                   "= 2)"),
      "('2','shop','gauge','queue.size')");
  EXPECT_EQ(client.value("SELECT toString(tuple(count, sum, bounds, counts, min)) FROM histograms"),
            "(3,1.5,[0.1],[1,2],NULL)");
  EXPECT_EQ(client.value("SELECT concat(toString(count()), hex(any(trace_id))) FROM exemplars"),
            "100000000000000000000000000000001");
  EXPECT_EQ(client.value("SELECT toString(sum(n)) FROM samples_5m"), "3");
}

TEST_F(SinkOnServer, AServerThatIsKilledAtAnyMomentHasEachSampleOnceAfterTheRepeat) {
  migrate("sink_kill_metrics");
  const auto to = sink("sink_kill_metrics");
  constexpr std::uint64_t kBatches = 16, kPoints = 100, kKillEvery = 4;
  for (std::uint64_t b = 0; b < kBatches; ++b) {
    const std::string payload = metrics_of(b, kPoints);
    const std::string id = "m:0:" + std::to_string(b);
    if (b % kKillEvery == kKillEvery - 1) {
      // The answer to this batch may be lost, or come before its rows have reached a disk.
      const std::jthread killer = start_thread("killer", [](const std::stop_token&) {
        ASSERT_TRUE(ClickHouseServer::shared()->kill9().ok());
      });
      send(*to, payload, id, otlp::Signal::kMetrics).ok();
    }
    if (b % kKillEvery == kKillEvery - 1) {
      ASSERT_TRUE(ClickHouseServer::shared()->start().ok());
    }
    bool stored = false;
    for (int attempt = 0; attempt < 100 && !stored; ++attempt)
      stored = send(*to, payload, id, otlp::Signal::kMetrics).ok();
    ASSERT_TRUE(stored);
  }
  BlockingClient client(ClickHouseServer::shared()->url(), "sink_kill_metrics");
  const std::string expected = std::to_string(kBatches * kPoints);
  EXPECT_EQ(client.value("SELECT toString(count()) FROM samples"), expected);
  EXPECT_EQ(client.value("SELECT toString(uniqExact(value)) FROM samples"), expected);
  EXPECT_EQ(client.value("SELECT toString(count()) FROM histograms"), std::to_string(kBatches));
  EXPECT_EQ(client.value("SELECT toString(count()) FROM exemplars"), std::to_string(kBatches));
  // The rollup equals the raw rows.
  EXPECT_EQ(client.value("SELECT toString(tuple(sum(n), sum(sum), max(max))) FROM samples_5m"),
            client.value("SELECT toString(tuple(count(), sum(value), max(value))) FROM samples"));
}

// A batch of two days of which one is refused is halved until the refused span is alone, as the
// bridge does it. Nothing of the other day is stored again.
TEST_F(SinkOnServer, NoDayOfAHalvedBatchIsStoredTwice) {
  migrate("sink_days");
  BlockingClient client(ClickHouseServer::shared()->url(), "sink_days");
  ASSERT_TRUE(
      client.execute("ALTER TABLE spans ADD CONSTRAINT no_poison CHECK name != 'poison'").ok());
  constexpr std::uint64_t kItems = 16, kPoison = 5, kDayNs = 86'400'000'000'000ULL;
  std::vector<fakes::ProtoMessage> spans;
  for (std::uint64_t i = 0; i < kItems; ++i) {
    auto span = span_of(1, i + 1);
    if (i % 2 == 1) span.fixed64(7, now_nano() - kDayNs);
    if (i == kPoison) span.bytes(5, "poison");
    spans.push_back(std::move(span));
  }
  std::vector<std::uint64_t> refused;
  const std::function<void(std::uint64_t, std::uint64_t)> deliver = [&](std::uint64_t first,
                                                                        std::uint64_t count) {
    const std::vector<fakes::ProtoMessage> part(
        spans.begin() + static_cast<std::ptrdiff_t>(first),
        spans.begin() + static_cast<std::ptrdiff_t>(first + count));
    const bool undivided = count == kItems;
    const std::string id = pipeline::to_string({"t:0:0-9", first, undivided ? 0 : count});
    // Each part by a process of its own, so that nothing is remembered but in the server.
    for (int tries = 0; tries < 2; ++tries) {
      const auto answer = send(*sink("sink_days"), fakes::otlp_request_of(part), id);
      if (answer.ok()) return;
      ASSERT_EQ(answer.error().refusal, Refusal::kData) << answer.error().message;
    }
    if (count == 1) return refused.push_back(first);
    deliver(first, count / 2);
    deliver(first + count / 2, count - count / 2);
  };
  deliver(0, kItems);
  EXPECT_THAT(refused, testing::ElementsAre(kPoison));
  EXPECT_EQ(client.value("SELECT concat(toString(count()), ' ', toString(uniqExact(span_id))) "
                         "FROM spans"),
            "15 15");
  for (const std::string table : {"red_5m", "red_1h", "red_service_5m"})
    EXPECT_EQ(client.value("SELECT sum(calls) FROM " + table), "15") << table;
}

TEST_F(SinkOnServer, ADatabaseThatDoesNotFitIsAConfigurationError) {
  ClickHouseServer::shared()->database("sink_empty");
  const std::string payload = fakes::otlp_request_of({span_of(1, 1)});
  const auto empty = send(*sink("sink_empty"), payload, "t:0:0-0");
  ASSERT_FALSE(empty.ok());
  EXPECT_EQ(empty.error().refusal, Refusal::kConfiguration);
  EXPECT_THAT(empty.error().message, HasSubstr("spanway-exporter migrate"));
  const auto missing = send(*sink("sink_nowhere"), payload, "t:0:0-0");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().refusal, Refusal::kConfiguration);
  EXPECT_THAT(missing.error().message, HasSubstr("spanway-exporter migrate"));

  migrate("sink_drift");
  const auto to = sink("sink_drift");
  ASSERT_TRUE(send(*to, payload, "t:0:0-0").ok());
  BlockingClient client(ClickHouseServer::shared()->url(), "sink_drift");
  ASSERT_TRUE(client.execute("ALTER TABLE spans DROP COLUMN flags").ok());
  const auto drift = send(*to, payload, "t:0:1-1");
  ASSERT_FALSE(drift.ok());
  EXPECT_EQ(drift.error().refusal, Refusal::kConfiguration) << drift.error().message;
  EXPECT_THAT(drift.error().message, HasSubstr("column spans.flags UInt32 is missing"));
  ASSERT_TRUE(client.execute("DROP TABLE spans").ok());
  const auto dropped = send(*to, payload, "t:0:2-2");
  ASSERT_FALSE(dropped.ok());
  EXPECT_THAT(dropped.error().message, HasSubstr("table spans is missing"));
}

TEST_F(SinkOnServer, WrongCredentialsAreAConfigurationError) {
  migrate("sink_user");
  const std::string payload = fakes::otlp_request_of({span_of(1, 1)});
  const auto wrong = send(*sink("sink_user", "writer", "wrong"), payload, "t:0:0-0");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().refusal, Refusal::kConfiguration);
  const auto reader = send(*sink("sink_user", "reader", "spanway"), payload, "t:0:0-0");
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().refusal, Refusal::kConfiguration);
  EXPECT_TRUE(send(*sink("sink_user", "writer", "spanway"), payload, "t:0:0-0").ok());
}

}  // namespace
}  // namespace spanway::clickhouse
