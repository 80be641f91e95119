#include "services/lib/sinks/prometheus/remote_write_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/lib/base/mutex.h"
#include "services/lib/http/snappy.h"
#include "services/lib/otlp/wire.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_http_backend.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

using fakes::http_answer;
using fakes::MetricKind;
using fakes::SeenRequest;
using prometheus_write::Protocol;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint32_t kV1Series = 1 << 3 | 2, kV2Series = 5 << 3 | 2;

std::string body_of(const SeenRequest& seen) {
  return std::string(http::snappy_decode(seen.body, 1u << 24)->view());
}
bool is_v2(const SeenRequest& seen) {
  return seen.head.headers.get("x-prometheus-remote-write-version") == "2.0.0";
}
std::size_t entries_of(const SeenRequest& seen) {
  const std::string body = body_of(seen);
  std::size_t entries = 0;
  const auto* const end = otlp::wire::end_of(body);
  for (const auto* p = otlp::wire::begin_of(body); p != end;) {
    otlp::wire::Field field;
    p = otlp::wire::read_field(p, end, field);
    SPANWAY_CHECK(p != nullptr);
    if (field.tag == (is_v2(seen) ? kV2Series : kV1Series)) ++entries;
  }
  return entries;
}
http::Response written(std::size_t samples, int status = 204, std::string_view body = {}) {
  http::Response response = http_answer(status, body);
  response.headers.add("x-prometheus-remote-write-samples-written", std::to_string(samples));
  return response;
}
fakes::ProtoMessage counter(const std::string& name) {
  return fakes::otlp_metric(name, MetricKind::kSum, {fakes::otlp_number_point(1)});
}
std::vector<fakes::ProtoMessage> counters(int count) {
  std::vector<fakes::ProtoMessage> all;
  for (int i = 0; i < count; ++i) all.push_back(counter("m" + std::to_string(i)));
  return all;
}

class RemoteWriteSinkTest : public testing::Test {
 protected:
  RemoteWriteSinkTest() {
    backend_.answer_with([](const SeenRequest& seen) { return written(entries_of(seen)); });
    options_.endpoint = backend_.url() + "/api/v1/write?key=1";
  }
  void TearDown() override {
    sink_.reset();
    EXPECT_EQ(budget_.used(), 0u);
  }
  Result<pipeline::Outcome> send(const std::vector<fakes::ProtoMessage>& metrics) {
    if (!sink_)
      sink_ = RemoteWriteSink::create(options_, {io_, system_clock(), {log_, metrics_}}).value();
    pipeline::Batch batch;
    batch.signal = otlp::Signal::kMetrics;
    batch.payload = Bytes(fakes::otlp_request_of(metrics));
    batch.permit = std::move(*budget_.try_acquire(batch.payload.size()));
    batch.metadata.tenant = "team-a";
    batch.deadline = Deadline::after(system_clock(), std::chrono::seconds(20));
    sink_->send(std::move(batch), answers_.token());
    auto answer = answers_.next();
    SPANWAY_CHECK(answer.has_value());
    return *answer;
  }
  // A receiver of 1.0 that takes back all of a request with a series of that name; "" = any.
  void refuse_out_of_order(const std::string& name) {
    options_.protocol = Protocol::kV1;
    std::string label = "__name__\x12";
    if (!name.empty()) label += static_cast<char>(name.size()) + name;
    backend_.answer_with([this, label](const SeenRequest& seen) {
      const std::string body = body_of(seen);
      if (body.find(label) != std::string::npos) return http_answer(400, "out of order sample");
      MutexLock lock(mutex_);
      stored_ += entries_of(seen);
      return http_answer(204);
    });
  }
  std::size_t stored() {
    MutexLock lock(mutex_);
    return stored_;
  }

  MemoryBudget budget_{64u << 20};
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_{"remote_write", 2};
  Mutex mutex_;
  std::size_t stored_ SPANWAY_GUARDED_BY(mutex_) = 0;
  fakes::FakeHttpBackend backend_;
  RemoteWriteSinkOptions options_;
  std::unique_ptr<RemoteWriteSink> sink_;
  fakes::Answers answers_;
};

TEST_F(RemoteWriteSinkTest, SendsTheHeadersOfEachProtocol) {
  options_.http.tenant_header = "X-Scope-OrgID";
  for (const Protocol protocol : {Protocol::kV2, Protocol::kV1}) {
    options_.protocol = protocol;
    sink_.reset();
    ASSERT_TRUE(send({counter("m")}).ok());
    const SeenRequest seen = backend_.requests().back();
    EXPECT_EQ(seen.head.path, "/api/v1/write");
    EXPECT_EQ(seen.head.query, "key=1");
    EXPECT_EQ(seen.head.headers.get("content-encoding"), "snappy");
    EXPECT_EQ(seen.head.headers.get("x-scope-orgid"), "team-a");
    EXPECT_EQ(seen.head.headers.get("content-type"),
              protocol == Protocol::kV2
                  ? "application/x-protobuf;proto=io.prometheus.write.v2.Request"
                  : "application/x-protobuf");
    EXPECT_EQ(seen.head.headers.get("x-prometheus-remote-write-version"),
              protocol == Protocol::kV2 ? "2.0.0" : "0.1.0");
    EXPECT_EQ(entries_of(seen), 1u);
  }
}

