#include "services/lib/sinks/loki/loki_sink.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/lib/http/snappy.h"
#include "services/lib/otlp/reader.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_http_backend.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

using fakes::http_answer;
using fakes::otlp_log_record;
using fakes::otlp_resource;
using fakes::otlp_scope;
using fakes::SeenRequest;
using Protocol = LokiConfig::Protocol;

fakes::ProtoMessage service(std::string_view name, std::size_t records = 1) {
  return otlp_resource(name, {otlp_scope("s", std::vector(records, otlp_log_record("line")))});
}

class LokiSinkTest : public testing::TestWithParam<Protocol> {
 protected:
  LokiSinkTest() { backend_.answer_with(204); }
  void TearDown() override {
    sink_.reset();
    EXPECT_EQ(budget_.used(), 0u);
  }

  Result<pipeline::Outcome> send(const std::vector<fakes::ProtoMessage>& resources) {
    if (!sink_) {
      LokiSinkOptions options;
      options.endpoint = backend_.url() + "/prefix?key=1";
      options.requests.protocol = GetParam();
      options.requests.labels = {"service.name"};
      options.http.tenant_header = "X-Scope-OrgID";
      sink_ = LokiSink::create(options, {io_, system_clock(), {log_, metrics_}}).value();
    }
    pipeline::Batch batch;
    batch.signal = otlp::Signal::kLogs;
    batch.payload = Bytes(fakes::otlp_request(resources).encode());
    batch.permit = std::move(*budget_.try_acquire(batch.payload.size()));
    batch.metadata.tenant = "team-a";
    batch.deadline = Deadline::after(system_clock(), std::chrono::seconds(20));
    sink_->send(std::move(batch), answers_.token());
    auto answer = answers_.next();
    SPANWAY_CHECK(answer.has_value());
    return *answer;
  }
  bool is_of(const SeenRequest& seen, std::string_view service_name) const {
    if (GetParam() == Protocol::kOtlp)
      return seen.decoded().find(service_name) != std::string::npos;
    return http::snappy_decode(seen.body, 1u << 20)->view().find(service_name) !=
           std::string_view::npos;
  }

  MemoryBudget budget_{64u << 20};
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  http::IoPool io_{"loki", 2};
  fakes::FakeHttpBackend backend_;
  std::unique_ptr<LokiSink> sink_;
  fakes::Answers answers_;
};

TEST_P(LokiSinkTest, SendsToThePathOfItsProtocolWithTheTenant) {
  ASSERT_TRUE(send({service("shop")}).ok());
  const auto seen = backend_.requests();
  ASSERT_EQ(seen.size(), 1u);
  const bool is_otlp = GetParam() == Protocol::kOtlp;
  EXPECT_EQ(seen[0].head.path, is_otlp ? "/prefix/otlp/v1/logs" : "/prefix/loki/api/v1/push");
  EXPECT_EQ(seen[0].head.query, "key=1");
  EXPECT_EQ(seen[0].head.headers.get("x-scope-orgid"), "team-a");
  EXPECT_EQ(seen[0].head.headers.get("content-type"), "application/x-protobuf");
  EXPECT_EQ(seen[0].head.headers.get("content-encoding"), is_otlp ? "gzip" : "");
  EXPECT_TRUE(is_of(seen[0], "shop"));
}

TEST_P(LokiSinkTest, ARequestHoldsOneStream) {
  ASSERT_TRUE(send({service("alpha"), service("beta"), service("alpha")}).ok());
  const auto seen = backend_.requests();
  ASSERT_EQ(seen.size(), 2u);
  for (const SeenRequest& request : seen)
    EXPECT_NE(is_of(request, "alpha"), is_of(request, "beta"));
}

TEST_P(LokiSinkTest, ABatchOfManyStreamsIsAcknowledgedAfterTheLast) {
  std::vector<fakes::ProtoMessage> resources;
  for (int i = 0; i < 50; ++i) resources.push_back(service("service-" + std::to_string(i)));
  ASSERT_TRUE(send(resources).ok());
  EXPECT_EQ(backend_.requests().size(), 50u);
}

