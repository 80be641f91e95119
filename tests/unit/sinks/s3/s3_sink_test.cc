#include "services/lib/sinks/s3/s3_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/lib/block/text_view.h"
#include "services/lib/objectstore/object_store.h"
#include "services/lib/parquet_file/arrow/arrow_codec.h"
#include "services/lib/sinks/s3/config.h"
#include "services/lib/sinks/s3/row_context.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_s3.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

using fakes::SeenRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class S3SinkTest : public testing::Test {
 protected:
  S3SinkTest() {
    backend_.answer_with([](const SeenRequest& seen) {
      return seen.head.method == "GET" ? fakes::s3_empty_list() : fakes::s3_stored();
    });
  }
  void TearDown() override {
    sink_.reset();
    EXPECT_EQ(budget_.used(), 0u);
  }
  S3Sink& sink() {
    if (!sink_) {
      auto made =
          S3Sink::create(fakes::s3_sink_options(backend_.url()),
                         {io_, system_clock(), {log_, metrics_}}, parquet_file::arrow_codec());
      SPANWAY_CHECK(made.ok());
      sink_ = std::move(made).value();
    }
    return *sink_;
  }
  pipeline::Batch batch(const std::string& payload, const std::string& id = "t:0:1-2:acme",
                        otlp::Signal signal = otlp::Signal::kTraces) {
    pipeline::Batch b;
    b.signal = signal;
    b.payload = Bytes(payload);
    b.metadata.tenant = "acme";
    b.metadata.batch_id = id;
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
  std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (const SeenRequest& seen : backend_.requests()) all.push_back(seen.head.path);
    return all;
  }
  static std::string text(const block::Block& rows, const char* column, std::size_t row) {
    return std::string(block::TextView::of(*rows.find(column))->at(row).value_or("NULL"));
  }

  MemoryBudget budget_{64u << 20};
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  fakes::FakeHttpBackend backend_;
  http::IoPool io_{"sink", 2};
  std::unique_ptr<S3Sink> sink_;
  fakes::Answers answers_;
};

const std::string kSpans = fakes::otlp_request_of({fakes::otlp_span(1, 1), fakes::otlp_span(1, 2)});

TEST_F(S3SinkTest, ABatchIsOneObjectNamedAfterIt) {
  ASSERT_TRUE(send(batch(kSpans)).ok());
  EXPECT_THAT(paths(), ElementsAre("/traces/p/v1/traces/tenant=acme/date=2026-01-01/hour=00/"
                                   "1767225600000-1767225600000-2-t-0-1-2-acme.parquet"));
}

TEST_F(S3SinkTest, TheFileHoldsTheRowsWithTheirResource) {
  ASSERT_TRUE(send(batch(kSpans)).ok());
  auto file = parquet_file::arrow_codec().open(
      parquet_file::memory_source(Bytes(backend_.requests().at(0).body)));
  ASSERT_TRUE(file.ok()) << file.error().message;
  const std::vector<block::Field> fields = {
      {"name", block::parse_type("LowCardinality(String)").value()},
      {"service_name", block::parse_type("LowCardinality(String)").value()},
      {"resource_attributes", block::parse_type("LowCardinality(String)").value()}};
  const auto rows = (*file)->read(0, fields);
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  ASSERT_EQ(rows->rows(), 2u);
  EXPECT_EQ(text(*rows, "name", 1), "GET /");
  EXPECT_EQ(text(*rows, "service_name", 1), "shop");
  EXPECT_THAT(text(*rows, "resource_attributes", 1), HasSubstr("\"service.name\":\"shop\""));
  EXPECT_EQ((*file)->metadata().at("spanway.batch"), "t:0:1-2:acme");
  EXPECT_EQ((*file)->metadata().at("spanway.services"), "[\"shop\"]");
}

TEST_F(S3SinkTest, TheSameBatchIsTheSameObjectToTheByte) {
  ASSERT_TRUE(send(batch(kSpans)).ok());
  ASSERT_TRUE(send(batch(kSpans)).ok());
  const auto requests = backend_.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].head.path, requests[1].head.path);
  EXPECT_TRUE(requests[0].body == requests[1].body);
}

