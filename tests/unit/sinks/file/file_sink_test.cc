#include "services/lib/sinks/file/file_sink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <vector>

#include "services/lib/base/loop.h"
#include "tests/fakes/answers.h"
#include "tests/fakes/fake_file_ops.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

using std::chrono::seconds;

class FileSinkTest : public testing::Test {
 protected:
  FileSink make(FileSinkOptions options = {}) {
    if (options.path.empty()) options.path = "f";
    return FileSink(std::move(options), {ops_, timers_, system_clock(), {log_, metrics_}});
  }
  static pipeline::Batch batch(otlp::Signal signal = otlp::Signal::kTraces, int spans = 1) {
    pipeline::Batch b;
    b.signal = signal;
    std::vector<fakes::ProtoMessage> items;
    for (int i = 0; i < spans; ++i) {
      items.push_back(signal == otlp::Signal::kTraces
                          ? fakes::otlp_span(1, static_cast<std::uint64_t>(i + 1))
                          : fakes::otlp_log_record("x"));
    }
    b.payload = Bytes(fakes::otlp_request_of(items));
    b.deadline = Deadline::after(system_clock(), seconds(30));
    return b;
  }
  std::size_t lines(const std::string& path = "f") {
    const std::string text = ops_.content(path).value_or("");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  fakes::FakeFileOps ops_;
  telemetry::Logger log_ = telemetry::Logger::null();
  telemetry::Metrics metrics_;
  Loop timers_{"test-timers"};
  fakes::Answers answers_;
};

TEST_F(FileSinkTest, WritesOneLineOfJsonPerBatchBeforeItAnswers) {
  FileSink sink = make();
  sink.send(batch(), answers_.token());
  ASSERT_TRUE(answers_.next()->ok());
  EXPECT_EQ(lines(), 1u);
  EXPECT_TRUE(ops_.content("f")->starts_with(R"({"resourceSpans":[)"));
  EXPECT_GE(ops_.syncs(), 1u);
  EXPECT_TRUE(sink.health().reachable);
}

TEST_F(FileSinkTest, PutsEachSignalIntoItsOwnFileWhenRequested) {
  FileSink sink = make({.path = "d/{signal}.jsonl"});
  sink.send(batch(otlp::Signal::kTraces), answers_.token());
  sink.send(batch(otlp::Signal::kLogs), answers_.token());
  ASSERT_TRUE(answers_.next()->ok());
  ASSERT_TRUE(answers_.next()->ok());
  EXPECT_EQ(lines("d/traces.jsonl"), 1u);
  EXPECT_EQ(lines("d/logs.jsonl"), 1u);
}

TEST_F(FileSinkTest, BatchesThatWaitTogetherShareOneSync) {
  FileSink sink = make();
  ops_.hang();
  sink.send(batch(), answers_.token());
  ASSERT_TRUE(ops_.wait_until_hanging());
  for (int i = 0; i < 10; ++i) sink.send(batch(), answers_.token());
  ops_.unhang();
  for (int i = 0; i < 11; ++i) ASSERT_TRUE(answers_.next()->ok());
  EXPECT_EQ(lines(), 11u);
  EXPECT_EQ(ops_.syncs(), 2u);
}

TEST_F(FileSinkTest, FullDiskRefusesForNowAndRecovers) {
  FileSink sink = make();
  ops_.limit_space(10);
  sink.send(batch(), answers_.token());
  const Error error = answers_.next()->error();
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  EXPECT_STREQ(error.reason, "disk_full");
  EXPECT_EQ(*ops_.content("f"), "");
  ops_.limit_space(1 << 20);
  sink.send(batch(), answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_EQ(sink.health().last_error, "");
}

TEST_F(FileSinkTest, MissingPermissionIsConfiguration) {
  FileSink sink = make();
  ops_.fail_open(EACCES);
  sink.send(batch(), answers_.token());
  EXPECT_EQ(answers_.next()->error().refusal, Refusal::kConfiguration);
}

TEST_F(FileSinkTest, FailedSyncRefusesWhatWasWritten) {
  FileSink sink = make();
  ops_.fail_sync(EIO);
  sink.send(batch(), answers_.token());
  EXPECT_EQ(answers_.next()->error().refusal, Refusal::kTransient);
  ops_.fail_sync(0);
  sink.send(batch(), answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
}

TEST_F(FileSinkTest, IntervalAnswersAfterWritingAndSyncsLater) {
  FileSink sink =
      make({.fsync = Fsync::kInterval, .fsync_interval = std::chrono::milliseconds(20)});
  ops_.fail_sync(EIO);
  sink.send(batch(), answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
  const SteadyTime end = system_clock().now() + seconds(10);
  while (ops_.syncs() == 0 && system_clock().now() < end) std::this_thread::yield();
  EXPECT_GE(ops_.syncs(), 1u);
}

TEST_F(FileSinkTest, NeverSyncsWhenConfigured) {
  {
    FileSink sink = make({.fsync = Fsync::kNever});
    sink.send(batch(), answers_.token());
    EXPECT_TRUE(answers_.next()->ok());
    EXPECT_TRUE(sink.drain(Deadline::after(system_clock(), seconds(5))));
  }
  EXPECT_EQ(ops_.syncs(), 0u);
}

TEST_F(FileSinkTest, AnswersByTheDeadlineWhileTheDiskHangs) {
  FileSink sink = make();
  ops_.hang();
  pipeline::Batch late = batch();
  late.deadline = Deadline::after(system_clock(), std::chrono::milliseconds(50));
  sink.send(std::move(late), answers_.token());
  const Error error = answers_.next()->error();
  EXPECT_EQ(error.code, Code::kDeadlineExceeded);
  EXPECT_EQ(error.refusal, Refusal::kTransient);
  ops_.unhang();
}

TEST_F(FileSinkTest, DoesNotWriteWhatWasAnsweredAlready) {
  FileSink sink = make();
  ops_.hang();
  sink.send(batch(), answers_.token());
  ASSERT_TRUE(ops_.wait_until_hanging());
  pipeline::Batch late = batch();
  late.deadline = Deadline::after(system_clock(), std::chrono::milliseconds(20));
  fakes::Answers late_answers;
  sink.send(std::move(late), late_answers.token());
  EXPECT_EQ(late_answers.next()->error().code, Code::kDeadlineExceeded);
  ops_.unhang();
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_TRUE(sink.drain(Deadline::after(system_clock(), seconds(5))));
  EXPECT_EQ(lines(), 1u);
}

TEST_F(FileSinkTest, QueueIsBoundedInBatchesAndBytes) {
  FileSink sink = make({.queue_batches_max = 3, .queue_bytes_max = 1 << 20});
  ops_.hang();
  sink.send(batch(), answers_.token());
  ASSERT_TRUE(ops_.wait_until_hanging());
  for (int i = 0; i < 3; ++i) sink.send(batch(), answers_.token());
  const Error full = answers_.next()->error();
  EXPECT_STREQ(full.reason, "sink_full");
  EXPECT_EQ(full.refusal, Refusal::kTransient);
  ops_.unhang();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(answers_.next()->ok());

  FileSink small = make({.path = "g", .queue_bytes_max = 500});
  ops_.hang();
  small.send(batch(otlp::Signal::kTraces, 20),
             answers_.token());  // One is taken whatever its size.
  ASSERT_TRUE(ops_.wait_until_hanging());
  small.send(batch(), answers_.token());
  EXPECT_STREQ(answers_.next()->error().reason, "sink_full");
  ops_.unhang();
  EXPECT_TRUE(answers_.next()->ok());
}

TEST_F(FileSinkTest, HoldsThePermitUntilTheLineIsWritten) {
  MemoryBudget budget(1 << 20);
  FileSink sink = make();
  ops_.hang();
  pipeline::Batch b = batch();
  b.permit = *budget.try_acquire(b.payload.size());
  sink.send(std::move(b), answers_.token());
  ASSERT_TRUE(ops_.wait_until_hanging());
  EXPECT_GT(budget.used(), 200u);
  ops_.unhang();
  EXPECT_TRUE(answers_.next()->ok());
  const SteadyTime end = system_clock().now() + seconds(10);
  while (budget.used() > 0 && system_clock().now() < end) std::this_thread::yield();
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(FileSinkTest, EmptyBatchTriesTheFileAndLeavesNoLine) {
  FileSink sink = make();
  sink.send({}, answers_.token());
  EXPECT_TRUE(answers_.next()->ok());
  EXPECT_EQ(ops_.content("f"), "");
  EXPECT_TRUE(sink.health().reachable);
}

}  // namespace
}  // namespace spanway::sinks
