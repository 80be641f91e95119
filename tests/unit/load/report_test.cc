#include "services/load/report.h"

#include <gtest/gtest.h>

#include "services/load/item_id.h"

namespace spanway::load {
namespace {

Report sample() {
  Report report;
  report.run = make_run(1);
  report.endpoint = "127.0.0.1:4317";
  report.rate = 1000;
  report.took = std::chrono::seconds(2);
  report.requests = 3;
  report.attempts = 4;
  report.acknowledged = 1500;
  report.rejected = 1;
  report.failed = 35;
  report.latency.record(std::chrono::milliseconds(5), 2);
  report.errors[Code::kUnavailable] = 2;
  report.first_error = "refused \"once\"";
  return report;
}

TEST(Report, JsonIsOneLineWithAllThatBenchmarksRead) {
  const std::string json = to_json(sample());
  EXPECT_EQ(json.find('\n'), std::string::npos);
  for (const char* part :
       {"\"run\":\"5357000000000001\"", "\"acknowledged\":1500", "\"items_per_second\":750.000",
        "\"rejected\":1", "\"failed\":35", "\"latency_ms\":{\"count\":2,\"p50\":5.000",
        "\"errors\":{\"UNAVAILABLE\":2}", "\"first_error\":\"refused \\\"once\\\"\""}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << " in " << json;
  }
}

TEST(Report, TextNamesWhatMatters) {
  const std::string text = to_text(sample());
  for (const char* part : {"1500 items in 2.00 s (750/s)", "p50 5.00", "UNAVAILABLE 2", "35"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
}

TEST(Report, MergesTheWorkers) {
  Report total = sample();
  Report other = sample();
  other.took = std::chrono::seconds(3);
  other.first_error = "another";
  total.merge(other);
  EXPECT_EQ(total.acknowledged, 3000u);
  EXPECT_EQ(total.attempts, 8u);
  EXPECT_EQ(total.took, std::chrono::seconds(3));
  EXPECT_EQ(total.errors[Code::kUnavailable], 4u);
  EXPECT_EQ(total.latency.count(), 4u);
  EXPECT_EQ(total.first_error, "refused \"once\"");
}

}  // namespace
}  // namespace spanway::load
