// The contract of TraceStore, on every store: random spans and random queries against a naive
// filter over what was sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "services/lib/otlp_blocks/span_reader.h"
#include "tests/contract/store_contract/trace_store_contract.h"

namespace spanway::query {
namespace {

using testing::ElementsAreArray;
using testing::SizeIs;

TEST_P(StoreContract, ATraceComesBackWholeAndOnlyToItsTenant) {
  const std::vector<SentSpan> sent = fill(11, 90);
  const std::string id = sent[10].trace_id;
  std::multiset<std::string> expected;
  for (const SentSpan& span : sent)
    if (span.trace_id == id) expected.insert(span.span_id);
  QueryContext own = context();
  const auto spans = ids_of(store().spans_of(id, std::nullopt, SpanColumns::kAll, own));
  ASSERT_TRUE(spans.ok()) << spans.error().message;
  EXPECT_EQ(std::multiset<std::string>(spans->begin(), spans->end()), expected);
  const TimeRange around = whole_range();
  QueryContext hinted = context();
  EXPECT_THAT(*ids_of(store().spans_of(id, around, SpanColumns::kAll, hinted)),
              SizeIs(expected.size()));

  QueryContext other = context("other");
  EXPECT_THAT(*ids_of(store().spans_of(id, std::nullopt, SpanColumns::kAll, other)), SizeIs(0));
  // A tenant's name is a value, whatever it holds.
  QueryContext hostile = context("acme' OR tenant != '");
  EXPECT_THAT(*ids_of(store().spans_of(id, std::nullopt, SpanColumns::kAll, hostile)), SizeIs(0));
}

TEST_P(StoreContract, FiguresAndResourcesAreThoseThatWereSent) {
  const std::vector<SentSpan> sent = fill(13, 90);
  QueryContext one = context();
  const auto status = store().status(one);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->spans, 90u);
  EXPECT_TRUE(store().ping(one).ok());

  QueryContext two = context();
  const auto stream =
      store().spans_of(sent[0].trace_id, std::nullopt, SpanColumns::kAll, two).value();
  std::vector<std::uint64_t> ids;
  while (auto block = stream->next().value()) {
    otlp_blocks::SpanReader reader(*block);
    for (std::size_t row = 0; row < reader.rows(); ++row) ids.push_back(reader.resource_id(row));
  }
  const std::set<std::uint64_t> distinct(ids.begin(), ids.end());
  ids.push_back(12345);  // One that does not exist.
  const auto rows = store().resources_of(ids, two);
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  EXPECT_EQ(rows->rows(), distinct.size());
}

TEST_P(StoreContract, ACancelledQueryAndOneAboveItsBudgetFail) {
  fill(17, 90);
  QueryContext cancelled = context();
  cancelled.cancel.cancel();
  EXPECT_FALSE(ids_of(store().newest({}, SpanColumns::kAll, cancelled)).ok());
  QueryContext small = context();
  small.budget.memory_max = 1;
  EXPECT_FALSE(store().services({}, small).ok());
}

TEST_P(StoreContract, SeveralTracesComeBackOneAfterTheOther) {
  const std::vector<SentSpan> sent = fill(19, 90);
  const std::vector<TraceId> ids = {sent[70].trace_id, sent[4].trace_id, sent[31].trace_id,
                                    fakes::otlp_trace_id(77'777)};
  std::multiset<std::string> expected;
  for (const SentSpan& span : sent)
    if (std::find(ids.begin(), ids.end(), span.trace_id) != ids.end())
      expected.insert(span.span_id);
  for (const SpanColumns columns : {SpanColumns::kNarrow, SpanColumns::kAll}) {
    QueryContext own = context();
    auto stream = store().spans_of(ids, std::nullopt, columns, own);
    ASSERT_TRUE(stream.ok()) << stream.error().message;
    std::multiset<std::string> spans;
    std::vector<std::string> order;
    while (true) {
      auto block = (*stream)->next();
      ASSERT_TRUE(block.ok()) << block.error().message;
      if (!block->has_value()) break;
      otlp_blocks::SpanReader reader(**block);
      for (std::size_t row = 0; row < reader.rows(); ++row) {
        const otlp_blocks::StoredSpan* stored = reader.read(row);
        spans.emplace(stored->span.span_id);
        if (order.empty() || order.back() != stored->span.trace_id)
          order.emplace_back(stored->span.trace_id);
      }
    }
    EXPECT_EQ(spans, expected);
    EXPECT_THAT(order, SizeIs(3)) << "the spans of a trace are not together";
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::Values("memory", "clickhouse", "s3"),
                         [](const auto& store) { return store.param; });

}  // namespace
}  // namespace spanway::query
