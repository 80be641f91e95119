#include "services/query/query_workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "services/lib/base/mutex.h"

namespace spanway::query {
namespace {

TEST(QueryWorkers, TenantsTakeTurnsAndAFullQueueRefuses) {
  std::promise<void> begun, release, done;
  std::vector<std::string> order;
  QueryWorkers workers(1, 5);
  QueryWorkers::Query blocking = [&] {
    begun.set_value();
    release.get_future().wait();
  };
  ASSERT_TRUE(workers.submit("a", blocking));
  begun.get_future().wait();
  for (const char* tenant : {"a", "a", "a", "b", "c"}) {
    QueryWorkers::Query query = [&order, &done, tenant] {
      order.emplace_back(tenant);
      if (order.size() == 5) done.set_value();
    };
    ASSERT_TRUE(workers.submit(tenant, query));
  }
  QueryWorkers::Query one_more = [] {};
  EXPECT_FALSE(workers.submit("d", one_more));
  EXPECT_TRUE(one_more) << "a refused query is the caller's";
  EXPECT_EQ(workers.queued(), 5u);
  release.set_value();
  done.get_future().wait();
  EXPECT_THAT(order, testing::ElementsAre("a", "b", "c", "a", "a"));
}

}  // namespace
}  // namespace spanway::query
