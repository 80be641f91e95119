#include "services/lib/sinks/clickhouse/clickhouse_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/lib/block/text_view.h"
#include "services/lib/clickhouse/native_reader.h"
#include "services/lib/otlp_blocks/identity.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_clickhouse.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

using fakes::SeenRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAre;

class ClickHouseSinkTest : public testing::Test {
 protected:
  ClickHouseSinkTest() {
    backend_.answer_with(clickhouse_script([](const SeenRequest&) { return clickhouse_answer(); }));
  }
  void TearDown() override {
    sink_.reset();
    EXPECT_EQ(budget_.used(), 0u);
  }
  ClickHouseSink& sink(bool compress = true) {
    if (!sink_) {
      ClickHouseSinkOptions options;
      options.client.url = backend_.url();
      options.client.database = "otel";
      options.compress = compress;
      auto made = ClickHouseSink::create(options, {io_, system_clock(), {log_, metrics_}});
      SPANWAY_CHECK(made.ok());
      sink_ = std::move(made).value();
    }
    return *sink_;
  }
  pipeline::Batch batch(const std::string& payload, otlp::Signal signal = otlp::Signal::kTraces) {
    pipeline::Batch b;
    b.signal = signal;
    b.payload = Bytes(payload);
    b.metadata.tenant = "acme";
    b.metadata.batch_id = "otel.traces:0:1-2:acme";
    b.deadline = Deadline::after(system_clock(), std::chrono::seconds(20));
    b.permit = std::move(*budget_.try_acquire(payload.size()));
    return b;
  }
  Result<pipeline::Outcome> send(pipeline::Batch b) {
    sink().send(std::move(b), answers_.token());
    auto answer = answers_.next();
    if (!answer) return unknown_error(Code::kUnknown, "no answer");
    return std::move(*answer);
  }
  std::vector<std::string> tables() const {
    std::vector<std::string> all;
    for (const SeenRequest& seen : backend_.requests())
      if (!table_of(seen).empty()) all.push_back(table_of(seen));
    return all;
  }

  MemoryBudget budget_{64u << 20};
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  fakes::FakeHttpBackend backend_;
  http::IoPool io_{"sink", 2};
  std::unique_ptr<ClickHouseSink> sink_;
  fakes::Answers answers_;
};

const std::string kSpans = fakes::otlp_request_of({fakes::otlp_span(1, 1), fakes::otlp_span(1, 2)});

TEST_F(ClickHouseSinkTest, DictionaryRowsComeBeforeTheDataThatRefersToThem) {
  ASSERT_TRUE(send(batch(kSpans)).ok());
  const auto all = tables();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all.back(), "spans");
  EXPECT_THAT(std::vector<std::string>(all.begin(), all.begin() + 2),
              UnorderedElementsAre("resources", "attribute_keys"));
  const std::string query = backend_.requests().back().head.query;
  EXPECT_THAT(
      query,
      HasSubstr("insert_deduplication_token=otel.traces%3A0%3A1-2%3Aacme%2Fspans%2F2026-01-01"));
  EXPECT_THAT(query, HasSubstr("async_insert=0"));
  EXPECT_EQ(backend_.requests().back().head.headers.get("content-encoding"), "zstd");
}

TEST_F(ClickHouseSinkTest, DictionaryRowsThatWereTakenAreNotSentAgain) {
  ASSERT_TRUE(send(batch(kSpans)).ok());
  ASSERT_TRUE(send(batch(kSpans)).ok());
  EXPECT_THAT(tables(), ElementsAre(testing::_, testing::_, "spans", "spans"));
}

TEST_F(ClickHouseSinkTest, DictionaryRowsThatWereRefusedComeAgain) {
  backend_.answer_with([](const SeenRequest& seen) -> fakes::Answer {
    if (is_schema_question(seen)) return columns_answer();
    return clickhouse_answer(500, "read-only", "242");
  });
  const auto refused = send(batch(kSpans));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().refusal, Refusal::kTransient);
  EXPECT_THAT(tables(), Not(testing::Contains("spans")));
  backend_.answer_with(clickhouse_script([](const SeenRequest&) { return clickhouse_answer(); }));
  ASSERT_TRUE(send(batch(kSpans)).ok());
  EXPECT_EQ(tables().size(), 5u);
}

