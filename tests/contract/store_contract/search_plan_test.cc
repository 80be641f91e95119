// The server's plan for each statement of a search: the index that must lead to the rows is used. A
// condition that an index no longer serves is answered all the same, a hundred times slower.
#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "services/lib/block/text_view.h"
#include "services/query/store/clickhouse/search_planner.h"
#include "services/query/store/clickhouse/span_conditions.h"
#include "services/query/store/clickhouse/trace_statements.h"
#include "tests/contract/store_contract/store_fixtures.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

using clickhouse::ClickHouseServer;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kRows = 200'000;

// 200,000 spans in 5,000 seconds, of 10 traces a second, on the real server.
class SearchPlan : public testing::Test {
 protected:
  void SetUp() override {
    if (ClickHouseServer::shared() == nullptr)
      GTEST_SKIP() << "tests/parts/clickhouse.sh get: " << ClickHouseServer::unavailable();
    const auto* server = ClickHouseServer::shared();
    sinks::MigrateOptions options;
    options.client.url = server->url();
    options.client.database = ClickHouseServer::shared()->database("search_plan");
    http::IoPool io("migrate", 1);
    ASSERT_TRUE(sinks::migrate(options, io, system_clock()).ok());
    client_ = std::make_unique<clickhouse::BlockingClient>(server->url(), "search_plan");
    const Status filled = client_->execute(
        "INSERT INTO spans (tenant, ts, trace_id, span_id, service_name, name, res_id, http_route, "
        "enduser_id, attr_str, attr_int) SELECT 'acme', fromUnixTimestamp64Nano(toInt64(" +
        std::to_string(base_) +
        " + number * 25000000)), toFixedString(unhex(leftPad(hex(intDiv("
        "number, 4) + 1), 32, '0')), 16), toFixedString(unhex(leftPad(hex(number + 1), 16, '0')), "
        "8), 'shop', 'op', 1, '/x', 'u' || toString(number % 1000), map('user', toString(number)), "
        "map('n', number % 100) FROM numbers(" +
        std::to_string(kRows) + ")");
    ASSERT_TRUE(filled.ok()) << filled.error().message;
    ASSERT_TRUE(client_->execute("OPTIMIZE TABLE spans FINAL").ok());
  }