TEST_F(RemoteWriteSinkTest, AReceiverWithout2IsSent1FromThenOn) {
  backend_.answer_with(
      [](const SeenRequest& seen) { return http_answer(is_v2(seen) ? 415 : 204); });
  const auto first = send({counter("m")});
  EXPECT_EQ(first.error().refusal, Refusal::kTransient);
  EXPECT_STREQ(first.error().reason, "rw_protocol_changed");
  EXPECT_TRUE(send({counter("m")}).ok());
  EXPECT_TRUE(send({counter("m")}).ok());
  EXPECT_EQ(backend_.requests().size(), 3u);
}

// It ignores the content type, reads an empty message of 1.0 and stores nothing.
TEST_F(RemoteWriteSinkTest, AReceiverThatConfirmsNothingIsSent1) {
  backend_.answer_with([](const SeenRequest&) { return http_answer(200); });
  EXPECT_EQ(send({counter("m")}).error().refusal, Refusal::kTransient);
  EXPECT_TRUE(send({counter("m")}).ok());
  EXPECT_FALSE(is_v2(backend_.requests().back()));
}

TEST_F(RemoteWriteSinkTest, A415ToBothIsConfigurationUntilOneIsTaken) {
  backend_.answer_with(415);
  EXPECT_EQ(send({counter("m")}).error().refusal, Refusal::kTransient);
  EXPECT_EQ(send({counter("m")}).error().refusal, Refusal::kConfiguration);
  EXPECT_EQ(send({counter("m")}).error().refusal, Refusal::kConfiguration);
  backend_.answer_with([](const SeenRequest& seen) {
    return is_v2(seen) ? written(entries_of(seen)) : http_answer(415);
  });
  while (!send({counter("m")}).ok()) {
  }
  EXPECT_TRUE(is_v2(backend_.requests().back()));
}

TEST_F(RemoteWriteSinkTest, AFixedProtocolIsNotChanged) {
  options_.protocol = Protocol::kV2;
  backend_.answer_with(204);
  EXPECT_EQ(send({counter("m")}).error().refusal, Refusal::kConfiguration);
  EXPECT_EQ(send({counter("m")}).error().refusal, Refusal::kConfiguration);
  EXPECT_TRUE(is_v2(backend_.requests().back()));
}

TEST_F(RemoteWriteSinkTest, WhatAReceiverOf2RefusesIsCounted) {
  backend_.answer_with([](const SeenRequest& seen) {
    return written(entries_of(seen) - 2, 400, "out of order sample for series {}");
  });
  const auto outcome = send(counters(5));
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->rejected, 2u);
  EXPECT_THAT(outcome->message, HasSubstr("out of order sample"));
}

// A histogram of 15 series is one data point.
TEST_F(RemoteWriteSinkTest, RefusedSeriesOfAHistogramAreItsDataPoints) {
  fakes::ProtoMessage point;
  point.fixed64(3, 2'000'000'000ULL).fixed64(4, 3).real(5, 1);
  std::string counts, bounds;
  for (int i = 0; i < 13; ++i) {
    const std::uint64_t count = 1;
    const double bound = i;
    counts.append(reinterpret_cast<const char*>(&count), 8);
    if (i < 12) bounds.append(reinterpret_cast<const char*>(&bound), 8);
  }
  point.bytes(6, counts).bytes(7, bounds);
  const auto histogram = fakes::otlp_metric("h", MetricKind::kHistogram, {point, point});
  std::size_t taken = 15;
  backend_.answer_with(
      [&](const SeenRequest&) { return written(taken, 400, "too old sample for series {}"); });
  EXPECT_EQ(send({histogram})->rejected, 1u);
  EXPECT_EQ(entries_of(backend_.requests().back()), 30u);
  taken = 0;
  EXPECT_EQ(send({histogram})->rejected, 2u);
}

TEST_F(RemoteWriteSinkTest, DeltaTemporalityIsRejectedAndTheRestStored) {
  fakes::ProtoMessage data;
  data.message(1, fakes::otlp_number_point(1)).varint(2, 1).varint(3, 1);
  const auto delta = fakes::ProtoMessage().bytes(1, "d").message(7, data);
  const auto outcome = send({counter("m"), delta});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->rejected, 1u);
  EXPECT_THAT(outcome->message, HasSubstr("delta temporality"));
  EXPECT_EQ(send({delta})->rejected, 1u);
  EXPECT_EQ(backend_.requests().size(), 1u);  // The second had nothing to send.
}