TEST_P(LokiSinkTest, AddsUpWhatIsRejected) {
  backend_.answer_with([](const SeenRequest&) {
    return http_answer(400, "user 'fake', total ignored: 1 out of 2 for stream: {}");
  });
  const auto outcome = send({service("alpha", 2), service("beta", 2)});
  EXPECT_EQ(outcome.value().rejected, 2u);
}

// As Loki answers a request without streams, with a text.
TEST_P(LokiSinkTest, ABatchWithoutRecordsFindsOutWhetherLokiIsUp) {
  backend_.answer_with([](const SeenRequest&) {
    return http_answer(422, "at least one valid stream is required for ingestion");
  });
  EXPECT_TRUE(send({service("alpha", 0)}).ok());
  EXPECT_TRUE(sink_->health().reachable);
  EXPECT_EQ(backend_.requests().size(), 1u);
  EXPECT_EQ(send({service("alpha", 1)}).error().refusal, Refusal::kData);
  backend_.answer_with(401);
  EXPECT_EQ(send({}).error().refusal, Refusal::kConfiguration);
  EXPECT_NE(sink_->health().last_error, "");
}

// One stream is over its rate, the other holds an entry that is too old: the batch comes again
// first, and is halved only when nothing else is wrong with it.
TEST_P(LokiSinkTest, ATransientRefusalOfAStreamComesBeforeADataRefusal) {
  backend_.answer_with([this](const SeenRequest& seen) {
    return is_of(seen, "alpha") ? http_answer(429, "per stream rate limit")
                                : http_answer(400, "timestamp too old");
  });
  const auto answer = send({service("beta"), service("alpha")});
  EXPECT_EQ(answer.error().refusal, Refusal::kTransient);
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted);
}

TEST_P(LokiSinkTest, ARefusedBatchSendsNoMore) {
  backend_.answer_with(503);
  std::vector<fakes::ProtoMessage> resources;
  for (int i = 0; i < 50; ++i) resources.push_back(service("service-" + std::to_string(i)));
  EXPECT_EQ(send(resources).error().refusal, Refusal::kTransient);
  EXPECT_LE(backend_.requests().size(), 16u);
}

// A Loki that is too slow for all streams in the time of one try gets on nevertheless.
TEST_P(LokiSinkTest, WhatLokiHasStoredIsNotSentAgain) {
  const auto timeless = otlp_resource(
      "timeless", {otlp_scope("s", {fakes::ProtoMessage().message(5, fakes::otlp_string("x"))})});
  backend_.answer_with([this](const SeenRequest& seen) {
    if (is_of(seen, "beta")) return http_answer(503, "");
    return is_of(seen, "part") ? http_answer(400, "', total ignored: 1 out of 2 for stream: {}")
                               : http_answer(204, "");
  });
  const std::vector batch = {service("alpha"), timeless, service("part", 2), service("beta")};
  EXPECT_EQ(send(batch).error().refusal, Refusal::kTransient);
  const std::size_t first = backend_.requests().size();
  EXPECT_EQ(first, 4u);
  backend_.answer_with(204);
  EXPECT_TRUE(send(batch).ok());
  const auto seen = backend_.requests();
  ASSERT_EQ(seen.size(), first + 3);
  for (std::size_t i = first; i < seen.size(); ++i) EXPECT_FALSE(is_of(seen[i], "alpha"));
  // All of it is stored.
  backend_.answer_with([this](const SeenRequest& request) {
    return is_of(request, "beta") ? http_answer(503, "") : http_answer(204, "");
  });
  EXPECT_FALSE(send({service("gamma"), service("beta")}).ok());
  EXPECT_TRUE(send({service("gamma")}).ok());
}

TEST_P(LokiSinkTest, TakesLogsOnly) {
  ASSERT_TRUE(send({service("shop")}).ok());
  sink_->send({}, answers_.token());  // Traces.
  const auto answer = answers_.next();
  EXPECT_EQ(answer->error().code, Code::kUnimplemented);
  EXPECT_EQ(answer->error().refusal, Refusal::kConfiguration);
}

INSTANTIATE_TEST_SUITE_P(Protocols, LokiSinkTest, testing::Values(Protocol::kOtlp, Protocol::kPush),
                         [](const auto& test) {
                           return test.param == Protocol::kOtlp ? "otlp" : "push";
                         });

}  // namespace
}  // namespace spanway::sinks
