// The engine against an evaluator that shares no code with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "services/query/traceql/parser.h"
#include "services/query/traceql/pipeline_evaluator.h"
#include "tests/unit/traceql/naive_evaluator.h"

namespace spanway::query::traceql {
namespace {

naive::Sets engine_sets(const Query& query, const Trace& trace) {
  naive::Sets sets;
  const auto found = PipelineEvaluator(trace).run(*query.pipeline);
  EXPECT_TRUE(found.ok()) << found.error().message;
  if (found.ok())
    for (const FoundSpans& one : *found) sets.push_back(one.spans);
  std::sort(sets.begin(), sets.end());
  return sets;
}

TEST(Oracle, FindsTheSameSpansInRandomTraces) {
  std::mt19937 random(13);
  std::size_t found = 0;
  for (int round = 0; round < 2000; ++round) {
    const naive::SpansetQuery query = naive::random_query(random);
    const auto parsed = parse(query.text);
    ASSERT_TRUE(parsed.ok()) << query.text << "\n" << parsed.error().message;
    for (int i = 0; i < 4; ++i) {
      const naive::NaiveTrace trace = naive::random_trace(random);
      naive::Sets expected = query.run(trace, naive::all_of(trace));
      std::sort(expected.begin(), expected.end());
      ASSERT_EQ(engine_sets(*parsed, naive::engine_trace(trace)), expected) << query.text;
      found += expected.size();
    }
  }
  EXPECT_GT(found, 2500u) << "the queries find too little to show anything";
}

}  // namespace
}  // namespace spanway::query::traceql
