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
#include "tests/contract/store_contract/store_fixtures.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

using fakes::ProtoMessage;
using testing::ElementsAreArray;
using testing::SizeIs;

constexpr std::int64_t kSecond = 1'000'000'000;

// A span as it was sent; the naive filter sees nothing else.
struct SentSpan {
  std::string trace_id, span_id, service, name;
  int kind = 0, status = 0;
  std::int64_t start = 0;
  std::uint64_t duration = 0;
  std::map<std::string, Value> attributes, resource;
};

bool compares(Op op, const Value& have, const Value& want) {
  if (op == Op::kExists) return true;
  if (have.index() != want.index()) return false;
  switch (op) {
    case Op::kEqual:
      return have == want;
    case Op::kNotEqual:
      return have != want;
    case Op::kLess:
      return have < want;
    case Op::kLessEqual:
      return have <= want;
    case Op::kGreater:
      return have > want;
    default:
      return have >= want;
  }
}

bool naive_match(const SpanQuery& query, const SentSpan& span) {
  for (const Predicate& predicate : query.all_of) {
    const auto& attributes = predicate.scope == Scope::kSpan ? span.attributes : span.resource;
    const auto found = attributes.find(predicate.key);
    if (found == attributes.end() || !compares(predicate.op, found->second, predicate.value))
      return false;
  }
  return span.start >= query.range.begin && span.start < query.range.end &&
         (!query.service || *query.service == span.service) &&
         (!query.name || *query.name == span.name) && (!query.kind || *query.kind == span.kind) &&
         (!query.status || *query.status == span.status) &&
         span.duration >= query.duration_min_ns && span.duration <= query.duration_max_ns;
}

// The conditions of a query, for the message of a failure.
std::string described(const SpanQuery& query) {
  std::string text =
      " limit " + std::to_string(query.limit) + " range " + std::to_string(query.range.begin) +
      ".." + std::to_string(query.range.end) + " service " + query.service.value_or("-") +
      " name " + query.name.value_or("-") + " kind " + std::to_string(query.kind.value_or(-1)) +
      " status " + std::to_string(query.status.value_or(-1)) + " duration " +
      std::to_string(query.duration_min_ns) + ".." + std::to_string(query.duration_max_ns);
  for (const Predicate& predicate : query.all_of)
    text += "; " + predicate.key + " op " + std::to_string(static_cast<int>(predicate.op)) +
            " type " + std::to_string(predicate.value.index());
  return text;
}

ProtoMessage encoded(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return fakes::otlp_string(*text);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fakes::otlp_int(*integer);
  if (const auto* real = std::get_if<double>(&value)) return ProtoMessage().real(4, *real);
  return ProtoMessage().varint(2, std::get<bool>(value) ? 1 : 0);
}

