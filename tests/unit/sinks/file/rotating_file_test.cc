#include "services/lib/sinks/file/rotating_file.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/fakes/fake_file_ops.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::sinks {
namespace {

class RotatingFileTest : public testing::Test {
 protected:
  RotatingFile make(RotationOptions options = {}, bool durable = true) {
    return RotatingFile("f", options, durable, ops_, clock_, events_);
  }
  std::string content(const std::string& path = "f") {
    return ops_.content(path).value_or("(none)");
  }

  fakes::FakeFileOps ops_;
  fakes::ManualClock clock_;
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  FileEvents events_{{log_, metrics_}};
};

TEST_F(RotatingFileTest, AppendsLinesAndSyncsOnlyWhatIsNew) {
  RotatingFile file = make();
  ASSERT_TRUE(file.append("one\n").ok());
  ASSERT_TRUE(file.append("two\n").ok());
  EXPECT_EQ(content(), "one\ntwo\n");
  EXPECT_TRUE(file.dirty());
  EXPECT_TRUE(file.sync().ok());
  EXPECT_TRUE(file.sync().ok());
  EXPECT_EQ(ops_.syncs(), 1u);
}

TEST_F(RotatingFileTest, WritesOnUntilTheLineIsComplete) {
  ops_.write_at_most(2);
  RotatingFile file = make();
  ASSERT_TRUE(file.append("a longer line\n").ok());
  EXPECT_EQ(content(), "a longer line\n");
}

TEST_F(RotatingFileTest, CutsOffALineThatDidNotFit) {
  ops_.limit_space(6);
  RotatingFile file = make();
  ASSERT_TRUE(file.append("one\n").ok());
  const Status status = file.append("two\n");
  ASSERT_FALSE(status.ok());
  EXPECT_STREQ(status.error().reason, "disk_full");
  EXPECT_EQ(content(), "one\n");
  ops_.limit_space(100);
  ASSERT_TRUE(file.append("two\n").ok());
  EXPECT_EQ(content(), "one\ntwo\n");
}

TEST_F(RotatingFileTest, ClosesALineThatCouldNotBeCutOff) {
  ops_.limit_space(6);
  ops_.fail_truncate(EIO);
  RotatingFile file = make();
  ASSERT_TRUE(file.append("one\n").ok());
  EXPECT_FALSE(file.append("two\n").ok());
  ops_.limit_space(100);
  ASSERT_TRUE(file.append("two\n").ok());
  EXPECT_EQ(content(), "one\ntw\ntwo\n");
}

TEST_F(RotatingFileTest, ClosesTheLineThatACrashLeftHalfWritten) {
  ops_.put("f", "whole\nhal");
  RotatingFile file = make();
  ASSERT_TRUE(file.append("next\n").ok());
  EXPECT_EQ(content(), "whole\nhal\nnext\n");
}

TEST_F(RotatingFileTest, RotatesBeforeALineThatWouldPassTheSize) {
  RotatingFile file = make({.bytes_max = 8, .files_max = 2});
  for (const char* line : {"aaa\n", "bbb\n", "ccc\n", "ddd\n", "eee\n", "fff\n", "ggg\n"})
    ASSERT_TRUE(file.append(line).ok());
  EXPECT_EQ(content("f"), "ggg\n");
  EXPECT_EQ(content("f.1"), "eee\nfff\n");
  EXPECT_EQ(content("f.2"), "ccc\nddd\n");
  EXPECT_EQ(content("f.3"), "(none)");
  EXPECT_EQ(metrics_.value("spanway_sink_file_rotations_total"), 3);
}

TEST_F(RotatingFileTest, ALineLargerThanTheLimitGetsItsOwnFile) {
  RotatingFile file = make({.bytes_max = 3});
  ASSERT_TRUE(file.append("longer\n").ok());
  ASSERT_TRUE(file.append("next\n").ok());
  EXPECT_EQ(content("f.1"), "longer\n");
  EXPECT_EQ(content("f"), "next\n");
}

TEST_F(RotatingFileTest, RotatesByAge) {
  RotatingFile file = make({.age_max = std::chrono::hours(1)});
  ASSERT_TRUE(file.append("old\n").ok());
  clock_.advance(std::chrono::minutes(59));
  ASSERT_TRUE(file.append("old\n").ok());
  clock_.advance(std::chrono::minutes(1));
  ASSERT_TRUE(file.append("new\n").ok());
  EXPECT_EQ(content("f.1"), "old\nold\n");
  EXPECT_EQ(content("f"), "new\n");
}

TEST_F(RotatingFileTest, KeepsNoneWhenConfigured) {
  RotatingFile file = make({.bytes_max = 4, .files_max = 0});
  ASSERT_TRUE(file.append("one\n").ok());
  ASSERT_TRUE(file.append("two\n").ok());
  EXPECT_EQ(content("f"), "two\n");
  EXPECT_EQ(content("f.1"), "(none)");
}

TEST_F(RotatingFileTest, ContinuesAfterARotationThatFailed) {
  RotatingFile file = make({.bytes_max = 4});
  ASSERT_TRUE(file.append("one\n").ok());
  ops_.fail_rename(EACCES);
  EXPECT_EQ(file.append("two\n").error().refusal, Refusal::kConfiguration);
  ops_.fail_rename(0);
  ASSERT_TRUE(file.append("two\n").ok());
  EXPECT_EQ(content("f.1"), "one\n");
  EXPECT_EQ(content("f"), "two\n");
}

TEST_F(RotatingFileTest, ReportsASyncThatFailedDuringRotation) {
  RotatingFile file = make({.bytes_max = 4});
  ASSERT_TRUE(file.append("one\n").ok());
  ops_.fail_sync(EIO);
  ASSERT_TRUE(file.append("two\n").ok());
  ops_.fail_sync(0);
  EXPECT_FALSE(file.sync().ok());
  EXPECT_TRUE(file.sync().ok());
}

TEST_F(RotatingFileTest, EmptyLineOnlyOpens) {
  RotatingFile file = make();
  ASSERT_TRUE(file.append("").ok());
  EXPECT_EQ(content(), "");
  EXPECT_FALSE(file.dirty());
  ops_.fail_open(EACCES);
  RotatingFile other = make();
  EXPECT_FALSE(other.append("").ok());
}

}  // namespace
}  // namespace spanway::sinks
