#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "services/kafka-bridge/consume/partition_lane.h"
#include "services/lib/base/check.h"
#include "tests/unit/kafka-bridge/consume/lane_fixture.h"

namespace spanway::kafka_bridge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Error circuit_open() {
  return unavailable("the circuit is open")
      .with_reason("circuit_open")
      .with_retry_after(seconds(5));
}

// The control: the same refusals, but of a destination that was called, dead-letter the record.
TEST(PartitionLane, AnOpenCircuitIsNoEvidenceAgainstABatchWhileOthersAreAccepted) {
  for (const bool circuit : {true, false}) {
    LaneFixture fixture;
    fixture.options.max_in_flight = 4;
    fixture.begin();
    bool open = true;
    const std::string first = span_names(spans(0, 3)).front();
    fixture.destination([&](const std::vector<std::string>& names) -> Status {
      if (open && std::find(names.begin(), names.end(), first) != names.end())
        return circuit ? circuit_open() : busy();
      return {};
    });
    for (int i = 0; i < 500; ++i) {
      fixture.take(i, spans(3 * i, 3));
      fixture.settle();
      fixture.executor.advance(seconds(1));
    }
    EXPECT_EQ(fixture.letters.letters.empty(), circuit);
    open = false;
    fixture.executor.advance(minutes(2));
    EXPECT_EQ(fixture.commit(), 500);
    EXPECT_EQ(fixture.received.size(), circuit ? 1500u : 1499u);
  }
}

TEST(PartitionLane, AnOpenCircuitStallsAsAnOutageAndEndsWithoutTheBackOff) {
  LaneFixture fixture;
  fixture.begin();
  fixture.destination([](const auto&) -> Status { return circuit_open(); });
  for (int i = 0; i < 3; ++i) {
    fixture.take(i, spans(2 * i, 2));
    fixture.settle();
  }
  fixture.executor.advance(minutes(10));
  EXPECT_TRUE(fixture.lane->state().stalled);
  EXPECT_THAT(fixture.lane->state().reason, HasSubstr("the circuit is open"));
  EXPECT_THAT(fixture.letters.letters, IsEmpty());
  EXPECT_LE(fixture.calls, 140) << "one probe in 5 s";
  fixture.destination([](const auto&) -> Status { return {}; });
  fixture.executor.advance(seconds(6));
  EXPECT_EQ(fixture.commit(), 3);
}

// --- Data ---

}  // namespace
}  // namespace spanway::kafka_bridge
