#include "services/lib/rpc/client_status.h"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "services/lib/rpc/otlp_grpc_sink.h"
#include "tests/fakes/grpc_backend.h"
#include "tests/unit/rpc/loopback.h"

namespace spanway::rpc {
namespace {

Error resource_exhausted(std::string_view message) {
  return error_from_call(static_cast<int>(Code::kResourceExhausted), message, "");
}

TEST(ClientStatus, WhatTheConnectionDidToACallIsNotTheBatchsFault) {
  EXPECT_EQ(resource_exhausted("Received RST_STREAM with error code 11").refusal,
            Refusal::kTransient);
  for (const char* text : {"received initial metadata size exceeds limit (20000 vs. 8192)",
                           "received trailing metadata size exceeds limit"}) {
    EXPECT_EQ(resource_exhausted(text).refusal, Refusal::kConfiguration) << text;
  }
  EXPECT_EQ(resource_exhausted("too many spans").refusal, Refusal::kData);
}

TEST(ClientStatus, LostConnectionsAndPassedDeadlinesAreTransient) {
  for (const Code code : {Code::kCancelled, Code::kUnavailable, Code::kDeadlineExceeded}) {
    EXPECT_EQ(error_from_call(static_cast<int>(code), "Socket closed", "").refusal,
              Refusal::kTransient);
  }
}

class ClientStatusOnTheWire : public testing::Test {
 protected:
  Answer exchange_with(const fakes::GrpcBackend& backend, std::size_t bytes) {
    OtlpGrpcSinkOptions options;
    options.endpoint = backend.endpoint();
    options.connections = 1;
    const auto sink = OtlpGrpcSink::create(options, system_clock(), {log_, metrics_}).value();
    return exchange(*sink, batch_of(std::string(bytes, 'x')));
  }
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
};

TEST_F(ClientStatusOnTheWire, AnAnswerAboveTheClientsOwnLimitIsNotTheBatchsFault) {
  const fakes::GrpcBackend backend({.answer = {.code = 0, .message = {}, .body_bytes = 5u << 20}});
  const Answer answer = exchange_with(backend, 10);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted) << answer.error().message;
  EXPECT_EQ(answer.error().refusal, Refusal::kUnknown);
  EXPECT_STREQ(answer.error().reason, "grpc_answer_too_large");
}

// The bridge and the exporter log each failure themselves.
TEST_F(ClientStatusOnTheWire, AFailedCallIsLoggedUnlessTheOwnerDoes) {
  const fakes::GrpcBackend backend({.answer = {.code = 14, .message = "down", .body_bytes = 0}});
  for (const bool log_failures : {true, false}) {
    std::vector<std::string> lines;
    const auto log = telemetry::Logger::create(
        {.write = [&lines](std::string_view line) { lines.emplace_back(line); }});
    OtlpGrpcSinkOptions options;
    options.endpoint = backend.endpoint();
    options.connections = 1;
    options.log_failures = log_failures;
    {
      const auto sink = OtlpGrpcSink::create(options, system_clock(), {log, metrics_}).value();
      EXPECT_FALSE(exchange(*sink, batch_of("x")).ok());
    }
    EXPECT_EQ(lines.size(), log_failures ? 1u : 0u);
  }
}

TEST_F(ClientStatusOnTheWire, ARequestAboveTheServersLimitIs) {
  // The same library, the same code, the same words: only the limit that is named differs.
  const fakes::GrpcBackend backend({});
  const Answer answer = exchange_with(backend, 5u << 20);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::kResourceExhausted);
  EXPECT_EQ(answer.error().refusal, Refusal::kData) << answer.error().message;
}

TEST_F(ClientStatusOnTheWire, AStatusOfTheServerKeepsItsKind) {
  for (const auto& [code, kind] : {std::pair{Code::kInvalidArgument, Refusal::kData},
                                   std::pair{Code::kResourceExhausted, Refusal::kData},
                                   std::pair{Code::kUnimplemented, Refusal::kConfiguration},
                                   std::pair{Code::kUnavailable, Refusal::kTransient}}) {
    const fakes::GrpcBackend backend(
        {.answer = {.code = static_cast<int>(code),
                    .message = "Received message larger than max (1 vs. 0)",
                    .body_bytes = 0}});
    const Answer answer = exchange_with(backend, 10);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().refusal, kind) << answer.error().message;
  }
}

}  // namespace
}  // namespace spanway::rpc
