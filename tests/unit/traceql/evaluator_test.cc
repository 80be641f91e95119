// Hand-checked answers on one trace.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "services/query/traceql/parser.h"
#include "services/query/traceql/pipeline_evaluator.h"

namespace spanway::query::traceql {
namespace {

constexpr std::int64_t kMs = 1'000'000;

std::string id(char last) { return std::string(7, '\0') + last; }

//  r (server)
//  +- a (client) -- b (server)
//  +- c (client, error)
//  o: its parent is missing.
Trace shop() {
  Trace trace;
  trace.id = std::string(14, '\0') + "\x0a\xbc";
  trace.resources = {{{"service.name", Value::of_string("front")}},
                     {{"service.name", Value::of_string("back")}, {"x", Value::of_int(7)}}};
  trace.instrumentations = {{.name = "lib", .version = "1.2"}};
  const auto add = [&](char name, const std::string& parent, std::int64_t kind,
                       std::size_t resource, std::int64_t start_ms,
                       std::int64_t duration_ms) -> Span& {
    Span& span = trace.spans.emplace_back();
    span.id = id(name);
    span.parent_id = parent;
    span.name = std::string(1, name);
    span.kind = kind;
    span.resource = resource;
    span.start_unix_nano = start_ms * kMs;
    span.duration_ns = duration_ms * kMs;
    return span;
  };
  add('r', "", 2, 0, 100, 50).attributes = {{"http.status", Value::of_int(200)}};
  add('a', id('r'), 3, 0, 110, 20).attributes = {{"x", Value::of_string("own")}};
  add('b', id('a'), 2, 1, 115, 10).events = {
      {.name = "exception", .since_start_ns = 2 * kMs, .attributes = {{"e", Value::of_int(1)}}},
      {.name = "retry", .since_start_ns = 3 * kMs}};
  Span& c = add('c', id('r'), 3, 1, 120, 30);
  c.status = kStatusError;
  c.links = {{.trace_id = std::string(15, '\0') + "\x01", .span_id = id('z')}};
  add('o', id('?'), 1, 1, 130, 5);
  complete(trace);
  return trace;
}

// Names of the spans of each set, sets apart by "|".
std::string found(const std::string& query) {
  const Trace trace = shop();
  const auto parsed = parse(query);
  if (!parsed.ok()) return parsed.error().message;
  const auto sets = PipelineEvaluator(trace).run(*parsed->pipeline);
  if (!sets.ok()) return sets.error().message;
  std::vector<std::string> texts;
  for (const FoundSpans& set : *sets) {
    std::string& text = texts.emplace_back();
    for (const std::uint32_t i : set.spans) text += trace.spans[i].name;
  }
  std::sort(texts.begin(), texts.end());
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : "|") + text;
  return all;
}

class Finds : public testing::TestWithParam<std::pair<const char*, const char*>> {};
TEST_P(Finds, TheSpans) {
  EXPECT_EQ(found(GetParam().first), GetParam().second) << GetParam().first;
}

INSTANTIATE_TEST_SUITE_P(Intrinsics, Finds,
                         testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
                             {"{ }", "rabco"},
                             {"{ span:duration >= 20ms }", "rac"},
                             {"{ kind = client && status = error }", "c"},
                             {"{ trace:rootName = `r` && trace:rootService = `front` }", "rabco"},
                             {"{ trace:duration = 50ms }", "rabco"},
                             {"{ trace:id = `abc` && trace:id = `0000abc` }", "rabco"},
                             {"{ trace:id = `bc` }", ""},
                             {"{ span:id = `0000000000000061` }", "a"},
                             {"{ span:parentID = `0000000000000000` }", "r"},
                             {"{ span:childCount = 2 }", "r"},
                             {"{ event:name = `retry` }", "b"},
                             {"{ event:name != `retry` }", "b"},
                             {"{ event:timeSinceStart > 2ms }", "b"},
                             {"{ event.e = 1 && event:name =~ `ex.*` }", "b"},
                             {"{ event.e = nil }", "raco"},
                             {"{ link:traceID = `1` && link:spanID = `000000000000007a` }", "c"},
                             {"{ instrumentation:name = `lib` && instrumentation:version = `1.2` }",
                              "rabco"},
                             {"{ nestedSetParent = -1 }", "r"},
                             {"{ nestedSetLeft = 0 }", "o"}}));

INSTANTIATE_TEST_SUITE_P(Attributes, Finds,
                         testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
                             // The span's own comes before the resource's.
                             {"{ .x = `own` }", "a"},
                             {"{ .x = 7 }", "bco"},
                             {"{ resource.x = 7.0 }", "bco"},
                             {"{ span.x != nil }", "a"},
                             {"{ .x = nil }", "r"},
                             {"{ .http.status / 100 = 2 }", "r"},
                             {"{ .http.status / 0 = 2 }", "division by zero"},
                             {"{ !(.x = 7) }", "ra"},
                             {"{ .none || true }", ""}}));

