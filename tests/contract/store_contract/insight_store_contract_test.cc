// The contract of InsightStore, on every store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "services/query/store/clickhouse/clickhouse_insight_store.h"
#include "services/query/store/memory/memory_insight_store.h"
#include "tests/contract/store_contract/store_fixtures.h"

namespace spanway::query {
namespace {

using clickhouse::BlockingClient;
using clickhouse::ClickHouseServer;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// 2026-11-30T00:00:00Z: rows of the tables live for 400 days.
constexpr std::int64_t kMidnight = 1'795'996'800'000'000'000;

std::int64_t at(std::int64_t window) { return kMidnight + window * kRollupNanos; }

EdgeRow edge(std::int64_t window, const std::string& child, std::uint64_t calls) {
  EdgeRow row;
  row.begin_unix_nano = at(window);
  row.parent = "shop";
  row.child = child;
  row.link = child == "mysql" ? "db" : "call";
  row.calls = calls;
  row.errors = 1;
  row.duration_ns = 5 * calls;
  row.durations = {{-1, 1}, {40, calls}};
  return row;
}

FindingRow finding(std::int64_t window, const std::string& kind, const std::string& service) {
  FindingRow row;
  row.begin_unix_nano = at(window);
  row.kind = kind;
  row.service = service;
  row.operation = "GET \"/\"\n";
  row.subject = service + " GET";
  row.span_kind = 2;
  row.token = "a='b\\c'";
  row.symptom = "slow";
  row.score = 2.5;
  row.baseline = 0.125;
  row.observed = 1e12;
  row.numbers = {{"calls", 60}, {"p_value", 1e-9}};
  row.also = {"x=y", "z=\xc3\xa4"};
  row.trace_ids = {std::string("0123456789\0abcde", 16)};
  return row;
}

WindowResult window_of(std::int64_t window, WindowVersion version, std::vector<EdgeRow> edges,
                       std::vector<FindingRow> findings = {}) {
  return {.state = {.begin_unix_nano = at(window), .version = version, .part = 0.5, .traces = 7},
          .edges = std::move(edges),
          .findings = std::move(findings)};
}

class InsightStoreContract : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string("memory")) {
      store_ = std::make_unique<MemoryInsightStore>();
      return;
    }
    SPANWAY_NEEDS_CLICKHOUSE();
    client_ = std::make_unique<BlockingClient>(ClickHouseServer::shared()->url(), migrated());
    store_ = std::make_unique<ClickHouseInsightStore>(client_->client(), client_->client());
  }
  // A database of all these tests, as its tables take long: each test has a tenant of its own.
  static const std::string& migrated() {
    static const std::string name = [] {
      sinks::MigrateOptions options;
      options.client.url = ClickHouseServer::shared()->url();
      options.client.database = ClickHouseServer::shared()->database("insight_contract");
      http::IoPool io("migrate", 1);
      EXPECT_TRUE(sinks::migrate(options, io, system_clock()).ok());
      return options.client.database;
    }();
    return name;
  }
  void write(const WindowResult& result) {
    const Status written = store_->write(result, context_);
    ASSERT_TRUE(written.ok()) << written.error().message;
  }
  std::vector<EdgeRow> edges(std::int64_t begin, std::int64_t end, std::int64_t step = 1) {
    auto rows = store_->edges({at(begin), at(end)}, step * kRollupNanos, context_);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return std::move(rows).value();
  }
  std::vector<FindingRow> findings(const FindingQuery& query) {
    auto rows = store_->findings(query, context_);
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    return std::move(rows).value();
  }

  std::unique_ptr<BlockingClient> client_;
  std::unique_ptr<InsightStore> store_;
  QueryContext context_{.tenant = testing::UnitTest::GetInstance()->current_test_info()->name(),
                        .deadline = Deadline::after(system_clock(), std::chrono::minutes(10)),
                        .clock = &system_clock()};
};

