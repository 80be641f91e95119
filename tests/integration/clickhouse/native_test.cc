#include <gtest/gtest.h>

#include <future>
#include <string>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/clickhouse/native_writer.h"
#include "services/lib/http/content_coding.h"
#include "services/lib/schema/table.h"
#include "tests/integration/clickhouse/clickhouse_server.h"

namespace spanway::clickhouse {
namespace {

using block::Block;
using block::Column;
using block::DictionaryColumn;
using block::FixedColumn;
using block::Kind;
using block::ListColumn;
using block::NullableColumn;
using block::StringColumn;

// Some value for each row, so that rows differ and every form of a column occurs.
void append_some(Column& column, std::size_t row) {
  const std::string text = row % 3 == 0 ? "" : "text " + std::to_string(row % 300);
  switch (column.type().kind) {
    case Kind::kString:
      return static_cast<StringColumn&>(column).append(text);
    case Kind::kLowCardinality:
      return row % 4 == 0 ? column.append_default()
                          : static_cast<DictionaryColumn&>(column).append(text);
    case Kind::kNullable:
      return row % 2 == 0 ? column.append_default()
                          : append_some(static_cast<NullableColumn&>(column).append_value(), row);
    case Kind::kArray:
    case Kind::kMap: {
      auto& list = static_cast<ListColumn&>(column);
      for (std::size_t i = 0; i < row % 4; ++i)
        for (std::size_t n = 0; n < list.nested_count(); ++n)
          append_some(list.nested(n), 4 * row + i + 1);
      return list.close_row();
    }
    default: {
      auto& fixed = static_cast<FixedColumn&>(column);
      std::string bytes(fixed.width(), '\0');
      bytes[0] = static_cast<char>(row % 2);
      if (fixed.width() > 2) bytes[1] = static_cast<char>(row);
      return fixed.append_raw(bytes);
    }
  }
}

Block some_rows(std::span<const block::Field> fields, std::size_t rows) {
  Block block(fields);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t i = 0; i < block.columns(); ++i) append_some(block.column(i), row);
  return block;
}

// The rows as text, whatever dictionaries the server has chosen.
std::string printed(const Column& column, std::size_t row) {
  switch (column.type().kind) {
    case Kind::kString:
      return std::string(static_cast<const StringColumn&>(column).at(row));
    case Kind::kLowCardinality:
      return std::string(static_cast<const DictionaryColumn&>(column).at(row).value_or("NULL"));
    case Kind::kNullable: {
      const auto& nullable = static_cast<const NullableColumn&>(column);
      return nullable.is_null(row) ? "NULL" : printed(nullable.nested(), row);
    }
    case Kind::kArray:
    case Kind::kMap: {
      const auto& list = static_cast<const ListColumn&>(column);
      std::string text = "[";
      for (std::size_t i = list.begin_of(row); i < list.end_of(row); ++i)
        for (std::size_t n = 0; n < list.nested_count(); ++n)
          text += printed(list.nested(n), i) + ",";
      return text + "]";
    }
    default:
      return std::string(static_cast<const FixedColumn&>(column).text_at(row));
  }
}

TEST(NativeOnServer, EveryTableTakesItsBlockAndGivesTheSameRowsBack) {
  SPANWAY_NEEDS_CLICKHOUSE();
  auto* server = ClickHouseServer::shared();
  BlockingClient client(server->url(), server->database("native_test"));
  for (const schema::Table& table : schema::tables()) {
    if (!table.filled_from.empty()) continue;
    SCOPED_TRACE(table.name);
    // The table's columns in their order, without sorting, partitions and expiry.
    auto fields = *table.insert_fields();
    std::string columns = "n UInt64";
    for (const auto& field : fields)
      columns += ", `" + field.name + "` " + block::to_string(field.type);
    ASSERT_TRUE(client
                    .execute("CREATE TABLE " + table.name + " (" + columns +
                             ") ENGINE = MergeTree ORDER BY n")
                    .ok());
    fields.insert(fields.begin(), {"n", block::parse_type("UInt64").value()});
    Block block = some_rows(fields, 1000);
    block.get<FixedColumn>("n").clear();
    for (std::uint64_t n = 0; n < 1000; ++n) block.get<FixedColumn>("n").append(n);
    const Status inserted = client.insert(table.name, block);
    ASSERT_TRUE(inserted.ok()) << inserted.error().message;

    const auto blocks = client.select("SELECT * FROM " + table.name + " ORDER BY n");
    ASSERT_TRUE(blocks.ok()) << blocks.error().message;
    std::size_t row = 0;
    for (const Block& answer : *blocks)
      for (std::size_t i = 0; i < answer.rows(); ++i, ++row)
        for (std::size_t c = 0; c < answer.columns(); ++c)
          ASSERT_EQ(printed(answer.column(c), i), printed(block.column(c), row))
              << answer.name(c) << " row " << row;
    EXPECT_EQ(row, 1000u);
  }
}

TEST(NativeOnServer, ATruncatedOrCompressedBodyIsStoredWholeOrNotAtAll) {
  SPANWAY_NEEDS_CLICKHOUSE();
  auto* server = ClickHouseServer::shared();
  BlockingClient client(server->url(), server->database("native_body"));
  ASSERT_TRUE(client
                  .execute("CREATE TABLE t (s LowCardinality(String)) ENGINE = MergeTree "
                           "ORDER BY s")
                  .ok());
  const block::Field fields[] = {{"s", block::parse_type("LowCardinality(String)").value()}};
  const Block block = some_rows(fields, 500);
  Bytes body;
  append_native(block, body);
  auto compressed = http::encode(http::ContentCoding::kZstd, body.view());
  ASSERT_TRUE(compressed.ok());
  body.resize(body.size() - 10);
  const Status status = client.insert_bytes(insert_sql("t", block), std::move(body));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().refusal, Refusal::kData) << status.error().message;
  EXPECT_EQ(client.value("SELECT count() FROM t"), "0");