// Spans of a few services, with few values, so that conditions hold for some of them.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }
  // Promoted columns of both kinds, an unindexed one, and keys of the maps.
  std::string key() {
    const char* keys[] = {
        "http.route", "http.response.status_code", "db.system", "user", "n", "ratio", "flag",
        "prompt"};
    return keys[below(std::size(keys))];
  }
  Value value(const std::string& key) {
    // Now and then of a type that is not the usual one.
    const std::size_t type = below(8);
    if (type == 0) return "v" + std::to_string(below(3));
    if (type == 1) return static_cast<std::int64_t>(below(3));
    if (key == "n" || key == "http.response.status_code")
      return static_cast<std::int64_t>(below(4)) - 1;
    if (key == "ratio") return static_cast<double>(below(4)) / 2;
    if (key == "flag") return below(2) == 0;
    if (key == "prompt") return std::string(1500, 'p') + "\"\n\\" + std::to_string(below(2));
    return "it's \t value \\" + std::to_string(below(3));
  }
  std::map<std::string, Value> attributes() {
    std::map<std::string, Value> result;
    for (std::size_t i = below(5); i > 0; --i) {
      const std::string name = key();
      result.insert_or_assign(name, value(name));
    }
    return result;
  }
  SentSpan span(std::uint64_t number, std::int64_t base) {
    SentSpan span;
    span.trace_id = fakes::otlp_trace_id(1 + number / 3);
    span.span_id = fakes::otlp_span_id(1 + number);
    span.service = "service-" + std::to_string(below(3));
    span.name = "op-" + std::to_string(below(3));
    span.kind = static_cast<int>(below(6));
    span.status = static_cast<int>(below(3));
    // No two spans start at once, so that "newest first" has one answer.
    span.start =
        base + static_cast<std::int64_t>(below(1000)) * kSecond + static_cast<std::int64_t>(number);
    span.duration = below(5) * 1000;
    span.attributes = attributes();
    span.resource = {{"service.name", span.service}, {"zone", "z" + span.service.substr(8)}};
    return span;
  }
  SpanQuery query(std::int64_t base) {
    SpanQuery query;
    query.limit = 1 + below(40);
    if (below(3) == 0) query.range.begin = base + static_cast<std::int64_t>(below(1000)) * kSecond;
    if (below(3) == 0) query.range.end = base + static_cast<std::int64_t>(below(1000)) * kSecond;
    if (below(3) == 0) query.service = "service-" + std::to_string(below(4));
    if (below(4) == 0) query.name = "op-" + std::to_string(below(4));
    if (below(5) == 0) query.kind = static_cast<int>(below(6));
    if (below(5) == 0) query.status = static_cast<int>(below(3));
    if (below(5) == 0) query.duration_min_ns = below(5) * 1000;
    if (below(5) == 0) query.duration_max_ns = below(5) * 1000;
    for (std::size_t i = below(3); i > 0; --i) {
      Predicate predicate;
      predicate.key = key();
      predicate.value = value(predicate.key);
      predicate.op = static_cast<Op>(below(7));
      if (below(5) == 0)
        predicate = {.scope = Scope::kResource,
                     .key = "zone",
                     .op = static_cast<Op>(below(7)),
                     .value = "z" + std::to_string(below(3))};
      query.all_of.push_back(std::move(predicate));
    }
    return query;
  }

 private:
  std::mt19937 random_;
};

std::string request_of(const std::vector<SentSpan>& spans) {
  std::vector<ProtoMessage> resources;
  for (const SentSpan& span : spans) {
    std::vector<ProtoMessage> attributes;
    for (const auto& [key, value] : span.attributes)
      attributes.push_back(fakes::otlp_attribute(key, encoded(value)));
    ProtoMessage message = fakes::otlp_span(span.trace_id, span.span_id, span.name, attributes);
    message.varint(6, static_cast<std::uint64_t>(span.kind));
    message.fixed64(7, static_cast<std::uint64_t>(span.start));
    message.fixed64(8, static_cast<std::uint64_t>(span.start) + span.duration);
    message.message(15, ProtoMessage().varint(3, static_cast<std::uint64_t>(span.status)));
    ProtoMessage owner;
    for (const auto& [key, value] : span.resource)
      owner.message(1, fakes::otlp_attribute(key, encoded(value)));
    ProtoMessage resource;
    resource.message(1, owner).message(2, fakes::otlp_scope("scope", {message}));
    resources.push_back(resource);
  }
  return fakes::otlp_request(resources).encode();
}

class StoreContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string unavailable;
    fixture_ = make_trace_store_fixture(GetParam(), unavailable);
    // Real servers come from registries; without them the memory store is tested alone.
    if (!fixture_) GTEST_SKIP() << unavailable;
  }
  // In three requests, so that rows lie in several parts.
  std::vector<SentSpan> fill(Generator& generator, std::size_t count) {
    std::vector<SentSpan> sent;
    for (int part = 0; part < 3; ++part) {
      std::vector<SentSpan> spans;
      for (std::size_t i = 0; i < count / 3; ++i)
        spans.push_back(generator.span(sent.size() + i, base_));
      fixture_->add("acme", request_of(spans));
      sent.insert(sent.end(), spans.begin(), spans.end());
    }
    fixture_->add("other", request_of({generator.span(1'000'000, base_)}));
    return sent;
  }
  QueryContext context(const std::string& tenant = "acme") {
    QueryContext context;
    context.tenant = tenant;
    context.deadline = Deadline::after(system_clock(), std::chrono::seconds(30));
    return context;
  }
  // The ids of the spans of a stream, in its order.
  static Result<std::vector<std::string>> ids_of(Result<BlockStreamPtr> stream) {
    if (!stream.ok()) return std::move(stream).error();
    std::vector<std::string> ids;
    while (true) {
      SPANWAY_ASSIGN(const auto block, (*stream)->next());
      if (!block) return ids;
      otlp_blocks::SpanReader reader(*block);
      for (std::size_t row = 0; row < reader.rows(); ++row)
        ids.emplace_back(reader.read(row)->span.span_id);
    }
  }
  TraceStore& store() { return fixture_->store(); }

  std::unique_ptr<StoreFixture<TraceStore>> fixture_;
  // Within the TTL of the tables, and on one day.
  const std::int64_t base_ =
      (system_clock().system_now().time_since_epoch().count() / (86'400 * kSecond) - 1) * 86'400 *
          kSecond +
      43'200 * kSecond;
};

TEST_P(StoreContract, RandomQueriesFindWhatANaiveFilterFinds) {
  Generator generator(7);
  std::vector<SentSpan> sent = fill(generator, 600);
  std::sort(sent.begin(), sent.end(),
            [](const SentSpan& a, const SentSpan& b) { return a.start > b.start; });
  std::size_t hits = 0;
  for (int i = 0; i < 150; ++i) {
    const SpanQuery query = generator.query(base_);
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
    hits += spans.empty() ? 0 : 1;

    QueryContext first = context();
    const auto newest = ids_of(store().newest(query, SpanColumns::kNarrow, first));
    ASSERT_TRUE(newest.ok()) << newest.error().message;
    EXPECT_THAT(*newest, ElementsAreArray(spans));

    QueryContext second = context();
    const auto found = store().find(query, second);
    ASSERT_TRUE(found.ok()) << found.error().message;
    ASSERT_THAT(found->applied, SizeIs(query.all_of.size()));
    EXPECT_THAT(found->applied, testing::Each(true)) << "then this test must check the rest";
    std::vector<std::string> ids;
    for (const FoundTrace& trace : found->traces) {
      ids.push_back(trace.trace_id);
      EXPECT_EQ(trace.matched, matched[trace.trace_id]);
    }
    EXPECT_THAT(ids, ElementsAreArray(traces));
    EXPECT_TRUE(second.coverage.complete);
  }
  EXPECT_GT(hits, 40u) << "the queries are too narrow to show anything";
}

TEST_P(StoreContract, ATraceComesBackWholeAndOnlyToItsTenant) {
  Generator generator(11);
  const std::vector<SentSpan> sent = fill(generator, 90);
  const std::string id = sent[10].trace_id;
  std::multiset<std::string> expected;
  for (const SentSpan& span : sent)
    if (span.trace_id == id) expected.insert(span.span_id);
  QueryContext own = context();
  const auto spans = ids_of(store().spans_of(id, std::nullopt, SpanColumns::kAll, own));
  ASSERT_TRUE(spans.ok()) << spans.error().message;
  EXPECT_EQ(std::multiset<std::string>(spans->begin(), spans->end()), expected);
  const TimeRange around{.begin = base_, .end = base_ + 1001 * kSecond};
  QueryContext hinted = context();
  EXPECT_THAT(*ids_of(store().spans_of(id, around, SpanColumns::kAll, hinted)),
              SizeIs(expected.size()));

  QueryContext other = context("other");
  EXPECT_THAT(*ids_of(store().spans_of(id, std::nullopt, SpanColumns::kAll, other)), SizeIs(0));
  // A tenant's name is a value, whatever it holds.
  QueryContext hostile = context("acme' OR tenant != '");
  EXPECT_THAT(*ids_of(store().spans_of(id, std::nullopt, SpanColumns::kAll, hostile)), SizeIs(0));
}

TEST_P(StoreContract, NamesAndResourcesAreThoseThatWereSent) {
  Generator generator(13);
  const std::vector<SentSpan> sent = fill(generator, 90);
  std::set<std::string> services, operations;
  for (const SentSpan& span : sent) {
    services.insert(span.service);
    if (span.service == "service-1") operations.insert(span.name);
  }
  QueryContext one = context();
  EXPECT_THAT(*store().services({}, one), ElementsAreArray(services));
  EXPECT_THAT(*store().operations("service-1", {}, one), ElementsAreArray(operations));
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
  Generator generator(17);
  fill(generator, 90);
  QueryContext cancelled = context();
  cancelled.cancel.cancel();
  EXPECT_FALSE(ids_of(store().newest({}, SpanColumns::kAll, cancelled)).ok());
  QueryContext small = context();
  small.budget.memory_max = 1;
  EXPECT_EQ(store().services({}, small).ok(), GetParam() == "memory");
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::Values("memory", "clickhouse", "s3"),
                         [](const auto& store) { return store.param; });

}  // namespace
}  // namespace spanway::query
