#include "services/kafka-bridge/replay/replay_tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spanway::kafka_bridge {
namespace {

using ::testing::HasSubstr;

kafka::StoredRecord letter(const std::string& reason, const std::string& tenant,
                           std::int64_t time_ms) {
  kafka::StoredRecord record;
  record.value = "12345";
  record.timestamp_ms = time_ms;
  record.headers = {{"spanway-error", reason}, {"spanway-tenant", tenant}};
  return record;
}

std::string json_of(const ReplayTally& tally) {
  std::string text;
  JsonWriter json(text);
  tally.write(json);
  return text;
}

TEST(ReplayTally, CountsByReasonAndTenant) {
  ReplayTally tally;
  EXPECT_EQ(json_of(tally), "[]");
  tally.add(letter("too old", "blue", 3000), 2);
  tally.add(letter("too deep", "red", 1000), 3);
  kafka::StoredRecord copy = letter("too deep", "red", 2000);
  copy.headers.emplace_back("spanway-rejected", "1/4");
  tally.add(copy, 4);
  EXPECT_EQ(json_of(tally),
            "[{\"reason\":\"too deep\",\"tenant\":\"red\",\"records\":2,\"items\":7,\"bytes\":10,"
            "\"copies\":1,\"first\":\"1970-01-01T00:00:01.000Z\","
            "\"last\":\"1970-01-01T00:00:02.000Z\"},"
            "{\"reason\":\"too old\",\"tenant\":\"blue\",\"records\":1,\"items\":2,\"bytes\":5,"
            "\"copies\":0,\"first\":\"1970-01-01T00:00:03.000Z\","
            "\"last\":\"1970-01-01T00:00:03.000Z\"}]");
}

TEST(ReplayTally, IsBounded) {
  ReplayTally tally;
  for (std::size_t i = 0; i < ReplayTally::kGroupsMax + 50; ++i)
    tally.add(letter("span " + std::to_string(i) + " is too old", "", 1), 1);
  EXPECT_THAT(json_of(tally), HasSubstr("{\"reason\":\"others\",\"tenant\":\"\",\"records\":50,"));
}

}  // namespace
}  // namespace spanway::kafka_bridge
