#include "services/kafka-bridge/consume/batch_merger.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::kafka_bridge {
namespace {

MergeLimits limits(std::size_t bytes, std::uint64_t items = 1000) {
  MergeLimits limits;
  limits.bytes_max = bytes;
  limits.items_max = items;
  return limits;
}

TEST(BatchMerger, JoinsByAppending) {
  BatchMerger merger(limits(100));
  merger.add(5, 50, "", "abc", 2);
  merger.add(6, 40, "", "defg", 3);
  EXPECT_EQ(merger.first(), 5);
  EXPECT_EQ(merger.last(), 6);
  const BatchRange cut = merger.take();
  EXPECT_TRUE(merger.empty());
  EXPECT_EQ(cut.first, 5);
  EXPECT_EQ(cut.last, 6);
  EXPECT_EQ(cut.timestamp_ms, 40);
  ASSERT_EQ(cut.batches.size(), 1u);
  EXPECT_EQ(cut.batches[0].payload.join().view(), "abcdefg");
  EXPECT_EQ(cut.batches[0].item_count, 5u);
  EXPECT_EQ(cut.batches[0].newest_timestamp_ms, 50);
}

TEST(BatchMerger, KeepsTenantsApartInOrderOfAppearance) {
  BatchMerger merger(limits(100));
  merger.add(1, 0, "b", "1", 1);
  merger.add(2, 0, "a", "2", 1);
  merger.add(3, 0, "b", "3", 1);
  const BatchRange cut = merger.take();
  ASSERT_EQ(cut.batches.size(), 2u);
  EXPECT_EQ(cut.batches[0].tenant, "b");
  EXPECT_EQ(cut.batches[0].payload.join().view(), "13");
  EXPECT_EQ(cut.batches[1].tenant, "a");
  EXPECT_EQ(cut.batches[1].payload.join().view(), "2");
}

TEST(BatchMerger, KnowsWhichRecordAnItemCameFrom) {
  BatchMerger merger(limits(100));
  merger.add(10, 0, "", "x", 3);
  merger.add(12, 0, "", "y", 1);
  merger.add(13, 0, "", "z", 2);
  const BatchRange cut = merger.take();
  const std::int64_t expected[] = {10, 10, 10, 12, 13, 13};
  for (std::uint64_t i = 0; i < 6; ++i) EXPECT_EQ(cut.batches[0].offset_of(i), expected[i]) << i;
}

TEST(BatchMerger, ClosesAtTheLimitsOfOneBatch) {
  BatchMerger merger(limits(10, 5));
  EXPECT_TRUE(merger.fits("", 1000, 1000)) << "an empty cut takes anything";
  merger.add(1, 0, "", "123456", 3);
  EXPECT_TRUE(merger.fits("", 4, 2));
  EXPECT_FALSE(merger.fits("", 5, 1));
  EXPECT_FALSE(merger.fits("", 1, 3));
  EXPECT_TRUE(merger.fits("other", 10, 5)) << "another tenant's batch is another batch";
  EXPECT_FALSE(merger.fits("other", 15, 1)) << "but all together have a bound";
}

TEST(BatchMerger, BoundsTenantsAndRecords) {
  MergeLimits bounds = limits(1000);
  bounds.tenants_max = 2;
  bounds.records_max = 3;
  BatchMerger merger(bounds);
  merger.add(1, 0, "a", "1", 1);
  merger.add(2, 0, "b", "1", 1);
  EXPECT_FALSE(merger.fits("c", 1, 1));
  EXPECT_TRUE(merger.fits("a", 1, 1));
  merger.skip(3, 0);
  EXPECT_FALSE(merger.fits("a", 1, 1));
}

TEST(BatchMerger, SkippedRecordsOnlyMoveTheOffsets) {
  BatchMerger merger(limits(100));
  merger.skip(7, 70);
  EXPECT_FALSE(merger.empty());
  const BatchRange cut = merger.take();
  EXPECT_EQ(cut.first, 7);
  EXPECT_EQ(cut.last, 7);
  EXPECT_EQ(cut.timestamp_ms, 70);
  EXPECT_TRUE(cut.batches.empty());
}

TEST(BatchMerger, ForetellsItsMemory) {
  BatchMerger merger(limits(100));
  const std::string record(30, 'x');
  std::int64_t offset = 0;
  for (const char* tenant : {"a", "a", "b", "a", "b", "a"}) {
    if (!merger.fits(tenant, record.size(), 1)) merger.clear();
    const std::size_t foretold = merger.bytes_with(tenant, record.size());
    merger.add(offset++, 0, tenant, record, 1);
    EXPECT_EQ(merger.bytes_held(), foretold) << offset;
  }
}

TEST(BatchMerger, NeverReservesMoreThanAFullBatch) {
  BatchMerger merger(limits(100));
  merger.add(0, 0, "", std::string(40, 'x'), 1);
  merger.add(1, 0, "", std::string(40, 'x'), 1);
  merger.add(2, 0, "", std::string(20, 'x'), 1);
  const std::size_t sent = 100;  // The copy that is sent.
  EXPECT_EQ(merger.bytes_held() - sent, 100u);
  EXPECT_EQ(merger.take().batches[0].payload.size(), 100u);
}

TEST(BatchMerger, CopiesEachRecordOnceIntoPiecesThatGrow) {
  BatchMerger merger(limits(10u << 20));
  std::string sent;
  for (std::int64_t offset = 0; offset < 1000; ++offset) {
    const std::string record(3000, static_cast<char>('a' + offset % 26));
    merger.add(offset, 0, "", record, 1);
    sent += record;
  }
  const BatchRange cut = merger.take();
  const auto& pieces = cut.batches[0].payload.all();
  EXPECT_EQ(cut.batches[0].payload.join().view(), sent);
  EXPECT_EQ(pieces.front()->size(), 3000u) << "the first record alone needs no more";
  EXPECT_LT(pieces.size(), 30u);
  for (const auto& piece : pieces) EXPECT_LE(piece->capacity(), 256u << 10);
}

TEST(BatchMerger, BeginsAnewAfterACut) {
  BatchMerger merger(limits(100));
  merger.add(1, 0, "a", "one", 1);
  merger.take();
  EXPECT_EQ(merger.bytes_held(), 0u);
  merger.add(2, 0, "a", "two", 1);
  const BatchRange cut = merger.take();
  ASSERT_EQ(cut.batches.size(), 1u);
  EXPECT_EQ(cut.batches[0].payload.join().view(), "two");
}

}  // namespace
}  // namespace spanway::kafka_bridge
