#include "services/lib/kafka/produce_admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/lib/kafka/error_map.h"

namespace spanway::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kMessageTimedOut = -192;
constexpr int kMessageTooLarge = 10;
constexpr std::size_t kMiB = 1u << 20;

struct AdmissionFixture {
  SteadyTime now{std::chrono::hours(1)};
  ProduceAdmission admission{{.bytes_max = 64 * kMiB, .records_max = 1000}};

  Result<std::vector<std::int32_t>> admit(std::vector<ProduceAdmission::Part> parts) {
    return admission.admit("t", parts, now);
  }
  void confirm(std::int32_t partition, std::size_t bytes, Duration took = milliseconds(5)) {
    admission.on_report("t", partition, bytes, now - took, nullptr, now);
  }
  void fail(std::int32_t partition, std::size_t bytes, int code = kMessageTimedOut) {
    const Error error = error_from_code(code, "writing");
    admission.on_report("t", partition, bytes, now - seconds(9), &error, now);
  }
  std::string refusal(std::vector<ProduceAdmission::Part> parts) {
    const auto admitted = admit(std::move(parts));
    return admitted.ok() ? "" : admitted.error().reason;
  }
};

TEST(ProduceAdmission, ARequestGetsRoomForAllItsRecordsOrNone) {
  AdmissionFixture fixture;
  ASSERT_TRUE(fixture.admit({{0, 20 * kMiB, 1}, {1, 20 * kMiB, 1}}).ok());
  const auto second = fixture.admit({{0, 20 * kMiB, 1}, {1, 20 * kMiB, 1}});
  ASSERT_FALSE(second.ok());
  EXPECT_STREQ(second.error().reason, "kafka_queue_full");
  EXPECT_EQ(second.error().refusal, Refusal::kTransient);
  EXPECT_TRUE(second.error().retry_after.has_value());
  EXPECT_EQ(fixture.admission.bytes(), 40 * kMiB) << "nothing of the second is reserved";
  fixture.confirm(0, 20 * kMiB);
  EXPECT_TRUE(fixture.admit({{0, 20 * kMiB, 1}, {1, 20 * kMiB, 1}}).ok());
}

TEST(ProduceAdmission, RecordsAreBoundedToo) {
  AdmissionFixture fixture;
  ASSERT_TRUE(fixture.admit({{0, 1, 900}}).ok());
  EXPECT_EQ(fixture.refusal({{0, 1, 101}}), "kafka_queue_full");
  EXPECT_EQ(fixture.refusal({{0, 1, 100}}), "");
}

// It would be refused for ever otherwise.
TEST(ProduceAdmission, ARequestLargerThanTheQueueIsAdmittedAlone) {
  AdmissionFixture fixture;
  ASSERT_TRUE(fixture.admit({{0, 80 * kMiB, 1}}).ok());
  EXPECT_EQ(fixture.refusal({{0, 1, 1}}), "kafka_queue_full");
  fixture.confirm(0, 80 * kMiB);
  ASSERT_TRUE(fixture.admit({{0, 1, 1}}).ok());
  EXPECT_EQ(fixture.refusal({{0, 80 * kMiB, 1}}), "kafka_queue_full");
}

TEST(ProduceAdmission, APartitionThatConfirmsNothingRefusesRequests) {
  AdmissionFixture fixture;
  ASSERT_TRUE(fixture.admit({{0, 10, 1}, {1, 10, 1}}).ok());
  fixture.confirm(1, 10);
  fixture.now += milliseconds(2001);
  const auto refused = fixture.admit({{0, 10, 1}, {1, 10, 1}});
  ASSERT_FALSE(refused.ok());
  EXPECT_STREQ(refused.error().reason, "kafka_partition_stalled");
  EXPECT_THAT(refused.error().message, HasSubstr("partition 0 of topic t"));
  EXPECT_EQ(refused.error().refusal, Refusal::kTransient);
  EXPECT_EQ(fixture.refusal({{1, 10, 1}}), "") << "what has no part there passes";
  fixture.confirm(0, 10, seconds(2));
  EXPECT_EQ(fixture.refusal({{0, 10, 1}, {1, 10, 1}}), "");
}

TEST(ProduceAdmission, AFailedPartitionIsProbedByOneRequestFirst) {
  AdmissionFixture fixture;
  ASSERT_TRUE(fixture.admit({{0, 10, 1}, {1, 10, 1}}).ok());
  fixture.confirm(1, 10);
  fixture.fail(0, 10);
  const auto probe = fixture.admit({{0, 10, 1}, {1, 10, 1}, {2, 10, 1}});
  ASSERT_TRUE(probe.ok());
  EXPECT_THAT(*probe, ElementsAre(0));
  const auto other = fixture.admit({{0, 10, 1}, {1, 10, 1}});
  ASSERT_FALSE(other.ok()) << "one probe at a time";
  EXPECT_STREQ(other.error().reason, "kafka_timed_out");
  EXPECT_THAT(other.error().message, HasSubstr("partition 0 of topic t"));

  fixture.fail(0, 10);
  fixture.admission.on_dropped(10);
  fixture.admission.on_dropped(10);
  EXPECT_EQ(fixture.admission.bytes(), 0u);

  ASSERT_THAT(*fixture.admit({{0, 10, 1}, {1, 10, 1}}), ElementsAre(0));
  fixture.confirm(0, 10);
  fixture.admission.on_handed_over("t", {1, 10, 1}, fixture.now);
  EXPECT_THAT(*fixture.admit({{0, 10, 1}, {1, 10, 1}}), IsEmpty()) << "healthy again";
}

TEST(ProduceAdmission, ABadRecordIsNoEvidenceAboutItsPartition) {
  AdmissionFixture fixture;
  ASSERT_TRUE(fixture.admit({{0, 10, 1}}).ok());
  fixture.fail(0, 10, kMessageTooLarge);
  EXPECT_THAT(*fixture.admit({{0, 10, 1}}), IsEmpty());
}

TEST(ProduceAdmission, UnderAQuotaNoMoreWaitsThanIsConfirmedInTwoSeconds) {
  constexpr std::size_t kRecord = kMiB / 100;
  AdmissionFixture fixture;
  std::size_t waiting = 0;
  for (int tenth = 0; tenth < 300; ++tenth) {
    fixture.admission.on_throttled(seconds(1), fixture.now);
    for (int i = 0; i < 1000 && fixture.refusal({{0, kRecord, 1}}).empty(); ++i) waiting += kRecord;
    fixture.now += milliseconds(100);
    for (int i = 0; i < 10 && waiting > 0; ++i, waiting -= kRecord) {  // 1 MiB a second.
      fixture.confirm(0, kRecord, seconds(1));
    }
  }
  EXPECT_LE(waiting, 2 * kMiB + kMiB / 10);
  EXPECT_GE(waiting, kMiB / 2) << "the broker is kept busy";
  fixture.admission.on_throttled(seconds(1), fixture.now);
  ASSERT_TRUE(fixture.admit({{1, kRecord, 1}}).ok()) << "an idle partition takes a record";
  EXPECT_EQ(fixture.refusal({{0, 2 * kMiB, 1}}), "kafka_backlog");
}

TEST(ProduceAdmission, WithoutAQuotaOnlyTheQueueBounds) {
  AdmissionFixture fixture;
  ASSERT_TRUE(fixture.admit({{0, kMiB, 1}}).ok());
  fixture.confirm(0, kMiB);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(fixture.refusal({{0, kMiB, 1}}), "");
}

}  // namespace
}  // namespace spanway::kafka
