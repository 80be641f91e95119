#include "services/load/compare.h"

#include <gtest/gtest.h>

#include "services/load/item_id.h"
#include "services/load/request_template.h"

namespace spanway::load {
namespace {

using Outcome = LedgerEntry::Outcome;

constexpr std::uint64_t kRun = make_run(3);

class CompareTest : public testing::Test {
 protected:
  void arrive(std::uint64_t first, std::size_t count) {
    Random random(1);
    pipeline::Batch batch;
    batch.payload =
        RequestTemplate(otlp::Signal::kTraces, {.items = count, .item_bytes = 200}, random)
            .stamp(kRun, first, 1);
    sink_.send(std::move(batch), pipeline::AckToken([](auto answer) { EXPECT_TRUE(answer.ok()); }));
  }
  Comparison compare_with(std::vector<LedgerEntry> entries) {
    return compare({.run = kRun, .entries = std::move(entries)}, sink_);
  }

  http::IoPool pool_{"test-io", 1};
  CountingSink sink_{{}, pool_, system_clock(), Random(1)};
};

TEST_F(CompareTest, NothingIsMissingWhenAllArrived) {
  arrive(1, 10);
  const Comparison result = compare_with({{.first = 1, .count = 10}});
  EXPECT_EQ(result.acknowledged, 10u);
  EXPECT_EQ(result.missing + result.duplicates + result.unseen + result.unrecorded, 0u);
  EXPECT_EQ(result.latency.count(), 10u);
}

TEST_F(CompareTest, DistinguishesLostFromDoubledItems) {
  arrive(1, 10);
  arrive(5, 4);
  const Comparison result = compare_with({{.first = 1, .count = 10}, {.first = 11, .count = 10}});
  EXPECT_EQ(result.acknowledged, 20u);
  EXPECT_EQ(result.missing, 10u);
  EXPECT_EQ(result.unseen, 10u);
  EXPECT_EQ(result.duplicates, 4u);
  EXPECT_EQ(result.received, 14u);
  EXPECT_EQ(result.unique, 10u);
}

TEST_F(CompareTest, RejectedItemsNeedNotArrive) {
  arrive(1, 7);
  Comparison result =
      compare_with({{.first = 1, .count = 10, .outcome = Outcome::kPartial, .rejected = 3}});
  EXPECT_EQ(result.acknowledged, 7u);
  EXPECT_EQ(result.rejected, 3u);
  EXPECT_EQ(result.missing, 0u);
  result = compare_with({{.first = 1, .count = 10, .outcome = Outcome::kPartial, .rejected = 1}});
  EXPECT_EQ(result.missing, 2u);
}

TEST_F(CompareTest, FailedItemsMayArriveOrNot) {
  arrive(1, 4);
  const Comparison result = compare_with(
      {{.first = 1, .count = 10, .outcome = Outcome::kFailed, .code = Code::kUnavailable}});
  EXPECT_EQ(result.failed, 10u);
  EXPECT_EQ(result.failed_but_received, 4u);
  EXPECT_EQ(result.missing, 0u);
  EXPECT_EQ(result.unseen, 6u);
}

TEST_F(CompareTest, SeesWhatTheLedgerDoesNotKnow) {
  arrive(1, 10);
  arrive(21, 5);
  EXPECT_EQ(compare_with({{.first = 1, .count = 10}}).unrecorded, 5u);
}

TEST_F(CompareTest, JsonHasEveryField) {
  const std::string json = to_json(compare_with({{.first = 1, .count = 10}}));
  EXPECT_TRUE(json.starts_with(
      R"({"acknowledged":10,"rejected":0,"failed":0,"received":0,"unique":0,"duplicates":0,)"
      R"("missing":10,"unseen":10,"failed_but_received":0,"unrecorded":0,"latency_ms":{)"))
      << json;
}

}  // namespace
}  // namespace spanway::load
