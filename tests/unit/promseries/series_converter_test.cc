#include "services/lib/promseries/series_converter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/otlp_builder.h"
#include "tests/unit/promseries/series_text.h"

namespace spanway::promseries {
namespace {

using fakes::MetricKind;
using fakes::otlp_attribute;
using fakes::ProtoMessage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t kSecond = 1'000'000'000;

ProtoMessage metric(std::string_view name, std::string_view unit, MetricKind kind,
                    const std::vector<ProtoMessage>& points, std::uint64_t temporality = 2,
                    bool is_monotonic = true) {
  ProtoMessage data;
  for (const ProtoMessage& point : points) data.message(1, point);
  if (kind != MetricKind::kGauge && kind != MetricKind::kSummary) data.varint(2, temporality);
  if (kind == MetricKind::kSum) data.varint(3, is_monotonic ? 1 : 0);
  return ProtoMessage().bytes(1, name).bytes(2, "help").bytes(3, unit).message(
      static_cast<std::uint32_t>(kind), data);
}
ProtoMessage number(double value, std::uint64_t seconds = 2) {
  return ProtoMessage().fixed64(2, kSecond).fixed64(3, seconds * kSecond).real(4, value);
}
std::string packed(const std::vector<std::uint64_t>& values) {
  std::string bytes;
  for (const std::uint64_t value : values)
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  return bytes;
}
std::string packed_bounds(const std::vector<double>& values) {
  std::string bytes;
  for (const double value : values)
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  return bytes;
}

struct Outcome {
  Converted converted;
  std::vector<std::string> lines;
  std::vector<Metadata> metadata;
};
Outcome convert(const std::string& request, Options options = {}) {
  Converter converter(std::move(options));
  SeriesLines lines;
  auto converted = converter.convert(request, lines);
  EXPECT_TRUE(converted.ok());
  return {std::move(converted).value(), lines.lines, lines.metadata};
}
Outcome convert_metric(const ProtoMessage& item, Options options = {}) {
  return convert(fakes::otlp_request_of({item}), std::move(options));
}

TEST(ConvertMetrics, GaugesAndSums) {
  const Outcome gauge = convert_metric(metric("cpu.use", "1", MetricKind::kGauge, {number(0.5)}));
  EXPECT_THAT(gauge.lines, ElementsAre("{__name__=cpu_use_ratio,job=shop} 0.5 @2000 from 1000"));
  EXPECT_EQ(gauge.metadata[0].type, SeriesType::kGauge);
  const Outcome sum = convert_metric(metric("req", "", MetricKind::kSum, {number(7)}));
  EXPECT_THAT(sum.lines, ElementsAre("{__name__=req_total,job=shop} 7 @2000 from 1000"));
  EXPECT_EQ(sum.metadata[0].type, SeriesType::kCounter);
  const Outcome up_down = convert_metric(metric("q", "", MetricKind::kSum, {number(7)}, 2, false));
  EXPECT_THAT(up_down.lines, ElementsAre("{__name__=q,job=shop} 7 @2000 from 1000"));
  EXPECT_EQ(up_down.metadata[0].type, SeriesType::kGauge);
}

TEST(ConvertMetrics, AnIntegerIsANumberAndNoRecordedValueIsStale) {
  const ProtoMessage integer =
      ProtoMessage().fixed64(3, 2 * kSecond).fixed64(6, static_cast<std::uint64_t>(-3));
  EXPECT_THAT(convert_metric(metric("a", "", MetricKind::kGauge, {integer})).lines,
              ElementsAre("{__name__=a,job=shop} -3 @2000"));
  const ProtoMessage none = ProtoMessage().fixed64(3, 2 * kSecond).varint(8, 1);
  EXPECT_THAT(convert_metric(metric("a", "", MetricKind::kGauge, {none})).lines,
              ElementsAre("{__name__=a,job=shop} stale @2000"));
}

ProtoMessage histogram_point() {
  const auto exemplar = [](double value) {
    return ProtoMessage().fixed64(2, kSecond).real(3, value).bytes(5, fakes::otlp_trace_id(1));
  };
  return ProtoMessage()
      .fixed64(3, 2 * kSecond)
      .fixed64(4, 6)
      .real(5, 12.5)
      .bytes(6, packed({1, 2, 3}))
      .bytes(7, packed_bounds({0.5, 10}))
      .message(8, exemplar(0.5))
      .message(8, exemplar(20));
}

TEST(ConvertMetrics, AnExplicitHistogramIsSumCountAndBuckets) {
  const Outcome outcome =
      convert_metric(metric("d", "s", MetricKind::kHistogram, {histogram_point()}));
  const std::string id = "{trace_id=00000000000000000000000000000001}";
  EXPECT_THAT(outcome.lines,
              ElementsAre("{__name__=d_seconds_sum,job=shop} 12.5 @2000",
                          "{__name__=d_seconds_count,job=shop} 6 @2000",
                          "{__name__=d_seconds_bucket,job=shop,le=0.5} 1 @2000 # " + id + " 0.5",
                          "{__name__=d_seconds_bucket,job=shop,le=10} 3 @2000",
                          "{__name__=d_seconds_bucket,job=shop,le=+Inf} 6 @2000 # " + id + " 20"));
  EXPECT_EQ(outcome.converted.points, 1u);
  const Outcome native =
      convert_metric(metric("d", "s", MetricKind::kHistogram, {histogram_point()}),
                     {.explicit_histograms = ExplicitHistograms::kNative});
  ASSERT_EQ(native.lines.size(), 1u);
  EXPECT_THAT(native.lines[0],
              HasSubstr("{__name__=d_seconds,job=shop} native schema -53 count 6"));
}

TEST(ConvertMetrics, ASummaryHasASeriesAQuantile) {
  const ProtoMessage point = ProtoMessage()
                                 .fixed64(3, 2 * kSecond)
                                 .fixed64(4, 3)
                                 .real(5, 9)
                                 .message(6, ProtoMessage().real(1, 0.99).real(2, 4));
  EXPECT_THAT(
      convert_metric(metric("s", "", MetricKind::kSummary, {point})).lines,
      ElementsAre("{__name__=s_sum,job=shop} 9 @2000", "{__name__=s_count,job=shop} 3 @2000",
                  "{__name__=s,job=shop,quantile=0.99} 4 @2000"));
}

TEST(ConvertMetrics, AnExponentialHistogramIsNative) {
  ProtoMessage buckets = ProtoMessage().varint(1, 1).bytes(2, "\x01\x02");  // Offset -1.
  const ProtoMessage point = ProtoMessage()
                                 .fixed64(3, 2 * kSecond)
                                 .fixed64(4, 3)
                                 .varint(6, 20)  // Scale 10.
                                 .message(8, buckets);
  EXPECT_THAT(convert_metric(metric("e", "", MetricKind::kExponentialHistogram, {point})).lines,
              ElementsAre("{__name__=e,job=shop} native schema 8 count 3 @2000"));
}

TEST(ConvertMetrics, DeltaIsRejectedOrTakenAsItIs) {
  const ProtoMessage delta = metric("req", "", MetricKind::kSum, {number(7), number(8, 3)}, 1);
  const Outcome rejected = convert_metric(delta);
  EXPECT_TRUE(rejected.lines.empty());
  EXPECT_EQ(rejected.converted.points, 2u);
  EXPECT_EQ(rejected.converted.rejected, 2u);
  EXPECT_EQ(rejected.converted.rejected_delta, 2u);
  EXPECT_THAT(rejected.converted.first_reason, HasSubstr("'req' has delta temporality"));
  const Outcome taken = convert_metric(delta, {.delta = Delta::kAsIs});
  EXPECT_EQ(taken.lines.size(), 2u);
  EXPECT_EQ(taken.converted.rejected, 0u);
  EXPECT_EQ(taken.metadata[0].type, SeriesType::kUnknown);
  EXPECT_EQ(convert_metric(metric("req", "", MetricKind::kSum, {number(7)}, 0)).converted.rejected,
            1u);
}

TEST(ConvertMetrics, BadPointsDoNotTakeOthersWithThem) {
  ProtoMessage bad = number(1);
  bad.message(7, otlp_attribute("..", "x"));
  const Outcome outcome = convert_metric(metric("g", "", MetricKind::kGauge, {bad, number(2)}));
  EXPECT_EQ(outcome.converted.rejected, 1u);
  EXPECT_THAT(outcome.lines, ElementsAre("{__name__=g,job=shop} 2 @2000 from 1000"));
}

std::string request_with_host(const std::vector<ProtoMessage>& metrics) {
  ProtoMessage resource;
  resource.message(1, ProtoMessage()
                          .message(1, otlp_attribute("service.name", "shop"))
                          .message(1, otlp_attribute("host.name", "h1")));
  resource.message(2, fakes::otlp_scope("s", metrics));
  return fakes::otlp_request({resource, resource}).encode();
}

TEST(ConvertMetrics, TargetInfoComesEvery150SecondsAndOnce) {
  const Outcome outcome = convert(
      request_with_host({metric("g", "", MetricKind::kGauge, {number(1, 2), number(1, 400)})}));
  std::vector<std::string> infos;
  for (const std::string& line : outcome.lines)
    if (line.find("target_info") != std::string::npos) infos.push_back(line);
  const std::string labels = "{__name__=target_info,host_name=h1,job=shop} 1 @";
  EXPECT_THAT(
      infos, ElementsAre(labels + "2000", labels + "152000", labels + "302000", labels + "400000"));
}

TEST(ConvertMetrics, TargetInfoIsBoundedForTimesFarApart) {
  const Outcome outcome = convert(request_with_host(
      {metric("g", "", MetricKind::kGauge, {number(1, 0), number(1, 1'700'000'000)})}));
  EXPECT_EQ(outcome.lines.size(), 4 + Converter::kTargetInfoSamplesMax);
}

TEST(ConvertMetrics, TheSameBytesMakeTheSameSeries) {
  const std::string request =
      request_with_host({metric("d", "s", MetricKind::kHistogram, {histogram_point()})});
  Converter converter({});
  SeriesLines first, second;
  ASSERT_TRUE(converter.convert(request, first).ok());
  ASSERT_TRUE(converter.convert(request, second).ok());
  EXPECT_EQ(first.lines, second.lines);
  EXPECT_EQ(first.lines, convert(request).lines);
}

TEST(ConvertMetrics, BrokenFramingIsADataError) {
  Converter converter({});
  SeriesLines lines;
  const std::string request = fakes::otlp_request_of(
      {metric("g", "", MetricKind::kGauge, {ProtoMessage().raw("\x3a\x7f")})});
  const auto converted = converter.convert(request, lines);
  ASSERT_FALSE(converted.ok());
  EXPECT_EQ(converted.error().refusal, Refusal::kData);
}

}  // namespace
}  // namespace spanway::promseries
