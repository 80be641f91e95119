#include "services/lib/clickhouse/select_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/lib/block/column.h"
#include "tests/fakes/eventually.h"
#include "tests/integration/clickhouse/clickhouse_server.h"

namespace spanway::clickhouse {
namespace {

using testing::HasSubstr;

class SelectStreamOnServer : public testing::Test {
 protected:
  void SetUp() override {
    SPANWAY_NEEDS_CLICKHOUSE();
    client_ = std::make_unique<BlockingClient>(ClickHouseServer::shared()->url(), "default");
  }
  std::unique_ptr<SelectStream> open(Select select,
                                     std::chrono::seconds time = std::chrono::seconds(60)) {
    return client_->client().stream(select, Deadline::after(system_clock(), time));
  }
  std::string running(const std::string& mark) {
    return client_->value("SELECT count() FROM system.processes WHERE query LIKE '%" + mark +
                          "%' AND query NOT LIKE '%system.processes%'");
  }
  std::unique_ptr<BlockingClient> client_;
};

TEST_F(SelectStreamOnServer, ReadsMillionsOfRowsInBlocks) {
  const auto stream = open({.sql = {"SELECT number, toString(number) FROM numbers(3000000)"}});
  std::uint64_t next = 0;
  while (true) {
    const auto block = stream->next();
    ASSERT_TRUE(block.ok()) << block.error().message;
    if (!block->has_value()) break;
    const auto& numbers = static_cast<const block::FixedColumn&>((*block)->column(0));
    for (const std::uint64_t number : numbers.values<std::uint64_t>()) ASSERT_EQ(number, next++);
  }
  EXPECT_EQ(next, 3'000'000u);
  EXPECT_GT(stream->cost().blocks, 10u);
}

TEST_F(SelectStreamOnServer, HoldsTheServerBackAndEndsTheQueryWhenItIsDropped) {
  auto stream = open({.sql = {"SELECT number AS dropped_query, repeat('x', 1000) FROM "
                              "numbers(100000000)"}});
  const auto first = stream->next();
  ASSERT_TRUE(first.ok()) << first.error().message;
  // 100 GB would have to go somewhere, were the server not held back.
  ASSERT_TRUE(fakes::eventually([&] { return running("dropped_query") == "1"; }));
  stream.reset();
  EXPECT_TRUE(fakes::eventually([&] { return running("dropped_query") == "0"; }));
}

TEST_F(SelectStreamOnServer, AQueryThatHasSentNothingYetEndsWhenItIsCancelled) {
  const auto stream =
      open({.sql = {"SELECT count() AS silent_query FROM numbers(1000000000000) WHERE "
                    "cityHash64(number) = 1"}});
  ASSERT_TRUE(fakes::eventually([&] { return running("silent_query") == "1"; }));
  stream->cancel();
  EXPECT_EQ(stream->next().error().code, Code::kCancelled);
  EXPECT_TRUE(fakes::eventually([&] { return running("silent_query") == "0"; }));
}

TEST_F(SelectStreamOnServer, AnExceptionBehindRowsFailsTheQuery) {
  const auto stream = open({.sql = {"SELECT number, throwIf(number = 3000000, 'late failure') FROM "
                                    "numbers(10000000) SETTINGS max_block_size = 10000"}});
  std::uint64_t rows = 0;
  while (true) {
    const auto block = stream->next();
    if (!block.ok()) {
      EXPECT_THAT(block.error().message, HasSubstr("late failure"));
      EXPECT_THAT(block.error().message, HasSubstr("395"));
      break;
    }
    ASSERT_TRUE(block->has_value()) << "a part of the rows was taken for all of them";
    rows += (*block)->rows();
  }
  EXPECT_GT(rows, 0u) << "the exception came before the first row";
}

TEST_F(SelectStreamOnServer, ALimitIsAnErrorAndNeverAPart) {
  Select select{.sql = {"SELECT sum(number) FROM numbers(10000000)"}};
  select.limits.rows_read = 1'000'000;
  const auto too_much = open(select)->next();
  ASSERT_FALSE(too_much.ok());
  EXPECT_EQ(too_much.error().code, Code::kResourceExhausted) << too_much.error().message;
  Select slow{.sql = {"SELECT count() FROM numbers(1000000000000) WHERE cityHash64(number) = 1"}};
  const auto late = open(slow, std::chrono::seconds(1))->next();
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded) << late.error().message;
}

TEST_F(SelectStreamOnServer, TheReaderMaySelectWithLimitsAndNothingElse) {
  BlockingClient reader(ClickHouseServer::shared()->url(), "default", "reader", "spanway");
  Select select{.sql = {"SELECT number FROM numbers(3)"}};
  select.limits = {.rows_read = 1000, .bytes_read = 1000000, .memory_bytes = 1 << 28, .threads = 1};
  const auto deadline = Deadline::after(system_clock(), std::chrono::seconds(20));
  const auto block = reader.client().stream(select, deadline)->next();
  ASSERT_TRUE(block.ok()) << block.error().message;
  EXPECT_EQ((*block)->rows(), 3u);
  const auto refused = reader.client()
                           .stream({.sql = {"CREATE TABLE t (a UInt8) ENGINE = Memory"}}, deadline)
                           ->next();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().refusal, Refusal::kConfiguration) << refused.error().message;
}

}  // namespace
}  // namespace spanway::clickhouse
