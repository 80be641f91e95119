#include "services/load/latency_json.h"

#include <gtest/gtest.h>

namespace spanway::load {
namespace {

TEST(LatencyJson, IsInMilliseconds) {
  LatencyHistogram latency;
  latency.record(std::chrono::milliseconds(2));
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  write_latency(json, latency);
  json.end_object();
  EXPECT_EQ(text, R"({"latency_ms":{"count":1,"p50":2.000,"p90":2.000,"p99":2.000,"p99_9":2.000,)"
                  R"("max":2.000,"mean":2.000}})");
}

}  // namespace
}  // namespace spanway::load