// A span of 2026-01-01 and one of the day after it.
std::string two_days() {
  return fakes::otlp_request_of(
      {fakes::otlp_span(1, 1), fakes::otlp_span(2, 1).fixed64(7, 1'767'312'000'000'000'000ULL)});
}
bool is_second_day(const SeenRequest& seen) {
  return seen.head.query.find("2026-01-02") != std::string::npos;
}
// The answer to the question for stored parts: 2026-01-01 of spans, of these items.
http::Response stored_first_day(std::uint64_t first, std::uint64_t count) {
  const block::Field fields[] = {{"target", block::parse_type("String").value()},
                                 {"day", block::parse_type("UInt64").value()},
                                 {"first", block::parse_type("UInt64").value()},
                                 {"count", block::parse_type("UInt64").value()}};
  block::Block rows(fields);
  rows.get<block::StringColumn>("target").append("spans");
  rows.get<block::FixedColumn>("day").append(std::uint64_t{20'454});
  rows.get<block::FixedColumn>("first").append(first);
  rows.get<block::FixedColumn>("count").append(count);
  Bytes body;
  clickhouse::append_native(rows, body);
  return clickhouse_answer(200, body.view());
}
bool asks_for_stored_parts(const SeenRequest& seen) {
  return seen.body.find("FROM stored_parts") != std::string::npos;
}

TEST_F(ClickHouseSinkTest, WhatIsStoredOfARefusedBatchIsWrittenDownBeforeTheRefusal) {
  sink(/*compress=*/false);
  backend_.answer_with(clickhouse_script([](const SeenRequest& seen) {
    return is_second_day(seen) ? clickhouse_answer(500, "no", "117") : clickhouse_answer();
  }));
  const auto answer = send(batch(two_days()));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  std::vector<SeenRequest> notes;
  for (const SeenRequest& seen : backend_.requests())
    if (table_of(seen) == "stored_parts") notes.push_back(seen);
  ASSERT_EQ(notes.size(), 1u);
  clickhouse::NativeReader reader(notes[0].body);
  auto note = reader.next();
  ASSERT_TRUE(note.ok() && *note);
  ASSERT_EQ((*note)->rows(), 1u);
  const auto text = [&](const char* name) {
    return std::string(block::TextView::of(*(*note)->find(name))->at(0).value_or(""));
  };
  EXPECT_EQ(text("tenant"), "acme");
  EXPECT_EQ(text("batch"), "otel.traces:0:1-2:acme");
  EXPECT_EQ(text("target"), "spans");
}

TEST_F(ClickHouseSinkTest, APartThatCannotBeWrittenDownLetsTheSameBatchComeAgain) {
  backend_.answer_with([](const SeenRequest& seen) -> fakes::Answer {
    if (is_schema_question(seen)) return columns_answer();
    if (table_of(seen) == "stored_parts") return clickhouse_answer(500, "no", "241");
    return is_data_insert(seen) && is_second_day(seen) ? clickhouse_answer(500, "no", "117")
                                                       : clickhouse_answer();
  });
  const auto answer = send(batch(two_days()));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_THAT(answer.error().message, HasSubstr("no"));
}

TEST_F(ClickHouseSinkTest, AHalfLeavesOutTheDayThatIsStored) {
  const auto answer_parts = [&](std::uint64_t first, std::uint64_t count) {
    backend_.answer_with([first, count](const SeenRequest& seen) -> fakes::Answer {
      if (is_schema_question(seen)) return columns_answer();
      if (asks_for_stored_parts(seen)) return stored_first_day(first, count);
      return clickhouse_answer();
    });
  };
  const auto days = [&] {
    std::vector<std::string> all;
    for (const SeenRequest& seen : backend_.requests())
      if (is_data_insert(seen)) all.push_back(is_second_day(seen) ? "second" : "first");
    return all;
  };
  pipeline::Batch half = batch(two_days());
  half.metadata.batch_id += "~0+2";
  answer_parts(0, 0);  // The whole batch.
  ASSERT_TRUE(send(std::move(half)).ok());
  EXPECT_THAT(days(), ElementsAre("second"));
  half = batch(two_days());
  half.metadata.batch_id += "~2+2";
  answer_parts(0, 2);  // The other half.
  ASSERT_TRUE(send(std::move(half)).ok());
  EXPECT_THAT(days(), UnorderedElementsAre("second", "first", "second"));
}

TEST_F(ClickHouseSinkTest, AHalfOfWhichEverythingIsStoredIsAcknowledged) {
  backend_.answer_with([](const SeenRequest& seen) -> fakes::Answer {
    if (is_schema_question(seen)) return columns_answer();
    if (asks_for_stored_parts(seen)) return stored_first_day(0, 0);
    return is_data_insert(seen) ? clickhouse_answer(500, "no", "117") : clickhouse_answer();
  });
  pipeline::Batch half = batch(kSpans);
  half.metadata.batch_id += "~0+2";
  EXPECT_TRUE(send(std::move(half)).ok());
}

TEST_F(ClickHouseSinkTest, TheSameBatchIsTheSameInsertToTheByte) {
  sink(/*compress=*/false);
  ASSERT_TRUE(send(batch(kSpans)).ok());
  ASSERT_TRUE(send(batch(kSpans)).ok());
  std::vector<SeenRequest> data;
  for (const SeenRequest& seen : backend_.requests())
    if (is_data_insert(seen)) data.push_back(seen);
  ASSERT_EQ(data.size(), 2u);
  EXPECT_EQ(data[0].body, data[1].body);
  EXPECT_EQ(data[0].head.query, data[1].head.query);
  clickhouse::NativeReader reader(data[0].body);
  auto block = reader.next();
  ASSERT_TRUE(block.ok());
  EXPECT_EQ((*block)->rows(), 2u);
}

// A repeat may come from another process and another version, and the server drops the rows of a
// known token unread. Other bytes here = the same batch has other rows than before: new tokens.
TEST_F(ClickHouseSinkTest, TheBytesOfABatchAreTheSameInEveryVersion) {
  sink(/*compress=*/false);
  ASSERT_TRUE(send(batch(fakes::otlp_request_of(
                       {fakes::otlp_span(1, 1, "GET /",
                                         {fakes::otlp_attribute("http.route", "/"),
                                          fakes::otlp_attribute("n", fakes::otlp_int(1))}),
                        fakes::otlp_span(1, 2)})))
                  .ok());
  const SeenRequest seen = backend_.requests().back();
  ASSERT_EQ(table_of(seen), "spans");
  EXPECT_EQ(otlp_blocks::murmur3(seen.body).low, 0x8ad6ed86cbe9605eULL);
}

TEST_F(ClickHouseSinkTest, WithoutABatchIdThereIsNoToken) {
  auto b = batch(kSpans);
  b.metadata.batch_id.clear();
  ASSERT_TRUE(send(std::move(b)).ok());
  EXPECT_THAT(backend_.requests().back().head.query, Not(HasSubstr("token")));
}

TEST_F(ClickHouseSinkTest, EachDayIsAnInsertOfItsOwn) {
  fakes::ProtoMessage other = fakes::otlp_span(1, 3);
  other.fixed64(7, 1'767'225'600'000'000'000ULL - 1);
  ASSERT_TRUE(send(batch(fakes::otlp_request_of({fakes::otlp_span(1, 1), other}))).ok());
  std::string queries;
  for (const SeenRequest& seen : backend_.requests())
    if (is_data_insert(seen)) queries += seen.head.query + "\n";
  EXPECT_THAT(queries, HasSubstr("%2Fspans%2F2026-01-01"));
  EXPECT_THAT(queries, HasSubstr("%2Fspans%2F2025-12-31"));
}

TEST_F(ClickHouseSinkTest, OneRefusedDayRefusesTheBatch) {
  backend_.answer_with(clickhouse_script([](const SeenRequest& seen) {
    return seen.head.query.find("2025-12-31") == std::string::npos
               ? clickhouse_answer()
               : clickhouse_answer(500, "too many parts", "252");
  }));
  fakes::ProtoMessage other = fakes::otlp_span(1, 3);
  other.fixed64(7, 1'767'225'600'000'000'000ULL - 1);
  const auto answer = send(batch(fakes::otlp_request_of({fakes::otlp_span(1, 1), other})));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_TRUE(answer.error().retry_after.has_value());
}

TEST_F(ClickHouseSinkTest, AMissingColumnStallsBeforeAnythingIsInserted) {
  backend_.answer_with([](const SeenRequest& seen) -> fakes::Answer {
    return is_schema_question(seen) ? columns_answer("http_route") : clickhouse_answer();
  });
  const auto answer = send(batch(kSpans));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kConfiguration);
  EXPECT_STREQ(answer.error().reason, "schema_mismatch");
  EXPECT_THAT(answer.error().message, HasSubstr("spans.http_route"));
  EXPECT_THAT(answer.error().message, HasSubstr("migrate"));
  EXPECT_TRUE(tables().empty());
  backend_.answer_with(clickhouse_script([](const SeenRequest&) { return clickhouse_answer(); }));
  EXPECT_TRUE(send(batch(kSpans)).ok());
}

TEST_F(ClickHouseSinkTest, TheTimeOfTheNewestRowIsAGauge) {
  const std::string newest = "spanway_sink_clickhouse_newest_row_timestamp_seconds";
  const std::string endpoint = backend_.url() + "/";
  sink();
  EXPECT_THAT(metrics_.expose(), Not(HasSubstr(newest + "{"))) << "an age before the first row";
  const auto spans = [](std::uint64_t first_ns, std::uint64_t second_ns) {
    return fakes::otlp_request_of({fakes::otlp_span(1, 1).fixed64(7, first_ns),
                                   fakes::otlp_span(1, 2).fixed64(7, second_ns)});
  };
  const auto value = [&] {
    return metrics_.value(newest, {{"endpoint", endpoint}, {"table", "spans"}});
  };
  ASSERT_TRUE(send(batch(spans(1'767'312'000'500'000'000, 1'767'312'000'250'000'000))).ok());
  EXPECT_EQ(value(), 1'767'312'000.5);
  ASSERT_TRUE(send(batch(spans(1'767'312'000'125'000'000, 1'767'312'000'000'000'000))).ok());
  EXPECT_EQ(value(), 1'767'312'000.125) << "a row with a time to come hides all others for ever";
  EXPECT_THAT(metrics_.expose(),
              Not(HasSubstr(newest + "{endpoint=\"" + endpoint + "\",table=\"resources\"")));
}

TEST_F(ClickHouseSinkTest, TheFitOfTheSchemaIsAGauge) {
  const auto fits = [&] {
    return metrics_.value("spanway_sink_clickhouse_schema_fits",
                          {{"endpoint", backend_.url() + "/"}});
  };
  ASSERT_TRUE(send(batch("")).ok());
  EXPECT_EQ(fits(), 1);
  backend_.answer_with([](const SeenRequest& seen) -> fakes::Answer {
    return is_schema_question(seen) ? columns_answer("http_route") : clickhouse_answer();
  });
  ASSERT_FALSE(send(batch("")).ok());
  EXPECT_EQ(fits(), 0);
  EXPECT_FALSE(send(batch(kSpans)).ok()) << "a batch was inserted into tables that do not fit";
  EXPECT_TRUE(tables().empty());
  backend_.answer_with(clickhouse_script([](const SeenRequest&) { return clickhouse_answer(); }));
  EXPECT_TRUE(send(batch(kSpans)).ok());
  EXPECT_EQ(fits(), 1);
}

TEST_F(ClickHouseSinkTest, TheSchemaIsReadOnce) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(send(batch(kSpans)).ok());
  int questions = 0;
  for (const SeenRequest& seen : backend_.requests()) questions += is_schema_question(seen) ? 1 : 0;
  EXPECT_EQ(questions, 1);
}

TEST_F(ClickHouseSinkTest, AnEmptyBatchAsksTheServerEachTime) {
  ASSERT_TRUE(send(batch("")).ok());
  ASSERT_TRUE(send(batch("")).ok());
  EXPECT_EQ(backend_.requests().size(), 2u);
  sink();
  backend_.stop();
  EXPECT_FALSE(send(batch("")).ok());
  EXPECT_FALSE(sink().health().reachable);
}

TEST_F(ClickHouseSinkTest, ADataRefusalIsBelievedOnlyWhileTheSchemaFits) {
  ASSERT_TRUE(send(batch(kSpans)).ok());
  const auto mismatch = [](const SeenRequest&) { return clickhouse_answer(500, "type", "53"); };
  backend_.answer_with(clickhouse_script(mismatch));
  const auto data = send(batch(kSpans));
  ASSERT_FALSE(data.ok());
  EXPECT_EQ(data.error().refusal, Refusal::kData);
  backend_.answer_with([&](const SeenRequest& seen) -> fakes::Answer {
    return is_schema_question(seen) ? columns_answer("flags") : mismatch(seen);
  });
  const auto drift = send(batch(kSpans));
  ASSERT_FALSE(drift.ok());
  EXPECT_EQ(drift.error().refusal, Refusal::kConfiguration);
  EXPECT_STREQ(drift.error().reason, "schema_mismatch");
}

TEST_F(ClickHouseSinkTest, SpansWithoutIdsAreReportedAndTheRestIsStored) {
  const auto answer =
      send(batch(fakes::otlp_request_of({fakes::otlp_span(1, 1), fakes::otlp_span("", "")})));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->rejected, 1u);
  EXPECT_THAT(answer->message, HasSubstr("span id"));
}

TEST_F(ClickHouseSinkTest, LogsGoToTheirTables) {
  ASSERT_TRUE(
      send(batch(fakes::otlp_request_of({fakes::otlp_log_record("x")}), otlp::Signal::kLogs)).ok());
  EXPECT_THAT(tables(), UnorderedElementsAre("resources", "log_streams", "attribute_keys", "logs"));
  EXPECT_EQ(tables().back(), "logs");
}

TEST_F(ClickHouseSinkTest, EachTableOfABatchIsAnInsertWithATokenOfItsOwn) {
  fakes::ProtoMessage summary;
  summary.fixed64(3, 1'767'225'600'000'000'000ULL).fixed64(4, 2);
  const auto payload = fakes::otlp_request_of(
      {fakes::otlp_metric("up", fakes::MetricKind::kGauge, {fakes::otlp_number_point(1)}),
       fakes::otlp_metric("gc", fakes::MetricKind::kSummary, {summary})});
  ASSERT_TRUE(send(batch(payload, otlp::Signal::kMetrics)).ok());
  EXPECT_THAT(tables(), testing::IsSupersetOf({"resources", "series", "samples", "histograms"}));
  for (const SeenRequest& seen : backend_.requests()) {
    if (!is_data_insert(seen)) continue;
    EXPECT_THAT(seen.head.query, HasSubstr("%2F" + table_of(seen) + "%2F2026-01-01"));
  }
}

TEST_F(ClickHouseSinkTest, WithoutMemoryABatchComesAgainLater) {
  MemoryBudget small(kSpans.size() + 1000);
  auto b = batch(kSpans);
  b.permit = std::move(*small.try_acquire(kSpans.size()));
  const auto answer = send(std::move(b));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_STREQ(answer.error().reason, "no_memory");
  EXPECT_TRUE(backend_.requests().empty());
}

TEST_F(ClickHouseSinkTest, BrokenBytesAreADataErrorOfOurs) {
  const auto answer = send(batch("\x0a\xff"));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  EXPECT_TRUE(backend_.requests().empty());
}

}  // namespace
}  // namespace spanway::sinks
