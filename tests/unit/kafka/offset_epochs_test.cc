#include "services/lib/kafka/offset_epochs.h"

#include <gtest/gtest.h>

namespace spanway::kafka {
namespace {

TEST(OffsetEpochs, AnOffsetHasTheEpochOfTheRecordBeforeIt) {
  OffsetEpochs epochs(3);
  epochs.read(100, 3);
  epochs.read(101, 5);
  epochs.read(102, 5);
  epochs.read(110, 7);
  EXPECT_EQ(epochs.before(100), 3);
  EXPECT_EQ(epochs.before(101), 3);
  EXPECT_EQ(epochs.before(102), 5);
  EXPECT_EQ(epochs.before(110), 5);
  EXPECT_EQ(epochs.before(111), 7);
}

TEST(OffsetEpochs, UnknownUntilARecordCarriesIt) {
  OffsetEpochs epochs;
  EXPECT_EQ(epochs.before(50), OffsetEpochs::kUnknown);
  epochs.read(50, 2);
  EXPECT_EQ(epochs.before(50), OffsetEpochs::kUnknown);
  EXPECT_EQ(epochs.before(51), 2);
}

TEST(OffsetEpochs, ForgettingKeepsTheEpochOfWhatIsCommitted) {
  OffsetEpochs epochs(1);
  epochs.read(10, 2);
  epochs.read(20, 3);
  epochs.forget_below(20);
  EXPECT_EQ(epochs.before(20), 2);
  EXPECT_EQ(epochs.before(21), 3);
  epochs.forget_below(21);
  EXPECT_EQ(epochs.before(21), 3);
}

TEST(OffsetEpochs, BeyondItsBoundAnOffsetHasAnEarlierEpochNeverALaterOne) {
  OffsetEpochs epochs(0);
  for (std::int32_t i = 1; i <= 200; ++i) epochs.read(i, i);
  for (std::int32_t i = 1; i <= 200; ++i) EXPECT_LE(epochs.before(i + 1), i);
  EXPECT_EQ(epochs.before(11), 10);
}

}  // namespace
}  // namespace spanway::kafka
