#include "services/lib/kafka/error_map.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

namespace spanway::kafka {
namespace {

// Codes as published by Kafka (positive) and librdkafka (negative).
constexpr int kQueueFull = -184;
constexpr int kMessageTimedOut = -192;
constexpr int kAllBrokersDown = -187;
constexpr int kFatal = -150;
constexpr int kAuthentication = -169;
constexpr int kUnknownTopicOrPartition = 3;
constexpr int kMessageTooLarge = 10;
constexpr int kInvalidTimestamp = 32;
constexpr int kNotEnoughReplicas = 19;
constexpr int kNotEnoughReplicasAfterAppend = 20;
constexpr int kTopicAuthorizationFailed = 29;
constexpr int kOutOfOrderSequence = 45;
constexpr int kInvalidRecord = 87;
constexpr int kFencedInstanceId = 82;

TEST(ErrorMap, OutagesAreTransientAndSayWhenToComeBack) {
  for (const int code : {kQueueFull, kMessageTimedOut, kAllBrokersDown, kNotEnoughReplicas,
                         kNotEnoughReplicasAfterAppend, kFatal, kOutOfOrderSequence}) {
    const Error error = error_from_code(code, "writing");
    EXPECT_EQ(error.refusal, Refusal::kTransient) << code;
    EXPECT_EQ(error.code, Code::kUnavailable) << code;
    EXPECT_TRUE(error.retry_after.has_value()) << code;
    EXPECT_TRUE(error.message.starts_with("writing: ")) << error.message;
  }
}

TEST(ErrorMap, ARefusedTimeNamesTheClockAndIsNoData) {
  const Error error = error_from_code(kInvalidTimestamp, "writing");
  EXPECT_EQ(error.refusal, Refusal::kConfiguration);
  EXPECT_NE(error.message.find("clock of this host"), std::string::npos) << error.message;
}

TEST(ErrorMap, WhatNoBrokerWillEverTakeIsData) {
  EXPECT_EQ(error_from_code(kMessageTooLarge, "").refusal, Refusal::kData);
  EXPECT_EQ(error_from_code(kInvalidRecord, "").refusal, Refusal::kData);
  EXPECT_FALSE(error_from_code(kMessageTooLarge, "").retry_after.has_value());
}

TEST(ErrorMap, WhatAnOperatorMustChangeIsConfiguration) {
  EXPECT_EQ(error_from_code(kUnknownTopicOrPartition, "").code, Code::kNotFound);
  EXPECT_EQ(error_from_code(kTopicAuthorizationFailed, "").code, Code::kPermissionDenied);
  EXPECT_EQ(error_from_code(kAuthentication, "").code, Code::kUnauthenticated);
  for (const int code :
       {kUnknownTopicOrPartition, kTopicAuthorizationFailed, kAuthentication, kFencedInstanceId}) {
    EXPECT_EQ(error_from_code(code, "").refusal, Refusal::kConfiguration) << code;
  }
}

TEST(ErrorMap, TheRestIsUnknown) {
  const Error error = error_from_code(-1, "x");
  EXPECT_EQ(error.refusal, Refusal::kUnknown);
  EXPECT_STREQ(error.reason, "kafka_other");
}

TEST(ErrorMap, ListsEveryReasonItGives) {
  std::set<std::string_view> listed(error_reasons().begin(), error_reasons().end());
  EXPECT_EQ(listed.size(), error_reasons().size());
  std::set<std::string_view> given;
  for (int code = -200; code < 150; ++code) {
    const char* reason = error_from_code(code, "").reason;
    EXPECT_EQ(listed.count(reason), 1u) << reason;
    given.insert(reason);
  }
  EXPECT_EQ(given, listed);
}

}  // namespace
}  // namespace spanway::kafka