TEST_F(RemoteWriteSinkTest, AReceiverOf1StoresAllButWhatIsOutOfOrder) {
  refuse_out_of_order("m37_total");
  const auto outcome = send(counters(100));
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->rejected, 1u);
  EXPECT_THAT(outcome->message, HasSubstr("out of order sample"));
  EXPECT_EQ(stored(), 99u);
  EXPECT_LE(backend_.requests().size(), 15u);
}

TEST_F(RemoteWriteSinkTest, AnOlderBatchThatAReceiverOf1HasSeenEnds) {
  refuse_out_of_order("");
  const auto outcome = send(counters(50));
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->rejected, 50u);
  EXPECT_EQ(stored(), 0u);
}

TEST_F(RemoteWriteSinkTest, TooManyRefusedEntriesOf1AreLeftToTheSenderInHalves) {
  refuse_out_of_order("");
  const auto answer = send(counters(2000));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().refusal, Refusal::kData);
  EXPECT_STREQ(answer.error().reason, "rw_out_of_order");
  EXPECT_LE(backend_.requests().size(), 1100u);
}

TEST_F(RemoteWriteSinkTest, RequestsOfABatchComeOneAfterTheOther) {
  options_.batch.request_bytes_max = 500;
  ASSERT_TRUE(send(counters(100)).ok());
  std::vector<std::string> order;
  std::string all;
  for (const SeenRequest& seen : backend_.requests()) all += body_of(seen);
  EXPECT_GT(backend_.requests().size(), 4u);
  std::size_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const std::size_t place = all.find("m" + std::to_string(i) + "_");
    ASSERT_NE(place, std::string::npos);
    EXPECT_GE(place, last);
    last = place;
  }
}

TEST_F(RemoteWriteSinkTest, ARequestThatIsRefusedEndsTheBatch) {
  options_.batch.request_bytes_max = 500;
  backend_.answer_with(503);
  EXPECT_EQ(send(counters(100)).error().refusal, Refusal::kTransient);
  EXPECT_EQ(backend_.requests().size(), 1u);
}

TEST_F(RemoteWriteSinkTest, ABatchWithoutPointsFindsOutWhetherTheReceiverIsUp) {
  backend_.answer_with(204);
  EXPECT_TRUE(send({}).ok());
  EXPECT_TRUE(sink_->health().reachable);
  ASSERT_EQ(backend_.requests().size(), 1u);
  EXPECT_EQ(body_of(backend_.requests()[0]), "");
  EXPECT_TRUE(send({}).ok());
  EXPECT_TRUE(is_v2(backend_.requests().back()));
  backend_.stop();
  EXPECT_EQ(send({}).error().refusal, Refusal::kTransient);
  EXPECT_FALSE(sink_->health().reachable);
}

TEST_F(RemoteWriteSinkTest, TheMemoryOfTheSeriesIsAcquiredFirst) {
  const std::string payload = fakes::otlp_request_of(counters(2000));
  MemoryBudget small(payload.size() + (300u << 10));
  sink_ = RemoteWriteSink::create(options_, {io_, system_clock(), {log_, metrics_}}).value();
  pipeline::Batch batch;
  batch.signal = otlp::Signal::kMetrics;
  batch.payload = Bytes(payload);
  batch.permit = std::move(*small.try_acquire(payload.size()));
  batch.deadline = Deadline::after(system_clock(), std::chrono::seconds(20));
  sink_->send(std::move(batch), answers_.token());
  const auto answer = answers_.next();
  EXPECT_STREQ(answer->error().reason, "no_memory");
  EXPECT_EQ(answer->error().refusal, Refusal::kTransient);
  EXPECT_LE(small.peak(), small.limit());
  EXPECT_EQ(small.used(), 0u);
  EXPECT_THAT(backend_.requests(), IsEmpty());
}

// 1.0 repeats the labels for each bucket.
TEST_F(RemoteWriteSinkTest, AHugeDataPointIsALimitOfOurs) {
  options_.protocol = Protocol::kV1;
  fakes::ProtoMessage point;
  point.fixed64(3, 2'000'000'000ULL).fixed64(4, 3).real(5, 1);
  point.bytes(6, std::string(8 * 4001, '\0'));
  std::string bounds;
  for (int i = 0; i < 4000; ++i) {
    const double bound = i;
    bounds.append(reinterpret_cast<const char*>(&bound), 8);
  }
  point.bytes(7, bounds);
  point.message(9, fakes::otlp_attribute("long", std::string(4000, 'x')));
  const auto answer = send({fakes::otlp_metric("h", MetricKind::kHistogram, {point})});
  EXPECT_EQ(answer.error().refusal, Refusal::kUnknown);
  EXPECT_STREQ(answer.error().reason, "request_too_large");
}

}  // namespace
}  // namespace spanway::sinks
