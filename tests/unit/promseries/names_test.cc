// Cases are the behaviour of Prometheus 3.15's OTLP receiver.
#include "services/lib/promseries/names.h"

#include <gtest/gtest.h>

namespace spanway::promseries {
namespace {

using otlp::MetricType;

std::string suffixed(std::string_view name, std::string_view unit, MetricType type,
                     bool is_monotonic = false) {
  return metric_name(name, unit, type, is_monotonic, Translation::kUnderscoreEscapingWithSuffixes);
}

TEST(MetricName, HasUnitAndType) {
  const auto gauge = MetricType::kGauge, sum = MetricType::kSum;
  EXPECT_EQ(suffixed("system.filesystem.usage", "By", gauge), "system_filesystem_usage_bytes");
  EXPECT_EQ(suffixed("http.requests", "{requests}", sum, true), "http_requests_total");
  EXPECT_EQ(suffixed("http.requests", "1", sum, true), "http_requests_total");
  EXPECT_EQ(suffixed("system.cpu.utilization", "1", gauge), "system_cpu_utilization_ratio");
  EXPECT_EQ(suffixed("disk.io", "By/s", gauge), "disk_io_bytes_per_second");
  EXPECT_EQ(suffixed("speed", "m/h", gauge), "speed_meters_per_hour");
  EXPECT_EQ(suffixed("total.bytes", "By", sum, true), "bytes_total");
  EXPECT_EQ(suffixed("latency", "s", MetricType::kHistogram), "latency_seconds");
  EXPECT_EQ(suffixed("latency_seconds", "s", MetricType::kHistogram), "latency_seconds");
  EXPECT_EQ(suffixed("a.b", "foo/bar", gauge), "a_b_foo_per_bar");
  EXPECT_EQ(suffixed("a.b", " / ", gauge), "a_b");
  EXPECT_EQ(suffixed("a.b", "{x}/s", gauge), "a_b_per_second");
  EXPECT_EQ(suffixed("a.b", "%", gauge), "a_b_percent");
}

TEST(MetricName, KeepsAllowedCharactersOnly) {
  const auto gauge = MetricType::kGauge;
  EXPECT_EQ(suffixed("a..b__c", "", gauge), "a_b_c");
  EXPECT_EQ(suffixed("a:b", "", gauge), "a:b");
  EXPECT_EQ(suffixed("5xx", "", gauge), "_5xx");
  EXPECT_EQ(suffixed("größe", "", gauge), "gr_e");
  EXPECT_EQ(suffixed("", "", gauge), "");
  EXPECT_EQ(suffixed("ä.ö", "", gauge), "");
  // A name of underscores splits into no tokens.
  EXPECT_EQ(suffixed("__", "", gauge), "");
  EXPECT_EQ(
      metric_name("a..b__c_", "By", gauge, false, Translation::kUnderscoreEscapingWithoutSuffixes),
      "a_b__c_");
}

TEST(MetricName, StaysUtf8WhereThatIsChosen) {
  const auto utf8 = Translation::kNoUtf8EscapingWithSuffixes;
  EXPECT_EQ(metric_name("größe.x", "By", MetricType::kGauge, false, utf8), "größe.x_bytes");
  EXPECT_EQ(metric_name("req_total", "s", MetricType::kSum, true, utf8), "req_seconds_total");
  EXPECT_EQ(metric_name("use_ratio", "1", MetricType::kGauge, false, utf8), "use_ratio");
  EXPECT_EQ(metric_name("io", "By/s", MetricType::kGauge, false, utf8), "io_bytes_per_second");
  EXPECT_EQ(metric_name("a.b", "By", MetricType::kSum, true, Translation::kNoTranslation), "a.b");
}

TEST(UnitName, IsWords) {
  EXPECT_EQ(unit_name("By/s"), "bytes_per_second");
  EXPECT_EQ(unit_name("1"), "");
  EXPECT_EQ(unit_name("{packets}"), "");
  EXPECT_EQ(unit_name("ms"), "milliseconds");
  EXPECT_EQ(unit_name("a__b"), "a_b");
}

TEST(LabelName, IsEscaped) {
  const auto escape = Translation::kUnderscoreEscapingWithSuffixes;
  EXPECT_EQ(label_name("http.method", escape), "http_method");
  EXPECT_EQ(label_name("a..b", escape), "a__b");
  EXPECT_EQ(label_name("0day", escape), "key_0day");
  EXPECT_EQ(label_name("_private", escape), "key_private");
  EXPECT_EQ(label_name("__reserved__", escape), "__reserved__");
  EXPECT_EQ(label_name("größe", escape), "gr__e");
  EXPECT_EQ(label_name("", escape), "");
  EXPECT_EQ(label_name("..", escape), "");
  EXPECT_EQ(label_name("größe", Translation::kNoTranslation), "größe");
  EXPECT_EQ(label_name("__", Translation::kNoTranslation), "");
}

}  // namespace
}  // namespace spanway::promseries