TEST_P(InsightStoreContract, ResultsReadAsTheyWereWritten) {
  const WindowResult result =
      window_of(3, WindowVersion::kPreliminary, {edge(3, "cart", 9), edge(3, "mysql", 4)},
                {finding(3, "error_rate", "cart"), finding(3, "relation", "shop")});
  write(result);
  EXPECT_EQ(store_->windows({at(3), at(4)}, context_).value(), std::vector{result.state});
  EXPECT_EQ(edges(3, 4), result.edges);
  EXPECT_EQ(findings({.range = {at(3), at(4)}}), result.findings);
  EXPECT_THAT(edges(2, 3), IsEmpty());
  EXPECT_THAT(edges(4, 9), IsEmpty());
  EXPECT_THAT(findings({.range = {at(0), at(9)}, .kinds = {"relation"}}), SizeIs(1));
  EXPECT_THAT(findings({.range = {at(0), at(9)}, .kinds = {}, .service = "cart"}), SizeIs(1));
  EXPECT_THAT(findings({.range = {at(0), at(9)}, .kinds = {"relation"}, .service = "cart"}),
              IsEmpty());
  context_.tenant = "other";
  EXPECT_THAT(store_->windows({at(0), at(9)}, context_).value(), IsEmpty());
  EXPECT_THAT(edges(0, 9), IsEmpty());
  EXPECT_THAT(findings({.range = {at(0), at(9)}}), IsEmpty());
}

TEST_P(InsightStoreContract, AVersionReplacesAllOfTheOneBeforeAndARepeatNothing) {
  const WindowResult first =
      window_of(0, WindowVersion::kPreliminary, {edge(0, "cart", 9), edge(0, "gone", 4)},
                {finding(0, "relation", "gone")});
  write(first);
  write(first);
  EXPECT_EQ(edges(0, 1), first.edges);
  EXPECT_EQ(findings({.range = {at(0), at(1)}}), first.findings);
  const WindowResult second =
      window_of(0, WindowVersion::kFinal, {edge(0, "cart", 10)}, {finding(0, "relation", "cart")});
  write(second);
  EXPECT_EQ(edges(0, 1), second.edges);
  EXPECT_EQ(findings({.range = {at(0), at(1)}}), second.findings);
  EXPECT_EQ(store_->windows({at(0), at(1)}, context_).value(), std::vector{second.state});
  // A replica that is late.
  write(first);
  EXPECT_EQ(edges(0, 1), second.edges);
  EXPECT_EQ(store_->windows({at(0), at(1)}, context_).value(), std::vector{second.state});
}

TEST_P(InsightStoreContract, EdgesAreSummedBySteps) {
  for (std::int64_t window = 0; window < 4; ++window)
    write(window_of(window, WindowVersion::kFinal, {edge(window, "cart", 10 + window)}));
  const auto rows = edges(0, 4, 2);
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].begin_unix_nano, at(0));
  EXPECT_EQ(rows[0].calls, 21u);
  EXPECT_EQ(rows[0].errors, 2u);
  EXPECT_EQ(rows[0].durations, (std::map<std::int16_t, std::uint64_t>{{-1, 2}, {40, 21}}));
  EXPECT_EQ(rows[1].begin_unix_nano, at(2));
  EXPECT_EQ(rows[1].calls, 25u);
}

TEST_P(InsightStoreContract, RowsOfAHalfWrittenWindowAreNotSeen) {
  if (client_ == nullptr) return;
  write(window_of(0, WindowVersion::kPreliminary, {edge(0, "cart", 9)}));
  write(window_of(1, WindowVersion::kPreliminary, {edge(1, "cart", 9)},
                  {finding(1, "relation", "cart")}));
  ASSERT_TRUE(client_
                  ->execute("DELETE FROM insight_windows WHERE t = toDateTime(" +
                            std::to_string(at(1) / 1'000'000'000) + ")")
                  .ok());
  EXPECT_THAT(edges(0, 9), SizeIs(1));
  EXPECT_THAT(findings({.range = {at(0), at(9)}}), IsEmpty());
}

TEST_P(InsightStoreContract, ATableThatDoesNotExistIsAMatterOfConfiguration) {
  if (client_ == nullptr) return;
  BlockingClient empty(ClickHouseServer::shared()->url(),
                       ClickHouseServer::shared()->database("insight_empty"));
  ClickHouseInsightStore store(empty.client(), empty.client());
  const auto states = store.windows({at(0), at(1)}, context_);
  ASSERT_FALSE(states.ok());
  EXPECT_EQ(states.error().refusal, Refusal::kConfiguration);
  const Status written = store.write(window_of(0, WindowVersion::kFinal, {}), context_);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().refusal, Refusal::kConfiguration);
}

INSTANTIATE_TEST_SUITE_P(Stores, InsightStoreContract, testing::Values("memory", "clickhouse"),
                         [](const auto& store) { return std::string(store.param); });

}  // namespace
}  // namespace spanway::query