TEST_F(S3SinkTest, ABatchWithoutAnIdIsNamedByItsBytes) {
  const std::string other =
      fakes::otlp_request_of({fakes::otlp_span(1, 1), fakes::otlp_span(1, 3)});
  for (const std::string& payload : {kSpans, kSpans, other})
    ASSERT_TRUE(send(batch(payload, "")).ok());
  const auto keys = paths();
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_NE(keys[0], keys[2]);
}

TEST_F(S3SinkTest, EachDayIsAnObjectAndTheBatchIsAcknowledgedAfterTheLast) {
  fakes::ProtoMessage next_day = fakes::otlp_span(2, 1);
  next_day.fixed64(7, 1'767'312'000'000'000'000ULL);
  backend_.answer_with([](const SeenRequest& seen) -> fakes::Answer {
    if (seen.head.path.find("2026-01-02") != std::string::npos) return std::nullopt;
    return fakes::s3_stored();
  });
  sink().send(batch(fakes::otlp_request_of({fakes::otlp_span(1, 1), next_day})), answers_.token());
  ASSERT_TRUE(backend_.wait_for_requests(2));
  EXPECT_EQ(answers_.count(), 0u);
  backend_.release([] { return fakes::s3_stored(); });
  EXPECT_TRUE(answers_.next()->ok());
}

TEST_F(S3SinkTest, OneRefusedDayRefusesTheBatch) {
  fakes::ProtoMessage next_day = fakes::otlp_span(2, 1);
  next_day.fixed64(7, 1'767'312'000'000'000'000ULL);
  backend_.answer_with([](const SeenRequest& seen) {
    return seen.head.path.find("2026-01-02") != std::string::npos
               ? fakes::s3_refusal(503, "SlowDown")
               : fakes::s3_stored();
  });
  const auto answer = send(batch(fakes::otlp_request_of({fakes::otlp_span(1, 1), next_day})));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_STREQ(answer.error().reason, "s3_slow_down");
}

std::string two_days() {
  return fakes::otlp_request_of(
      {fakes::otlp_span(1, 1), fakes::otlp_span(2, 1).fixed64(7, 1'767'312'000'000'000'000ULL)});
}
constexpr const char* kNotes = "p/v1/traces/tenant=acme/stored-parts/t-0-1-2-acme/";

TEST_F(S3SinkTest, WhatIsStoredOfARefusedBatchIsWrittenDownBeforeTheRefusal) {
  backend_.answer_with([](const SeenRequest& seen) {
    return seen.head.path.find("2026-01-02") != std::string::npos
               ? fakes::s3_refusal(400, "EntityTooLarge")
               : fakes::s3_stored();
  });
  const auto answer = send(batch(two_days()));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  ASSERT_EQ(paths().size(), 3u);
  EXPECT_EQ(paths().back(), "/traces/" + std::string(kNotes) + "0-0-20454");
}

TEST_F(S3SinkTest, APartThatCannotBeWrittenDownLetsTheSameBatchComeAgain) {
  backend_.answer_with([](const SeenRequest& seen) {
    if (seen.head.path.find("stored-parts") != std::string::npos)
      return fakes::s3_refusal(503, "SlowDown");
    return seen.head.path.find("2026-01-02") != std::string::npos
               ? fakes::s3_refusal(400, "EntityTooLarge")
               : fakes::s3_stored();
  });
  const auto answer = send(batch(two_days()));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
}

TEST_F(S3SinkTest, AHalfLeavesOutTheDayThatIsStored) {
  const auto list = [&](const std::string& name) {
    backend_.answer_with([name](const SeenRequest& seen) -> fakes::Answer {
      if (seen.head.method != "GET") return fakes::s3_stored();
      return fakes::http_answer(200,
                                "<ListBucketResult><Contents><Key>" + (kNotes + name) +
                                    "</Key><Size>0</Size><LastModified>2026-01-01T00:00:00Z"
                                    "</LastModified></Contents></ListBucketResult>",
                                "application/xml");
    });
  };
  const auto stored = [&] {
    std::string days;
    for (const SeenRequest& seen : backend_.requests())
      if (seen.head.method == "PUT")
        days += seen.head.path.find("2026-01-02") != std::string::npos ? "2" : "1";
    return days;
  };
  list("0-0-20454");  // The whole batch.
  ASSERT_TRUE(send(batch(two_days(), "t:0:1-2:acme~0+2")).ok());
  EXPECT_EQ(stored(), "2");
  list("0-2-20454");  // The other half.
  ASSERT_TRUE(send(batch(two_days(), "t:0:1-2:acme~2+2")).ok());
  EXPECT_EQ(stored().size(), 3u);
  list("0-0-20454");
  ASSERT_TRUE(send(batch(kSpans, "t:0:1-2:acme~0+2")).ok());  // Nothing is left of it.
  EXPECT_EQ(stored().size(), 3u);
}

