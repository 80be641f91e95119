#include "services/kafka-bridge/consume/dead_letter_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/fake_file_ops.h"

namespace spanway::kafka_bridge {
namespace {

using ::testing::HasSubstr;

const RecordHeaders kHeaders = {{"spanway-error", "said \"no\"\n"}, {"spanway-origin", "t:0:1"}};

TEST(DeadLetterFile, ALineHoldsTopicHeadersAndBytes) {
  fakes::FakeFileOps files;
  DeadLetterFile file("/letters", 1u << 20, files);
  ASSERT_TRUE(file.append("otel.traces.dlq", kHeaders, std::string("\x0a\x00\xff", 3)).ok());
  ASSERT_TRUE(file.append("otel.traces.dlq", {}, "ab").ok());
  EXPECT_EQ(files.content("/letters"),
            R"({"topic":"otel.traces.dlq","headers":{"spanway-error":"said \"no\"\n",)"
            R"("spanway-origin":"t:0:1"},"value":"CgD/"})"
            "\n"
            R"({"topic":"otel.traces.dlq","headers":{},"value":"YWI="})"
            "\n");
}

TEST(DeadLetterFile, WhatWasWrittenHalfIsCutOff) {
  fakes::FakeFileOps files;
  DeadLetterFile file("/letters", 1u << 20, files);
  ASSERT_TRUE(file.append("t", {}, "first").ok());
  const std::string before = files.content("/letters").value();
  files.limit_space(30);
  const Status status = file.append("t", {}, std::string(1000, 'x'));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kTransient);
  EXPECT_EQ(files.content("/letters"), before);
}

TEST(DeadLetterFile, ALineThatACrashHasTornIsClosed) {
  fakes::FakeFileOps files;
  files.put("/letters", "{\"topic\":\"t\",\"val");
  DeadLetterFile file("/letters", 1u << 20, files);
  ASSERT_TRUE(file.append("t", {}, "a").ok());
  EXPECT_THAT(files.content("/letters").value(), HasSubstr("\"val\n{\"topic\""));
}

TEST(DeadLetterFile, AFullFileSaysWhatToDo) {
  fakes::FakeFileOps files;
  DeadLetterFile file("/letters", 40u << 10, files);
  ASSERT_TRUE(file.append("t", {}, std::string(10'000, 'x')).ok());
  const Status status = file.append("t", {}, std::string(20'000, 'x'));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kConfiguration);
  EXPECT_THAT(status.error().message, HasSubstr("move it away"));
}

TEST(DeadLetterFile, ALetterThatIsNotOnTheDiskIsNotWritten) {
  fakes::FakeFileOps files;
  files.fail_sync(EIO);
  DeadLetterFile file("/letters", 1u << 20, files);
  EXPECT_FALSE(file.append("t", {}, "a").ok());
}

}  // namespace
}  // namespace spanway::kafka_bridge
