#include <gtest/gtest.h>

#include <map>
#include <string>

#include "services/lib/block/text_view.h"
#include "services/lib/clickhouse/exception.h"
#include "tests/integration/clickhouse/clickhouse_server.h"

namespace spanway::clickhouse {
namespace {

TEST(ExceptionsOnServer, TheNumbersAreThoseOfTheServer) {
  SPANWAY_NEEDS_CLICKHOUSE();
  BlockingClient client(ClickHouseServer::shared()->url(), "default");
  const auto blocks = client.select(
      "SELECT name, code FROM system.errors SETTINGS system_events_show_zero_values = 1");
  ASSERT_TRUE(blocks.ok()) << blocks.error().message;
  std::map<int, std::string> names;
  for (const block::Block& block : *blocks) {
    const auto codes =
        static_cast<const block::FixedColumn&>(block.column(1)).values<std::int32_t>();
    for (std::size_t row = 0; row < block.rows(); ++row)
      names[codes[row]] = *block::TextView::of(block.column(0))->at(row);
  }
  for (const ExceptionKind& kind : exception_kinds()) EXPECT_EQ(names[kind.code], kind.name);
}

TEST(ExceptionsOnServer, RefusalsHaveTheirKind) {
  SPANWAY_NEEDS_CLICKHOUSE();
  const std::string url = ClickHouseServer::shared()->url();
  BlockingClient client(url, "default");
  const auto refusal = [](const Status& status) {
    return status.ok() ? "accepted" : std::string(to_string(status.error().refusal));
  };
  const std::string configuration(to_string(Refusal::kConfiguration));
  EXPECT_EQ(refusal(client.execute("SELECT * FROM nothing")), configuration);
  EXPECT_EQ(refusal(client.execute("SELECT nothing")), configuration);
  EXPECT_EQ(refusal(BlockingClient(url, "nothing").execute("SELECT 1 FROM t")), configuration);
  EXPECT_EQ(refusal(BlockingClient(url, "default", "writer", "wrong").execute("SELECT 1")),
            configuration);
  EXPECT_EQ(refusal(BlockingClient(url, "default", "reader", "spanway")
                        .execute("CREATE TABLE x (y UInt8) ENGINE = Memory")),
            configuration);
  EXPECT_EQ(refusal(client.execute("SELECT count() FROM numbers(100000000000) WHERE number % 7 = 8 "
                                   "SETTINGS max_execution_time = 0.05, max_rows_to_read = 0")),
            to_string(Refusal::kTransient));
}

}  // namespace
}  // namespace spanway::clickhouse