  std::string plan_of(const clickhouse::Select& select) {
    std::promise<Status> ended;
    std::string plan;
    client_->client().select(
        {.sql = "EXPLAIN indexes = 1 " + select.sql.text(),
         .parameters = select.parameters,
         .settings = {}},
        Deadline::after(system_clock(), std::chrono::seconds(60)),
        [&](block::Block block) -> Status {
          for (std::size_t row = 0; row < block.rows(); ++row)
            plan += std::string(*block::TextView::of(block.column(0))->at(row)) + "\n";
          return {};
        },
        [&](Status status) { ended.set_value(std::move(status)); });
    const Status status = ended.get_future().get();
    return status.ok() ? plan : status.error().message;
  }
  clickhouse::Select find(SpanCondition where, const KeyPlaces& places, TimeRange range) {
    clickhouse::Select select{.sql = {"SELECT trace_id, max(ts) AS newest FROM spans"}};
    append_where({.range = range, .where = std::move(where)}, places, "acme", select);
    select.sql.add("GROUP BY trace_id ORDER BY newest DESC LIMIT 20");
    return select;
  }
  // Granules that are left behind an index of that name; -1 when the plan has none.
  static int granules_behind(const std::string& plan, const std::string& index) {
    const std::size_t at = plan.find(index == "PrimaryKey" ? index : "Name: " + index);
    const std::size_t found = at == std::string::npos ? at : plan.find("Granules: ", at);
    return found == std::string::npos ? -1 : std::atoi(plan.c_str() + found + 10);
  }
  TimeRange all_spans() const { return {.begin = base_, .end = base_ + 5'000 * kSecond}; }
  static SpanCondition attribute(const char* key, Value value, Scope scope = Scope::kSpan,
                                 Op op = Op::kEqual) {
    return compare(Subject{.scope = scope, .key = key}, op, std::move(value));
  }

  std::unique_ptr<clickhouse::BlockingClient> client_;
  // Noon of yesterday, within the TTL.
  const std::int64_t base_ =
      (system_clock().system_now().time_since_epoch().count() / (86'400 * kSecond) - 1) * 86'400 *
          kSecond +
      43'200 * kSecond;
};

TEST_F(SearchPlan, TimeIsPrunedByTheKey) {
  const std::string all = plan_of(find({}, {}, all_spans()));
  const int granules = granules_behind(all, "PrimaryKey");
  ASSERT_GT(granules, 15) << all;
  const std::string part =
      plan_of(find({}, {}, {.begin = base_ + 1'000 * kSecond, .end = base_ + 1'300 * kSecond}));
  EXPECT_GE(granules_behind(part, "PrimaryKey"), 1) << part;
  EXPECT_LE(granules_behind(part, "PrimaryKey"), 5) << part;
}

TEST_F(SearchPlan, BucketsOfTheRollupArePrunedByTheKey) {
  clickhouse::Select select{.sql = {"SELECT trace_id FROM spans"}};
  append_where({.range = all_spans()}, {}, "acme", select);
  append_buckets({.range = all_spans(), .buckets_s = {base_ / kSecond, base_ / kSecond + 3'000}},
                 select);
  const std::string plan = plan_of(select);
  EXPECT_GE(granules_behind(plan, "PrimaryKey"), 2) << plan;
  EXPECT_LE(granules_behind(plan, "PrimaryKey"), 8) << plan;
}

TEST_F(SearchPlan, TheRollupIsReadByItsTime) {
  const std::string plan = plan_of(bucket_statement(
      {.service = "shop", .name = "op", .kind = 2, .duration_min_ns = 5}, all_spans(), "acme"));
  EXPECT_NE(plan.find("red_5m"), std::string::npos) << plan;
  const std::size_t keys = plan.find("Keys:");
  ASSERT_NE(keys, std::string::npos) << plan;
  for (const char* key : {"tenant", "t", "service_name", "name"})
    EXPECT_NE(plan.find(std::string("  ") + key + "\n", keys), std::string::npos) << key << plan;
}

TEST_F(SearchPlan, AnAttributeOfTheMapsIsFoundByItsToken) {
  const std::string text = plan_of(find(attribute("user", "77"), {}, all_spans()));
  EXPECT_EQ(granules_behind(text, "by_token"), 1) << text;
  const std::string none = plan_of(find(attribute("n", std::int64_t{5'000}), {}, all_spans()));
  EXPECT_EQ(granules_behind(none, "by_token"), 0) << none;
  // In a tree, and with a condition that no index serves.
  const std::string tree =
      plan_of(find(all_of({any_of({attribute("user", "77"), attribute("user", "78")}),
                           compare(Field::kDuration, Op::kGreaterEqual, std::int64_t{0})}),
                   {}, all_spans()));
  EXPECT_EQ(granules_behind(tree, "by_token"), 1) << tree;
}

TEST_F(SearchPlan, ATagWithoutATypeIsFoundByItsTokenOnceItsPlacesAreKnown) {
  const KeyPlaces places = {{"user", {{Scope::kSpan, AttributeType::kText}}}};
  const auto tag = attribute("user", "77", Scope::kAny, Op::kEqualText);
  const std::string known = plan_of(find(tag, places, all_spans()));
  EXPECT_EQ(granules_behind(known, "by_token"), 1) << known;
  EXPECT_TRUE(is_led_by_index(tag, places));
  EXPECT_FALSE(is_led_by_index(tag, {})) << "it may be a double, or of an event";
}

TEST_F(SearchPlan, APromotedAttributeIsFoundByTheFilterOfItsColumn) {
  const std::string frequent = plan_of(find(attribute("http.route", "/x"), {}, all_spans()));
  EXPECT_GT(granules_behind(frequent, "by_promoted"), 15) << frequent;
  const std::string none = plan_of(find(attribute("http.route", "/none"), {}, all_spans()));
  EXPECT_NE(none.find("by_promoted"), std::string::npos) << none;
  EXPECT_NE(none.find("Granules: 0/"), std::string::npos) << none;
}

TEST_F(SearchPlan, TracesAreFoundByTheirIds) {
  clickhouse::Select select{.sql = {"SELECT span_id FROM spans"}};
  const std::vector<TraceId> ids = {fakes::otlp_trace_id(9), fakes::otlp_trace_id(40'000)};
  append_trace_ids(ids, "acme", select);
  const std::string plan = plan_of(select);
  EXPECT_GE(granules_behind(plan, "by_trace"), 1) << plan;
  EXPECT_LE(granules_behind(plan, "by_trace"), 4) << plan;
}

}  // namespace
}  // namespace spanway::query
