// The contract of TraceStore: random searches, names, summaries and figures against what a naive
// filter finds in what was sent.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "tests/contract/store_contract/trace_store_contract.h"

namespace spanway::query {
namespace {

using testing::ElementsAreArray;
using testing::SizeIs;

class SearchContract : public StoreContract {};

TEST_P(SearchContract, RandomQueriesFindWhatANaiveFilterFinds) {
  std::vector<SentSpan> sent = fill(7, 600);
  SpanGenerator generator(8, base_);
  std::sort(sent.begin(), sent.end(),
            [](const SentSpan& a, const SentSpan& b) { return a.start > b.start; });
  std::size_t hits = 0, misses = 0;
  for (int i = 0; i < 150; ++i) {
    const SpanQuery query = generator.query();
    SCOPED_TRACE("query " + std::to_string(i) + described(query));
    std::vector<std::string> spans;
    std::vector<std::string> traces;
    std::map<std::string, std::uint64_t> matched;
    for (const SentSpan& span : sent) {
      if (!naive_match(query, span)) continue;
      if (spans.size() < query.limit) spans.push_back(span.span_id);
      if (matched[span.trace_id]++ == 0) traces.push_back(span.trace_id);
    }
    if (traces.size() > query.limit) traces.resize(query.limit);
    ++(spans.empty() ? misses : hits);

    QueryContext first = context();
    const auto newest = ids_of(store().newest(query, SpanColumns::kNarrow, first));
    ASSERT_TRUE(newest.ok()) << newest.error().message;
    ASSERT_THAT(*newest, ElementsAreArray(spans));

    QueryContext second = context();
    const auto found = store().find(query, second);
    ASSERT_TRUE(found.ok()) << found.error().message;
    std::vector<std::string> ids;
    for (const FoundTrace& trace : found->traces) {
      ids.push_back(trace.trace_id);
      EXPECT_GE(trace.matched, 1u);
      EXPECT_LE(trace.matched, matched[trace.trace_id]);
    }
    ASSERT_THAT(ids, ElementsAreArray(traces));
    EXPECT_TRUE(second.coverage.complete);
  }
  EXPECT_GT(hits, 60u) << "the queries are too narrow to show anything";
  EXPECT_GT(misses, 10u);
}

TEST_P(SearchContract, ConditionsThatNoStoreCanApplyAreRefused) {
  fill(9, 3);
  const auto code_of = [&](SpanCondition where) {
    QueryContext own = context();
    const auto found = store().find({.where = std::move(where)}, own);
    return found.ok() ? std::string("found") : std::string(found.error().reason);
  };
  const auto one = compare(Field::kName, Op::kEqual, "op");
  EXPECT_EQ(code_of(any_of(std::vector<SpanCondition>(kComparisonsMax, one))), "found");
  EXPECT_EQ(code_of(any_of(std::vector<SpanCondition>(kComparisonsMax + 1, one))),
            "too_many_conditions");
  SpanCondition deep = one;
  for (std::size_t i = 0; i <= kConditionDepthMax; ++i) deep = all_of({deep});
  EXPECT_EQ(code_of(deep), "too_many_conditions");
  EXPECT_EQ(code_of(compare(Field::kName, Op::kRegex, "(")), "bad_regex");
  EXPECT_EQ(code_of(compare(Field::kKind, Op::kEqual, "server")), "bad_condition");
  EXPECT_EQ(code_of(compare(Field::kTraceId, Op::kEqual, "short")), "bad_condition");
  EXPECT_EQ(code_of(compare(Subject{.key = "k"}, Op::kRegex, std::int64_t{1})), "bad_condition");
}

TEST_P(SearchContract, SummariesAreThoseOfTheSpans) {
  const std::vector<SentSpan> sent = fill(21, 300);
  std::vector<TraceId> ids;
  for (const SentSpan& span : sent)
    if (std::find(ids.begin(), ids.end(), span.trace_id) == ids.end()) ids.push_back(span.trace_id);
  ids.insert(ids.begin() + 3, fakes::otlp_trace_id(77'777));  // One that does not exist.
  const TimeRange half{.begin = base_, .end = base_ + 10'000 * kSecond};
  for (const std::optional<TimeRange>& range : {std::optional<TimeRange>(), std::optional(half)}) {
    std::vector<TraceSummary> expected;
    for (const TraceId& id : ids) {
      TraceSummary summary{.trace_id = id};
      std::set<std::string> span_ids;
      std::map<std::string, ServiceSpans> services;
      const SentSpan* root = nullptr;
      const auto is_of = [&](const SentSpan& span) {
        return span.trace_id == id && (!range || range->contains(span.start));
      };
      for (const SentSpan& span : sent)
        if (is_of(span)) span_ids.insert(span.span_id);
      for (const SentSpan& span : sent) {
        if (!is_of(span)) continue;
        const auto end = span.start + static_cast<std::int64_t>(span.duration);
        summary.begin_unix_nano =
            summary.spans == 0 ? span.start : std::min(summary.begin_unix_nano, span.start);
        summary.end_unix_nano = std::max(summary.end_unix_nano, end);
        ++summary.spans;
        ServiceSpans& service = services[span.service];
        service.service = span.service;
        ++service.spans;
        if (span.status == 2) ++summary.errors, ++service.errors;
        if (!span.parent_id.empty() && !span_ids.contains(span.parent_id)) ++summary.orphans;
        if (span.parent_id.empty() && (root == nullptr || span.start < root->start)) root = &span;
      }
      if (summary.spans == 0) continue;
      if (root != nullptr) {
        summary.root_service = root->service;
        summary.root_name = root->name;
        summary.root_duration_ns = root->duration;
      }
      for (const auto& [name, service] : services) summary.services.push_back(service);
      expected.push_back(summary);
    }
    QueryContext own = context();
    const auto summaries = store().summaries(ids, range, own);
    ASSERT_TRUE(summaries.ok()) << summaries.error().message;
    EXPECT_EQ(*summaries, expected);
  }
}

TEST_P(SearchContract, NamesAreThoseThatWereSent) {
  const std::vector<SentSpan> sent = fill(23, 300);
  std::set<std::string> services;
  std::set<Operation> of_one, of_all;
  std::set<AttributeKey> keys;
  const auto type_of = [](const Value& value) {
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr) return text->size() > 1024 ? AttributeType::kOther : AttributeType::kText;
    return std::holds_alternative<std::int64_t>(value) ? AttributeType::kInteger
           : std::holds_alternative<double>(value)     ? AttributeType::kDouble
                                                       : AttributeType::kBoolean;
  };
  const auto note = [&](Scope scope, const SentAttributes& attributes) {
    for (const auto& [key, value] : attributes) keys.insert({scope, key, type_of(value)});
  };
  for (const SentSpan& span : sent) {
    services.insert(span.service);
    of_all.insert({span.name, span.kind});
    if (span.service == "service-1") of_one.insert({span.name, span.kind});
    note(Scope::kSpan, span.attributes);
    note(Scope::kResource, span.resource);
    note(Scope::kInstrumentation, span.scope);
    for (const SentEvent& event : span.events) note(Scope::kEvent, event.attributes);
    for (const SentLink& link : span.links) note(Scope::kLink, link.attributes);
  }
  QueryContext own = context();
  EXPECT_THAT(*store().services({}, own), ElementsAreArray(services));
  EXPECT_THAT(*store().services(whole_range(), own), ElementsAreArray(services));
  EXPECT_THAT(
      *store().services({.begin = base_ - 7200 * kSecond, .end = base_ - 3600 * kSecond}, own),
      SizeIs(0));
  EXPECT_THAT(*store().operations("service-1", {}, own), ElementsAreArray(of_one));
  EXPECT_THAT(*store().operations("", whole_range(), own), ElementsAreArray(of_all));
  EXPECT_THAT(*store().attribute_keys(Scope::kAny, whole_range(), own), ElementsAreArray(keys));
  std::erase_if(keys, [](const AttributeKey& key) { return key.scope != Scope::kEvent; });
  EXPECT_THAT(*store().attribute_keys(Scope::kEvent, {}, own), ElementsAreArray(keys));
}

TEST_P(SearchContract, ValuesAreThoseOfTheSpansThatMatch) {
  const std::vector<SentSpan> sent = fill(25, 300);
  const SpanQuery query{.range = whole_range(),
                        .where = compare(Field::kService, Op::kEqual, "service-1"),
                        .limit = 1000};
  std::vector<Subject> subjects = {{.field = Field::kName},
                                   {.field = Field::kKind},
                                   {.field = Field::kStatusMessage},
                                   {.field = Field::kScopeName}};
  for (const Scope scope : {Scope::kSpan, Scope::kResource, Scope::kInstrumentation})
    for (const char* key : {"http.route", "http.response.status_code", "db.system", "user", "ratio",
                            "flag", "prompt", "zone", "unknown"})
      subjects.push_back({.scope = scope, .key = key});
  for (const Subject& subject : subjects) {
    SCOPED_TRACE(std::to_string(static_cast<int>(subject.field)) + subject.key);
    std::map<Value, std::uint64_t> counts;
    for (const SentSpan& span : sent) {
      if (!naive_match(query, span)) continue;
      const SentAttributes& place = subject.scope == Scope::kSpan       ? span.attributes
                                    : subject.scope == Scope::kResource ? span.resource
                                                                        : span.scope;
      if (subject.field == Field::kName) ++counts[span.name];
      if (subject.field == Field::kKind) ++counts[std::int64_t{span.kind}];
      if (subject.field == Field::kStatusMessage) ++counts[span.status_message];
      if (subject.field == Field::kScopeName) ++counts[span.scope_name];
      if (subject.field != Field::kAttribute) continue;
      const auto found = place.find(subject.key);
      if (found == place.end()) continue;
      const auto* text = std::get_if<std::string>(&found->second);
      if (text == nullptr || text->size() <= 1024) ++counts[found->second];
    }
    QueryContext own = context();
    const auto values = store().values(subject, query, own);
    ASSERT_TRUE(values.ok()) << values.error().message;
    std::set<Value> expected;
    for (const auto& [value, count] : counts) expected.insert(value);
    EXPECT_EQ(std::set<Value>(values->begin(), values->end()), expected);
    EXPECT_THAT(*values, SizeIs(expected.size())) << "a value came twice";
    EXPECT_TRUE(std::is_sorted(values->begin(), values->end(), [&](const Value& a, const Value& b) {
      return counts[a] > counts[b];
    }));
    SpanQuery one = query;
    one.limit = 1;
    EXPECT_THAT(*store().values(subject, one, own),
                SizeIs(std::min<std::size_t>(counts.size(), 1)));
  }
  QueryContext own = context();
  const auto events = store().values({.scope = Scope::kEvent, .key = "user"}, query, own);
  ASSERT_FALSE(events.ok());
  EXPECT_EQ(events.error().code, Code::kUnimplemented);
}

TEST_P(SearchContract, DependenciesAreThoseOfParentsAndChildren) {
  const std::vector<SentSpan> sent = fill(27, 300);
  const TimeRange half{.begin = base_, .end = base_ + 10'000 * kSecond};
  for (const TimeRange range : {TimeRange{}, half}) {
    std::map<std::pair<std::string, std::string>, Dependency> expected;
    for (const SentSpan& child : sent)
      for (const SentSpan& parent : sent) {
        if (child.trace_id != parent.trace_id || child.parent_id != parent.span_id) continue;
        if (!range.contains(child.start) || !range.contains(parent.start)) continue;
        Dependency& edge = expected[{parent.service, child.service}];
        edge.caller = parent.service;
        edge.callee = child.service;
        ++edge.calls;
        if (child.status == 2) ++edge.errors;
      }
    std::vector<Dependency> edges;
    for (const auto& [names, edge] : expected) edges.push_back(edge);
    QueryContext own = context();
    const auto found = store().dependencies(range, own);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(*found, edges);
  }
}

TEST_P(SearchContract, FiguresOfServicesAreThoseOfTheSpans) {
  const std::vector<SentSpan> sent = fill(29, 300);
  const TimeRange part{.begin = base_ + 1234 * kSecond, .end = base_ + 15'000 * kSecond};
  std::vector<RedQuery> queries;
  for (const bool by_name : {false, true})
    for (const bool by_kind : {false, true})
      queries.push_back({.range = part, .by_name = by_name, .by_kind = by_kind});
  queries.push_back({.range = part, .step_ns = 3600 * kSecond, .by_name = true});
  queries.push_back({.range = part, .step_ns = 3600 * kSecond, .services = {"service-1", "it's"}});
  queries.push_back({.range = {}, .step_ns = 900 * kSecond, .services = {}, .kinds = {1, 2}});
  for (const RedQuery& query : queries) {
    const TimeRange rounded = rounded_outwards(query.range, query.step_ns);
    std::map<std::tuple<std::int64_t, std::string, std::string, int>, RedRow> expected;
    for (const SentSpan& span : sent) {
      const auto wants = [](const auto& list, const auto& one) {
        return list.empty() || std::find(list.begin(), list.end(), one) != list.end();
      };
      if (!rounded.contains(span.start) || !wants(query.services, span.service) ||
          !wants(query.kinds, span.kind))
        continue;
      const std::int64_t step = span.start / query.step_ns * query.step_ns;
      const std::string name = query.by_name ? span.name : "";
      const int kind = query.by_kind ? span.kind : 0;
      RedRow& row = expected[{step, span.service, name, kind}];
      row.begin_unix_nano = step;
      row.service = span.service;
      row.name = name;
      row.kind = kind;
      ++row.calls;
      if (span.status == 2) ++row.errors;
      row.duration_ns += span.duration;
      row.duration_max_ns = std::max(row.duration_max_ns, span.duration);
      std::int16_t bucket = -1;
      while (std::exp2((bucket + 1) / 4.0) < static_cast<double>(span.duration)) ++bucket;
      ++row.durations[bucket];
    }
    std::vector<RedRow> rows;
    for (const auto& [key, row] : expected) rows.push_back(row);
    QueryContext own = context();
    const auto found = store().red(query, own);
    ASSERT_TRUE(found.ok()) << found.error().message;
    ASSERT_EQ(found->size(), rows.size());
    EXPECT_EQ(*found, rows);
  }
  QueryContext own = context();
  EXPECT_FALSE(store().red({.step_ns = 60 * kSecond}, own).ok());
}

INSTANTIATE_TEST_SUITE_P(Stores, SearchContract, testing::Values("memory", "clickhouse", "s3"),
                         [](const auto& store) { return store.param; });

}  // namespace
}  // namespace spanway::query