INSTANTIATE_TEST_SUITE_P(Structure, Finds,
                         testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
                             {"{ name = `r` } > { }", "ac"},
                             {"{ name = `r` } >> { }", "abc"},
                             {"{ name = `b` } < { }", "a"},
                             {"{ name = `b` } << { }", "ra"},
                             {"{ name = `a` } ~ { }", "c"},
                             {"{ } ~ { }", "ac"},
                             {"{ name = `r` } !> { }", "rbo"},
                             {"{ name = `r` } !>> { }", "ro"},
                             {"{ name = `none` } !> { }", "rabco"},
                             {"{ name = `r` } &> { name = `a` }", "ra"},
                             {"{ name = `r` } &>> { name = `b` }", "rb"},
                             {"{ name = `b` } &<< { kind = server }", "rb"},
                             {"{ name = `a` } &~ { name = `c` }", "ac"},
                             {"{ kind = server } && { kind = client }", "rabc"},
                             {"{ kind = server } && { kind = producer }", ""},
                             {"{ kind = server } || { kind = producer }", "rb"},
                             {"({ } | by(kind)) > ({ })",
                              "spanset operators are not supported for multiple spansets per "
                              "trace. consider using coalesce()"}}));

INSTANTIATE_TEST_SUITE_P(Pipelines, Finds,
                         testing::ValuesIn(std::vector<std::pair<const char*, const char*>>{
                             {"{ } | by(resource.service.name)", "bco|ra"},
                             {"{ } | by(resource.service.name) | count() > 2", "bco"},
                             {"{ } | by(resource.service.name) | coalesce()", "rabco"},
                             {"{ } | avg(duration) > 22ms", "rabco"},
                             {"{ } | avg(duration) > 23ms", ""},
                             {"{ } | sum(.x) = 21", ""},
                             {"{ kind = server } | max(duration) = 50ms | { name = `b` }", "b"},
                             {"{ } | min(.http.status) = 200", "rabco"},
                             {"{ } | min(.none) = 200", ""},
                             {"count() = 5", "rabco"},
                             {"{ } | select(.x)", "rabco"}}));

TEST(PipelineEvaluator, NamesWhatGroupsAndAggregatesHaveFound) {
  const Trace trace = shop();
  const auto parsed = parse("{ } | by(kind) | count() > 1");
  ASSERT_TRUE(parsed.ok());
  const auto sets = PipelineEvaluator(trace).run(*parsed->pipeline);
  ASSERT_TRUE(sets.ok());
  ASSERT_EQ(sets->size(), 2u);
  const NamedValues& attributes = (*sets)[0].attributes;
  ASSERT_EQ(attributes.size(), 2u);
  EXPECT_EQ(attributes[0].first, "by(kind)");
  EXPECT_EQ(plain_text(attributes[0].second), "server");
  EXPECT_EQ(attributes[1].first, "count()");
  EXPECT_EQ(plain_text(attributes[1].second), "2");
}

TEST(Trace, DistinguishesSpansOfOneIdByTheirKind) {
  Trace trace = shop();
  trace.spans.push_back(trace.spans[1]);  // "a", as the server.
  trace.spans.back().kind = 2;
  complete(trace);
  const auto child = std::find_if(trace.spans.begin(), trace.spans.end(),
                                  [](const Span& span) { return span.name == "b"; });
  ASSERT_NE(child->parent_index, Span::kNoParent);
  EXPECT_EQ(trace.spans[child->parent_index].kind, 3);  // A server's parent is a client.
}

TEST(Trace, HasNoTreeWithThreeSpansOfOneId) {
  Trace trace = shop();
  trace.spans.push_back(trace.spans[1]);
  trace.spans.push_back(trace.spans[1]);
  for (Span& span : trace.spans) span.left = span.parent = span.child_count = 0;
  complete(trace);
  for (const Span& span : trace.spans) EXPECT_EQ(span.left, 0);
}

TEST(Trace, OfAnyDepthIsNumbered) {
  Trace trace;
  trace.resources.emplace_back();
  trace.instrumentations.emplace_back();
  constexpr std::uint32_t kDepth = 200'000;
  for (std::uint32_t i = 0; i < kDepth; ++i) {
    Span& span = trace.spans.emplace_back();
    span.start_unix_nano = i;
    span.id = std::string(8, '\0');
    for (unsigned b = 0; b < 4; ++b) span.id[b] = static_cast<char>((i + 1) >> (8 * b));
    if (i > 0) span.parent_id = trace.spans[i - 1].id;
  }
  complete(trace);
  EXPECT_EQ(trace.spans.front().right, 2 * std::int64_t{kDepth});
  const auto parsed = parse("{ nestedSetParent = -1 } >> { }");
  const auto sets = PipelineEvaluator(trace).run(*parsed->pipeline);
  ASSERT_TRUE(sets.ok());
  EXPECT_EQ((*sets)[0].spans.size(), kDepth - 1);
}

}  // namespace
}  // namespace spanway::query::traceql
