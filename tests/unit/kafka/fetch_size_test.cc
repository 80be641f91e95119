#include "services/lib/kafka/fetch_size.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace spanway::kafka {
namespace {

constexpr std::uint64_t kMiB = 1u << 20;

// After a hundred megabytes of that ratio behind what was seen before.
std::uint64_t grown(FetchSize& size, std::uint64_t wire, std::uint64_t decompressed,
                    std::uint64_t ratio, std::size_t partitions = 12) {
  for (int i = 0; i < 100; ++i)
    size.observe(wire += kMiB, decompressed += ratio * kMiB, partitions);
  return size.bytes();
}

TEST(FetchSize, StartsSmallAndDoublesWhenRecordsAreNotCompressed) {
  FetchSize size({.fetch_bytes_max = 4 * kMiB, .share_bytes = 96 * kMiB});
  EXPECT_EQ(size.bytes(), FetchSize::kFirstBytes);
  EXPECT_EQ(size.observe(100, 50, 12), FetchSize::kFirstBytes) << "too little evidence";
  EXPECT_EQ(size.observe(200'000, 195'000, 12), 2 * FetchSize::kFirstBytes);
  EXPECT_EQ(grown(size, 200'000, 195'000, 1), 4 * kMiB);
}

TEST(FetchSize, WhatAllPartitionsMayHoldDecompressedFitsTheShare) {
  for (const std::uint64_t ratio : {2u, 10u, 85u, 1000u}) {
    for (const std::size_t partitions : {1u, 12u, 32u}) {
      FetchSize size({.fetch_bytes_max = 16 * kMiB, .share_bytes = 96 * kMiB});
      const std::uint64_t bytes = grown(size, 0, 0, ratio, partitions);
      if (bytes == FetchSize::kLeastBytes) continue;
      // A fetch brings no more of one partition than a megabyte, whatever it may bring in all.
      const std::uint64_t of_each = std::min(bytes, kMiB);
      EXPECT_LE(of_each * ratio * partitions, 96 * kMiB) << ratio << ":1, " << partitions;
    }
  }
}

// Batches of equal records: megabytes in a few hundred bytes.
TEST(FetchSize, EqualRecordsAreFetchedByTheBatchFromTheFirstResponseOn) {
  FetchSize size({.fetch_bytes_max = 16 * kMiB, .share_bytes = 32 * kMiB});
  EXPECT_LE(size.bytes() * 8000, 8 * kMiB) << "before anything is known";
  EXPECT_EQ(size.observe(300, 2'400'000, 16), FetchSize::kLeastBytes);
  EXPECT_NEAR(size.ratio(), 8000, 1);
  EXPECT_LE(grown(size, 300, 2'400'000, 8000, 16) * 8000, 32 * kMiB);
}

TEST(FetchSize, ARisingRatioIsBelievedAtOnceAndAFallingOneByAndBy) {
  FetchSize size({.fetch_bytes_max = 16 * kMiB, .share_bytes = 96 * kMiB});
  const std::uint64_t plain = grown(size, 0, 0, 1);
  EXPECT_EQ(plain, 16 * kMiB);
  const std::uint64_t small = size.observe(101 * kMiB, 150 * kMiB, 12);
  EXPECT_LT(small, plain / 20);
  EXPECT_NEAR(size.ratio(), 50, 0.1);
  const std::uint64_t next = size.observe(102 * kMiB, 151 * kMiB, 12);
  EXPECT_GT(next, small);
  EXPECT_LT(next, 2 * small);
  EXPECT_EQ(grown(size, 102 * kMiB, 151 * kMiB, 1), plain);
}

TEST(FetchSize, NeverLeavesItsBounds) {
  FetchSize size({.fetch_bytes_max = 64 * 1024, .share_bytes = kMiB});
  EXPECT_EQ(size.bytes(), FetchSize::kFirstBytes);
  EXPECT_EQ(size.observe(kMiB, 1000 * kMiB, 32), FetchSize::kLeastBytes);
  EXPECT_EQ(size.observe(2 * kMiB, 900 * kMiB, 32), FetchSize::kLeastBytes) << "estimates go down";
  FetchSize roomy({.fetch_bytes_max = 64 * 1024, .share_bytes = 1000 * kMiB});
  EXPECT_EQ(grown(roomy, 0, 0, 1, 0), 64u * 1024);
}

}  // namespace
}  // namespace spanway::kafka