  std::promise<Status> ended;
  client.client().insert({.sql = insert_sql("t", block),
                          .body = std::move(compressed).value(),
                          .content_encoding = "zstd",
                          .settings = {}},
                         Deadline::after(system_clock(), std::chrono::seconds(60)),
                         [&](Status end) { ended.set_value(std::move(end)); });
  const Status inserted = ended.get_future().get();
  EXPECT_TRUE(inserted.ok()) << inserted.error().message;
  EXPECT_EQ(client.value("SELECT count() FROM t"), "500");
}

TEST(NativeOnServer, AResultOfSeveralBlocksIsReadToItsEnd) {
  SPANWAY_NEEDS_CLICKHOUSE();
  BlockingClient client(ClickHouseServer::shared()->url(), "default");
  const auto blocks = client.select(
      "SELECT number, toLowCardinality(toString(number % 1000)) AS s, [number] AS a FROM "
      "numbers(200000) SETTINGS max_block_size = 10000");
  ASSERT_TRUE(blocks.ok()) << blocks.error().message;
  std::uint64_t next = 0;
  for (const Block& block : *blocks)
    for (const std::uint64_t number :
         static_cast<const FixedColumn&>(block.column(0)).values<std::uint64_t>())
      ASSERT_EQ(number, next++);
  EXPECT_EQ(next, 200'000u);
  EXPECT_GT(blocks->size(), 1u);
  const auto empty = client.select("SELECT 1 WHERE 0");
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->empty() || empty->front().rows() == 0);
}

TEST(NativeOnServer, AParameterIsDataWhateverItHolds) {
  SPANWAY_NEEDS_CLICKHOUSE();
  BlockingClient client(ClickHouseServer::shared()->url(), "default");
  for (const std::string& text :
       {std::string("plain"), std::string("' OR 1=1 --"), std::string("tab\tline\nback\\slash\r"),
        std::string("zero\0", 5), std::string("\xf0\x9f\x90\x98 and {x:String}")}) {
    Query query{.sql = "SELECT {x:String} AS x", .parameters = {}, .settings = {}};
    query.parameters.add("x", text);
    std::promise<Status> ended;
    std::string got;
    client.client().select(
        std::move(query), Deadline::after(system_clock(), std::chrono::seconds(60)),
        [&](Block block) {
          if (block.rows() > 0) got = block.get<StringColumn>("x").at(0);
          return ok_status();
        },
        [&](Status end) { ended.set_value(std::move(end)); });
    const Status status = ended.get_future().get();
    EXPECT_TRUE(status.ok()) << status.error().message;
    EXPECT_EQ(got, text);
  }
}

}  // namespace
}  // namespace spanway::clickhouse
