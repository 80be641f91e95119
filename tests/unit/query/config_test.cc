#include "services/query/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/lib/config/load.h"

namespace spanway::query {
namespace {

TEST(QueryConfig, DefaultsAreValid) {
  config::Problems problems;
  validate(QueryConfig{}, problems);
  EXPECT_TRUE(problems.empty());
}

TEST(QueryConfig, MistakesAreNamed) {
  QueryConfig c;
  c.stores.clickhouse.endpoint = "clickhouse:8123";
  c.stores.clickhouse.password = Secret("p");
  c.limits.query_memory = {1u << 30};
  config::Problems problems;
  validate(c, problems);
  EXPECT_EQ(problems.all().size(), 3u);
}

TEST(QueryConfig, AdminPortsAreAddressesWithoutAPath) {
  for (const char* url : {"ingress:8080", "https://ingress:8080", "http://ingress:8080/statusz"}) {
    QueryConfig c;
    c.pipeline.services = {{"bridge", "http://bridge:8082"}, {"ingress", url}};
    config::Problems problems;
    validate(c, problems);
    ASSERT_EQ(problems.all().size(), 1u) << url;
    EXPECT_EQ(problems.all()[0].path, "pipeline.services.ingress");
  }
  QueryConfig many;
  for (int i = 0; i < 33; ++i) many.pipeline.services[std::to_string(i)] = "http://x:8080";
  config::Problems problems;
  validate(many, problems);
  ASSERT_EQ(problems.all().size(), 1u);
  EXPECT_EQ(problems.all()[0].path, "pipeline.services");
}

TEST(QueryConfig, AnEndpointThatCannotBeCalledIsAMistake) {
  for (const char* endpoint : {"http://", "http://x:99999", "http://u:p@x", "http://x/?a=b"}) {
    QueryConfig c;
    c.stores.clickhouse.endpoint = endpoint;
    config::Problems problems;
    validate(c, problems);
    ASSERT_EQ(problems.all().size(), 1u) << endpoint;
    EXPECT_EQ(problems.all()[0].path, "stores.clickhouse.endpoint");
  }
}

TEST(QueryConfig, AMemoryStoreThatLeavesNothingForQueriesIsNamed) {
  QueryConfig c;
  c.traces_from = StoreType::kMemory;
  c.stores.memory.bytes = {1u << 30};
  config::Problems problems;
  validate(c, problems);
  ASSERT_EQ(problems.all().size(), 1u);
  EXPECT_NE(problems.all()[0].message.find("stores.memory.bytes"), std::string::npos);
}

TEST(QueryConfig, OnlyTheStoreThatIsReadIsChecked) {
  QueryConfig c;
  c.stores.clickhouse.endpoint = "none";
  c.traces_from = StoreType::kS3;
  config::Problems no_bucket;
  validate(c, no_bucket);
  ASSERT_EQ(no_bucket.all().size(), 1u);
  EXPECT_EQ(no_bucket.all()[0].path, "stores.s3.bucket");
  c.stores.s3.bucket = "traces";
  config::Problems none;
  validate(c, none);
  EXPECT_TRUE(none.empty());
}

TEST(QueryConfig, OtherSignalsComeFromTheStoreOfTracesUnlessTheyNameOne) {
  QueryConfig c;
  c.traces_from = StoreType::kMemory;
  EXPECT_EQ(store_of(c, c.logs_from), StoreType::kMemory);
  EXPECT_EQ(signals_in_memory(c), 3u);
  c.traces_from = StoreType::kS3;
  EXPECT_EQ(store_of(c, c.logs_from), std::nullopt);
  c.metrics_from = SignalStore::kMemory;
  EXPECT_EQ(store_of(c, c.metrics_from), StoreType::kMemory);
  EXPECT_EQ(signals_in_memory(c), 1u);
  c.stores.s3.bucket = "traces";
  c.logs_from = SignalStore::kClickHouse;
  c.stores.clickhouse.endpoint = "none";
  config::Problems problems;
  validate(c, problems);
  ASSERT_EQ(problems.all().size(), 1u);
  EXPECT_EQ(problems.all()[0].path, "stores.clickhouse.endpoint");
}

TEST(QueryConfig, TheRingOfTheMemoryStoreCountsInMemoryLimit) {
  QueryConfig c;
  c.traces_from = StoreType::kMemory;
  config::Problems none;
  validate(c, none);
  EXPECT_TRUE(none.empty());
  c.stores.memory.bytes = {200u << 20};
  config::Problems too_large;
  validate(c, too_large);
  EXPECT_EQ(too_large.all().size(), 1u);
}

}  // namespace
}  // namespace spanway::query
