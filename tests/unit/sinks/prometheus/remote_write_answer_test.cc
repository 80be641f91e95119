// Each row of the table in the README of sinks/prometheus that is read from the answer itself; the
// others are those of all HTTP destinations, in tests/contract.
#include "services/lib/sinks/prometheus/remote_write_answer.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "services/lib/sinks/prometheus/protocol_choice.h"
#include "tests/fakes/fake_http_backend.h"

namespace spanway::sinks {
namespace {

using Kind = RemoteWriteAnswer::Kind;
using prometheus_write::Protocol;

constexpr const char* kOutOfOrder =
    "out of order sample for series {__name__=\"x\", job=\"shop\"}\n"
    "out of order sample for series {__name__=\"y\", job=\"shop\"}\n";
// As Mimir writes it.
constexpr const char* kTooOld =
    "failed pushing to ingester: user=anonymous: the sample has been rejected because its "
    "timestamp "
    "is too old (err-mimir-sample-timestamp-too-old)";

RemoteWriteAnswer read_v2(int status, std::string_view body, std::optional<int> samples = {},
                          std::optional<int> histograms = {}, std::optional<int> exemplars = {}) {
  http::Response response = fakes::http_answer(status, body);
  const auto add = [&](const char* name, std::optional<int> count) {
    if (count)
      response.headers.add("x-prometheus-remote-write-" + std::string(name) + "-written",
                           std::to_string(*count));
  };
  add("samples", samples);
  add("histograms", histograms);
  add("exemplars", exemplars);
  return read_remote_write_answer(response,
                                  {.protocol = Protocol::kV2, .samples = 10, .histograms = 2});
}
RemoteWriteAnswer read_v1(int status, std::string_view body, std::uint64_t samples = 10) {
  return read_remote_write_answer(fakes::http_answer(status, body),
                                  {.protocol = Protocol::kV1, .samples = samples, .histograms = 0});
}

TEST(RemoteWriteAnswerOfV2, A2xxWithAllWrittenIsStored) {
  for (const int status : {200, 204}) {
    const auto answer = read_v2(status, "", 10, 2, 0);
    EXPECT_EQ(answer.kind, Kind::kStored);
    EXPECT_EQ(answer.refused_entries, 0u);
  }
  EXPECT_EQ(read_v2(204, "", 11, 3, 0).refused_entries, 0u);
}

TEST(RemoteWriteAnswerOfV2, LessWrittenIsStoredAndTheRestRefused) {
  for (const int status : {200, 400}) {
    const auto answer = read_v2(status, kOutOfOrder, 8, 1, 0);
    EXPECT_EQ(answer.kind, Kind::kStored);
    EXPECT_EQ(answer.refused_entries, 3u);
    EXPECT_NE(answer.error.message.find("out of order sample"), std::string::npos);
  }
  EXPECT_EQ(read_v2(400, kOutOfOrder, 10).refused_entries, 2u);  // A header less means zero.
}

TEST(RemoteWriteAnswerOfV2, ExemplarsThatAreRefusedAreNoDataPoints) {
  const auto answer = read_v2(400, "out of order exemplar", 10, 2, 0);
  EXPECT_EQ(answer.kind, Kind::kStored);
  EXPECT_EQ(answer.refused_entries, 0u);
}

TEST(RemoteWriteAnswerOfV2, NothingWrittenOfWhatIsOutOfOrderIsRefusedForGood) {
  const auto answer = read_v2(400, kOutOfOrder, 0, 0, 0);
  EXPECT_EQ(answer.kind, Kind::kStored);
  EXPECT_EQ(answer.refused_entries, 12u);
}

TEST(RemoteWriteAnswerOfV2, NothingWrittenOfAMessageThatIsNotUnderstoodIsData) {
  for (const auto& answer : {read_v2(400, "proto: illegal wireType 7", 0, 0, 0),
                             read_v2(400, "snappy: corrupt input")}) {
    EXPECT_EQ(answer.kind, Kind::kRefused);
    EXPECT_EQ(answer.error.refusal, Refusal::kData);
  }
}

TEST(RemoteWriteAnswerOfV2, A2xxThatConfirmsNothingIsThatOfA1Receiver) {
  for (const auto& answer : {read_v2(200, ""), read_v2(204, "", 0, 0, 0)}) {
    EXPECT_EQ(answer.kind, Kind::kOtherProtocol);
    EXPECT_EQ(answer.error.refusal, Refusal::kConfiguration);
    EXPECT_STREQ(answer.error.reason, "rw_unconfirmed");
  }
}

TEST(RemoteWriteAnswerOfV2, AHeaderThatIsNoNumberIsNone) {
  http::Response response = fakes::http_answer(204);
  response.headers.add("x-prometheus-remote-write-samples-written", "ten");
  EXPECT_EQ(read_remote_write_answer(response, {.samples = 10}).kind, Kind::kOtherProtocol);
}

TEST(RemoteWriteAnswerOfV1, A2xxIsStored) {
  EXPECT_EQ(read_v1(200, "").kind, Kind::kStored);
  EXPECT_EQ(read_v1(204, "").refused_entries, 0u);
}

TEST(RemoteWriteAnswerOfV1, WhatIsOutOfOrderTakesAllElseBackWithIt) {
  for (const char* text :
       {"out of order sample", "out of bounds: timestamp is too far in the future",
        "too old sample", "duplicate sample for timestamp", kTooOld}) {
    for (const int status : {400, 409}) {
      const auto answer = read_v1(status, text);
      EXPECT_EQ(answer.kind, Kind::kNothingStored) << text;
      EXPECT_STREQ(answer.error.reason, "rw_out_of_order");
    }
  }
}

TEST(RemoteWriteAnswerOfV1, OneEntryAloneIsRefusedForGood) {
  const auto answer = read_v1(400, "out of order sample", 1);
  EXPECT_EQ(answer.kind, Kind::kStored);
  EXPECT_EQ(answer.refused_entries, 1u);
}

TEST(RemoteWriteAnswerOfV1, Another400IsData) {
  const auto answer = read_v1(400, "histogram has a negative number of observations");
  EXPECT_EQ(answer.kind, Kind::kRefused);
  EXPECT_EQ(answer.error.refusal, Refusal::kData);
}

TEST(RemoteWriteAnswerOfBoth, A415IsTheOtherProtocol) {
  EXPECT_EQ(read_v2(415, "").kind, Kind::kOtherProtocol);
  EXPECT_EQ(read_v1(415, "").kind, Kind::kOtherProtocol);
  EXPECT_EQ(read_v1(415, "").error.refusal, Refusal::kConfiguration);
}

Error unsupported() { return configuration_error(Code::kUnimplemented, "HTTP 415"); }

TEST(ProtocolChoice, FallsBackAndStallsOnlyWhenBothAreRefused) {
  ProtocolChoice choice(std::nullopt);
  EXPECT_EQ(choice.current(), Protocol::kV2);
  EXPECT_EQ(choice.refused(Protocol::kV2, unsupported()).refusal, Refusal::kTransient);
  EXPECT_EQ(choice.current(), Protocol::kV1);
  // A batch that was under way.
  EXPECT_EQ(choice.refused(Protocol::kV2, unsupported()).refusal, Refusal::kTransient);
  EXPECT_EQ(choice.current(), Protocol::kV1);
  EXPECT_EQ(choice.refused(Protocol::kV1, unsupported()).refusal, Refusal::kConfiguration);
  EXPECT_EQ(choice.current(), Protocol::kV2);  // The next probe.
  choice.accepted();
  EXPECT_EQ(choice.refused(Protocol::kV2, unsupported()).refusal, Refusal::kTransient);
}

TEST(ProtocolChoice, AFixedOneStays) {
  ProtocolChoice choice(Protocol::kV1);
  EXPECT_EQ(choice.refused(Protocol::kV1, unsupported()).refusal, Refusal::kConfiguration);
  EXPECT_EQ(choice.current(), Protocol::kV1);
}

}  // namespace
}  // namespace spanway::sinks
