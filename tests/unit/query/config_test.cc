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

}  // namespace
}  // namespace spanway::query
