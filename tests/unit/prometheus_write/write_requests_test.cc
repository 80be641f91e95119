#include "services/lib/prometheus_write/write_requests.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/fakes/otlp_builder.h"

namespace spanway::prometheus_write {
namespace {

using fakes::ProtoMessage;
using promseries::Exemplar;
using promseries::Label;
using promseries::Metadata;
using promseries::SeriesType;

const std::array<Label, 2> kLabels = {Label{"__name__", "req_total"}, Label{"job", "shop"}};
const std::array<Label, 1> kExemplarLabels = {Label{"trace_id", "01"}};
const std::array<Exemplar, 1> kExemplars = {
    Exemplar{.labels = kExemplarLabels, .value = 0.5, .timestamp_ms = 1900}};
const Metadata kMetadata = {
    .type = SeriesType::kCounter, .family = "req_total", .unit = "requests", .help = "h"};

promseries::Series series(bool has_exemplar = false) {
  return {.labels = kLabels,
          .metadata = kMetadata,
          .start_timestamp_ms = 1000,
          .timestamp_ms = 2000,
          .exemplars =
              has_exemplar ? std::span<const Exemplar>(kExemplars) : std::span<const Exemplar>()};
}

ProtoMessage label(std::string_view name, std::string_view value) {
  return ProtoMessage().bytes(1, name).bytes(2, value);
}
ProtoMessage series_v1() {
  return ProtoMessage().message(1, label("__name__", "req_total")).message(1, label("job", "shop"));
}
ProtoMessage sample_v1(double value) { return ProtoMessage().real(1, value).varint(2, 2000); }
ProtoMessage metadata_v1() {
  return ProtoMessage().varint(1, 1).bytes(2, "req_total").bytes(4, "h").bytes(5, "requests");
}

TEST(WriteRequests, V2HasEachStringOnceAndStartTimestamps) {
  WriteRequests requests(Protocol::kV2, 1 << 20);
  requests.on_sample(series(true), 7);
  const auto taken = requests.take();
  ASSERT_EQ(taken.size(), 1u);
  ProtoMessage expected;
  for (const char* symbol :
       {"", "__name__", "req_total", "job", "shop", "trace_id", "01", "h", "requests"})
    expected.bytes(4, symbol);
  expected.message(
      5, ProtoMessage()
             .bytes(1, std::string("\1\2\3\4"))
             .message(2, ProtoMessage().real(1, 7).varint(2, 2000).varint(3, 1000))
             .message(4, ProtoMessage().bytes(1, std::string("\5\6")).real(2, 0.5).varint(3, 1900))
             .message(5, ProtoMessage().varint(1, 1).varint(3, 7).varint(4, 8)));
  EXPECT_EQ(taken[0].body.view(), expected.encode());
  EXPECT_EQ(taken[0].samples, 1u);
  EXPECT_EQ(taken[0].exemplars, 1u);
}

TEST(WriteRequests, V1HasLabelsAsTextAndTheMetadataOfAFamilyOnce) {
  WriteRequests requests(Protocol::kV1, 1 << 20);
  requests.on_sample(series(true), 7);
  requests.on_sample(series(), 8);
  const auto taken = requests.take();
  ASSERT_EQ(taken.size(), 1u);
  const ProtoMessage expected =
      ProtoMessage()
          .message(3, metadata_v1())
          .message(1, series_v1()
                          .message(2, sample_v1(7))
                          .message(3, ProtoMessage()
                                          .message(1, label("trace_id", "01"))
                                          .real(2, 0.5)
                                          .varint(3, 1900)))
          .message(1, series_v1().message(2, sample_v1(8)));
  EXPECT_EQ(taken[0].body.view(), expected.encode());
  EXPECT_EQ(taken[0].entries(), 2u);
}

TEST(WriteRequests, ANativeHistogramOfV1HasNoStartTimestamp) {
  const std::vector<promseries::BucketSpan> spans = {{.offset = -1, .length = 2}};
  const std::vector<std::int64_t> deltas = {3, -1};
  promseries::NativeHistogram histogram;
  histogram.count = 5;
  histogram.sum = 1.5;
  histogram.schema = 2;
  histogram.positive_spans = spans;
  histogram.positive_deltas = deltas;
  WriteRequests requests(Protocol::kV1, 1 << 20);
  requests.on_histogram(series(), histogram);
  const auto taken = requests.take();
  const ProtoMessage message = ProtoMessage()
                                   .varint(1, 5)
                                   .real(3, 1.5)
                                   .varint(4, 4)
                                   .real(5, 0)
                                   .varint(6, 0)
                                   .message(11, ProtoMessage().varint(1, 1).varint(2, 2))
                                   .bytes(12, std::string("\6\1"))
                                   .varint(15, 2000);
  EXPECT_EQ(taken[0].body.view(), ProtoMessage()
                                      .message(3, metadata_v1())
                                      .message(1, series_v1().message(4, message))
                                      .encode());
  EXPECT_EQ(taken[0].histograms, 1u);
}

TEST(WriteRequests, ARequestEndsWithTheDataPointThatFillsIt) {
  for (const Protocol protocol : {Protocol::kV1, Protocol::kV2}) {
    WriteRequests requests(protocol, 200);
    for (int point = 0; point < 10; ++point) {
      requests.on_sample(series(), 1);
      requests.on_sample(series(), 2);
      ASSERT_TRUE(requests.on_point_end().ok());
    }
    ASSERT_TRUE(requests.on_point_end().ok());  // A point without series.
    const auto ended = requests.take_ended();
    EXPECT_GT(ended.size(), 1u);
    std::uint64_t points = 0, entries = 0;
    const auto last = requests.take();
    for (const auto* part : {&ended, &last}) {
      for (const WriteRequest& request : *part) {
        EXPECT_EQ(request.entries(), 2 * request.points);
        EXPECT_LT(request.body.size(), 400u);
        points += request.points;
        entries += request.entries();
      }
    }
    EXPECT_EQ(points, 10u);
    EXPECT_EQ(entries, 20u);
  }
}

TEST(WriteRequests, NoneIsEmpty) {
  WriteRequests requests(Protocol::kV2, 1);
  ASSERT_TRUE(requests.on_point_end().ok());
  EXPECT_TRUE(requests.take().empty());
}

}  // namespace
}  // namespace spanway::prometheus_write
