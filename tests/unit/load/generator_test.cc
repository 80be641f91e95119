#include "services/load/generator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <set>

#include "services/lib/base/file.h"
#include "services/lib/base/mutex.h"
#include "services/load/item_finder.h"
#include "services/load/item_id.h"
#include "tests/fakes/sink_recorder.h"

namespace spanway::load {
namespace {

using otlp::Signal;
using pipeline::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kRun = make_run(9);

// 1000 items in 16 requests within 50 ms.
GeneratorOptions quick() {
  GeneratorOptions options;
  options.plan = {.rate = 20'000, .duration = milliseconds(50), .batch = 64};
  options.contents.item_bytes = 200;
  options.distinct = 2;
  options.run = kRun;
  options.retry.backoff = {.initial = milliseconds(1), .max = milliseconds(5)};
  options.retry.retry_for = seconds(20);
  options.timeout = seconds(5);
  options.finish_within = seconds(20);
  return options;
}

class GeneratorTest : public testing::Test {
 protected:
  Report run(const GeneratorOptions& options, LedgerWriter* ledger = nullptr) {
    Generator generator(options, sink_, ledger, system_clock());
    return generator.run({});
  }
  // Answers, and notes which numbers came.
  void note(const pipeline::Batch& batch) {
    FoundItems found;
    EXPECT_TRUE(find_items(batch.signal, batch.payload.view(), found));
    EXPECT_EQ(found.items.size(), batch.item_count);
    MutexLock lock(mutex_);
    for (const FoundItem& item : found.items) ++seen_[item.number];
    ++signals_[batch.signal];
  }

  fakes::SinkRecorder sink_;
  Mutex mutex_;
  std::map<std::uint64_t, int> seen_;
  std::map<Signal, int> signals_;
};

TEST_F(GeneratorTest, SendsEveryNumberOnce) {
  sink_.answer_with([&](const pipeline::Batch& batch) {
    note(batch);
    return Outcome{};
  });
  const Report report = run(quick());
  EXPECT_EQ(report.acknowledged, 1000u);
  EXPECT_EQ(report.requests, 16u);
  EXPECT_EQ(report.attempts, 16u);
  EXPECT_EQ(report.failed + report.rejected + report.unsent, 0u);
  EXPECT_EQ(report.latency.count(), 16u);
  EXPECT_GE(report.took, milliseconds(50));
  ASSERT_EQ(seen_.size(), 1000u);
  EXPECT_EQ(seen_.begin()->first, 1u);
  EXPECT_EQ(seen_.rbegin()->first, 1000u);
}

TEST_F(GeneratorTest, SendsSignalsInTurn) {
  sink_.answer_with([&](const pipeline::Batch& batch) {
    note(batch);
    EXPECT_EQ(batch.metadata.tenant, "t");
    return Outcome{};
  });
  GeneratorOptions options = quick();
  options.signals = {Signal::kTraces, Signal::kMetrics, Signal::kLogs};
  options.tenant = "t";
  EXPECT_EQ(run(options).acknowledged, 1000u);
  EXPECT_EQ(seen_.size(), 1000u);
  EXPECT_EQ(signals_, (std::map<Signal, int>{
                          {Signal::kTraces, 6}, {Signal::kMetrics, 5}, {Signal::kLogs, 5}}));
}

TEST_F(GeneratorTest, SendsTheSameBytesAgainAfterATransientRefusal) {
  std::set<std::string> payloads;
  std::atomic<int> calls = 0;
  sink_.answer_with([&](const pipeline::Batch& batch) -> Result<Outcome> {
    MutexLock lock(mutex_);
    payloads.emplace(batch.payload.view());
    if (++calls % 2 == 1) return unavailable("not now");
    return Outcome{};
  });
  GeneratorOptions options = quick();
  options.workers = 1;
  options.in_flight = 1;
  const Report report = run(options);
  EXPECT_EQ(report.acknowledged, 1000u);
  EXPECT_EQ(report.attempts, 32u);
  EXPECT_EQ(report.errors.at(Code::kUnavailable), 16u);
  EXPECT_EQ(payloads.size(), 16u);
}

TEST_F(GeneratorTest, KeepsTheLedger) {
  const std::string path = testing::TempDir() + "generator_test_ledger";
  std::atomic<int> calls = 0;
  sink_.answer_with([&](const pipeline::Batch&) -> Result<Outcome> {
    switch (calls++) {
      case 0:
        return Outcome{5, "five were bad"};
      case 1:
        return invalid_argument("all were bad");
      default:
        return Outcome{};
    }
  });
  Report report;
  {
    const auto ledger = LedgerWriter::create(path, kRun).value();
    report = run(quick(), ledger.get());
  }
  const Ledger ledger = parse_ledger(read_file(path, 1 << 20).value()).value();
  std::filesystem::remove(path);
  EXPECT_EQ(ledger.run, kRun);
  EXPECT_EQ(ledger.entries.size(), 16u);
  std::map<LedgerEntry::Outcome, int> outcomes;
  std::uint64_t items = 0;
  for (const LedgerEntry& entry : ledger.entries) {
    ++outcomes[entry.outcome];
    items += entry.count;
  }
  EXPECT_EQ(items, 1000u);
  EXPECT_EQ(outcomes[LedgerEntry::Outcome::kPartial], 1);
  EXPECT_EQ(outcomes[LedgerEntry::Outcome::kFailed], 1);
  EXPECT_EQ(report.rejected, 5u);
  EXPECT_GE(report.failed, 40u);
  EXPECT_EQ(report.acknowledged + report.rejected + report.failed, 1000u);
}

TEST_F(GeneratorTest, WhatIsNeverAnsweredHasFailedInTheEnd) {
  GeneratorOptions options = quick();
  options.finish_within = milliseconds(50);
  options.in_flight = 3;
  const Report report = run(options);  // The recorder keeps the tokens.
  EXPECT_EQ(report.acknowledged, 0u);
  EXPECT_EQ(report.failed, 6u * 64);
  EXPECT_EQ(report.unsent, 1000u - 6 * 64);
  // An answer after the end changes nothing and touches nothing.
  while (auto taken = sink_.take(Duration::zero())) taken->token.ack();
}

TEST_F(GeneratorTest, ManyWorkersShareThePlan) {
  sink_.answer_with([&](const pipeline::Batch& batch) {
    note(batch);
    return Outcome{};
  });
  GeneratorOptions options = quick();
  options.workers = 5;
  options.plan.batch = 7;
  EXPECT_EQ(run(options).acknowledged, 1000u);
  EXPECT_EQ(seen_.size(), 1000u);
}

TEST_F(GeneratorTest, AStopSendsNothingNew) {
  GeneratorOptions options = quick();
  options.plan.duration = seconds(600);
  std::stop_source stop;
  sink_.answer_with([&](const pipeline::Batch&) {
    stop.request_stop();
    return Outcome{};
  });
  Generator generator(options, sink_, nullptr, system_clock());
  const Report report = generator.run(stop.get_token());
  EXPECT_GT(report.acknowledged, 0u);
  EXPECT_EQ(report.acknowledged + report.unsent, 12'000'000u);
}

TEST_F(GeneratorTest, WithoutARateSendsUntilTheTimeIsOver) {
  sink_.answer_with([&](const pipeline::Batch& batch) {
    note(batch);
    return Outcome{};
  });
  GeneratorOptions options = quick();
  options.plan.rate = 0;
  options.plan.duration = milliseconds(20);
  const Report report = run(options);
  EXPECT_GT(report.acknowledged, 0u);
  EXPECT_EQ(report.acknowledged, seen_.size());
}

}  // namespace
}  // namespace spanway::load