// A key without s3:ListBucket has written nothing down that it could read.
TEST_F(S3SinkTest, AHalfIsStoredWholeWhereTheKeyMayNotList) {
  backend_.answer_with([](const SeenRequest& seen) {
    return seen.head.method == "GET" ? fakes::s3_refusal(403, "AccessDenied") : fakes::s3_stored();
  });
  EXPECT_TRUE(send(batch(two_days(), "t:0:1-2:acme~0+2")).ok());
  EXPECT_EQ(paths().size(), 3u);
}

TEST_F(S3SinkTest, SpansWithoutIdsAreCountedAsRejected) {
  const auto answer = send(batch(fakes::otlp_request_of(
      {fakes::otlp_span(1, 1), fakes::otlp_span(std::string(16, '\0'), "")})));
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->rejected, 1u);
}

TEST_F(S3SinkTest, AProbeAcceptsAKeyThatMayNotList) {
  backend_.answer_with([](const SeenRequest&) { return fakes::s3_refusal(403, "AccessDenied"); });
  EXPECT_TRUE(send({}).ok());
  backend_.answer_with([](const SeenRequest&) { return fakes::s3_refusal(404, "NoSuchBucket"); });
  const auto answer = send({});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kConfiguration);
}

// Data points of 2026-01-01: a gauge of two routes, and a histogram with an exemplar.
std::string points() {
  const auto packed = [](const auto& values) {
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * 8);
  };
  const auto histogram = fakes::ProtoMessage()
                             .fixed64(3, 1'767'225'600'000'000'000ULL)
                             .fixed64(4, 6)
                             .bytes(6, packed(std::vector<std::uint64_t>{1, 2, 3}))
                             .bytes(7, packed(std::vector<double>{0.1, 1.0}))
                             .message(8, fakes::ProtoMessage()
                                             .fixed64(2, 1'767'225'600'000'000'000ULL)
                                             .fixed64(6, 7)
                                             .bytes(5, fakes::otlp_trace_id(9))
                                             .bytes(4, fakes::otlp_span_id(8)));
  return fakes::otlp_request_of(
      {fakes::otlp_metric(
           "queue.size", fakes::MetricKind::kGauge,
           {fakes::otlp_number_point(7, {fakes::otlp_attribute("http.route", "/a")}),
            fakes::otlp_number_point(8, {fakes::otlp_attribute("http.route", "/\"b")})}),
       fakes::otlp_metric("latency", fakes::MetricKind::kHistogram, {histogram})});
}
constexpr const char* kPointsFolder = "/traces/p/v1/metrics/";
constexpr const char* kPointsName =
    "/tenant=acme/date=2026-01-01/hour=00/1767225600000-1767225600000-";

TEST_F(S3SinkTest, DataPointsAreAnObjectForEachTable) {
  ASSERT_TRUE(send(batch(points(), "m:0:1-2:acme", otlp::Signal::kMetrics)).ok());
  const auto key = [](const std::string& table, int rows) {
    return kPointsFolder + table + kPointsName + std::to_string(rows) + "-m-0-1-2-acme.parquet";
  };
  EXPECT_THAT(paths(), testing::UnorderedElementsAre(key("samples", 2), key("histograms", 1),
                                                     key("exemplars", 1)));
}

TEST_F(S3SinkTest, TheFileOfSamplesHoldsTheirSeriesAndResource) {
  ASSERT_TRUE(send(batch(points(), "m:0:1-2:acme", otlp::Signal::kMetrics)).ok());
  const auto requests = backend_.requests();
  const auto samples = std::find_if(requests.begin(), requests.end(), [](const SeenRequest& seen) {
    return seen.head.path.find("/samples/") != std::string::npos;
  });
  ASSERT_NE(samples, requests.end());
  auto file = parquet_file::arrow_codec().open(parquet_file::memory_source(Bytes(samples->body)));
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_TRUE((*file)->has_only(object_fields(objectstore::StoredTable::kSamples)));
  EXPECT_EQ((*file)->metadata().at("spanway.metrics"), "[\"queue_size_ratio\"]");
  const auto rows = (*file)->read(0, object_fields(objectstore::StoredTable::kSamples));
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  std::vector<std::string> all;
  for (std::size_t row = 0; row < rows->rows(); ++row)
    all.push_back(
        text(*rows, "metric", row) + ' ' + text(*rows, "series_labels", row) + ' ' +
        std::to_string(
            static_cast<const block::FixedColumn&>(*rows->find("value")).values<double>()[row]) +
        ' ' + text(*rows, "otlp_name", row) + ' ' + text(*rows, "resource_attributes", row));
  constexpr const char* kResource = R"( {"service.name":"shop"})";
  EXPECT_THAT(
      all,
      testing::UnorderedElementsAre(
          std::string(R"(queue_size_ratio {"http_route":"/a","job":"shop"} 7.000000 queue.size)") +
              kResource,
          std::string(
              R"(queue_size_ratio {"http_route":"/\"b","job":"shop"} 8.000000 queue.size)") +
              kResource));
}

TEST_F(S3SinkTest, TheSameDataPointsAreTheSameObjectsToTheByte) {
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(send(batch(points(), "m:0:1-2:acme", otlp::Signal::kMetrics)).ok());
  std::map<std::string, std::set<std::string>> bodies;
  for (const SeenRequest& seen : backend_.requests())
    bodies[seen.head.path].insert(std::string(seen.body));
  EXPECT_THAT(bodies, SizeIs(3));
  for (const auto& [path, different] : bodies) EXPECT_THAT(different, SizeIs(1)) << path;
}

TEST_F(S3SinkTest, AHalfOfDataPointsLeavesOutTheTableThatIsStored) {
  backend_.answer_with([](const SeenRequest& seen) -> fakes::Answer {
    if (seen.head.method != "GET") return fakes::s3_stored();
    const bool is_stored = seen.head.path.find("samples") != std::string::npos ||
                           seen.head.query.find("samples") != std::string::npos;
    if (!is_stored) return fakes::s3_empty_list();
    return fakes::http_answer(200,
                              "<ListBucketResult><Contents><Key>p/v1/metrics/samples/tenant=acme/"
                              "stored-parts/m-0-1-2-acme/0-0-20454</Key><Size>0</Size>"
                              "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
                              "</ListBucketResult>",
                              "application/xml");
  });
  ASSERT_TRUE(send(batch(points(), "m:0:1-2:acme~0+2", otlp::Signal::kMetrics)).ok());
  std::vector<std::string> stored;
  for (const SeenRequest& seen : backend_.requests())
    if (seen.head.method == "PUT") stored.push_back(seen.head.path);
  EXPECT_THAT(stored,
              testing::UnorderedElementsAre(HasSubstr("histograms"), HasSubstr("exemplars")));
}

TEST_F(S3SinkTest, WithoutMemoryItIsRefusedForNow) {
  MemoryBudget small(kSpans.size() + 100);
  pipeline::Batch b = batch(kSpans);
  b.permit = std::move(*small.try_acquire(kSpans.size()));
  const auto answer = send(std::move(b));
  ASSERT_FALSE(answer.ok());
  EXPECT_STREQ(answer.error().reason, "no_memory");
  EXPECT_EQ(small.used(), 0u);
}

TEST(S3Config, ABucketInFrontOfAnIpAddressIsRefused) {
  S3Config c;
  c.bucket = "traces";
  c.endpoint = "http://127.0.0.1:9000";
  config::Problems problems;
  validate(c, "destination.s3", problems);
  EXPECT_FALSE(problems.empty());
  c.path_style = true;
  config::Problems none;
  validate(c, "destination.s3", none);
  EXPECT_TRUE(none.empty());
}

}  // namespace
}  // namespace spanway::sinks
