// The contract of LogStore, on every store: random records and random queries against a naive
// filter over what was sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "services/lib/block/text_view.h"
#include "services/query/store/clickhouse/clickhouse_log_store.h"
#include "services/query/store/memory/memory_log_store.h"
#include "tests/contract/store_contract/store_fixtures.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

using clickhouse::ClickHouseServer;
using fakes::ProtoMessage;
using testing::ElementsAreArray;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kBucket = 300 * kSecond;

// A record as it was sent; the naive filter sees nothing else.
struct SentLog {
  std::map<std::string, std::string> labels;  // By the name of the label.
  std::int64_t time = 0;
  std::string body;
  bool is_text = true;  // Else the body is an array with this text.
};

// By another regex engine than the stores have.
bool naive_regex(const std::string& text, const std::string& pattern, bool is_whole) {
  const std::regex regex(pattern);
  return is_whole ? std::regex_match(text, regex) : std::regex_search(text, regex);
}

bool naive_match(MatchOp op, bool is_equal, bool is_regex_match) {
  switch (op) {
    case MatchOp::kEqual:
      return is_equal;
    case MatchOp::kNotEqual:
      return !is_equal;
    case MatchOp::kRegex:
      return is_regex_match;
    case MatchOp::kNotRegex:
      return !is_regex_match;
  }
  return false;
}

bool is_regex(MatchOp op) { return op == MatchOp::kRegex || op == MatchOp::kNotRegex; }

bool naive_labels(const std::vector<LabelMatcher>& matchers, const SentLog& log) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const LabelMatcher& matcher) {
    const auto found = log.labels.find(matcher.label);
    const std::string value = found == log.labels.end() ? "" : found->second;
    return naive_match(matcher.op, value == matcher.value,
                       is_regex(matcher.op) && naive_regex(value, matcher.value, true));
  });
}

bool naive_lines(const LogSelect& query, const SentLog& log) {
  return !log.is_text ||
         std::all_of(query.lines.begin(), query.lines.end(), [&](const LineFilter& filter) {
           return naive_match(filter.op, log.body.find(filter.text) != std::string::npos,
                              is_regex(filter.op) && naive_regex(log.body, filter.text, false));
         });
}

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return random_() % n; }

  SentLog log(std::uint64_t number, std::int64_t base) {
    SentLog log;
    log.labels["service_name"] = "service-" + std::to_string(below(3));
    if (below(2) == 0) log.labels["k8s_namespace_name"] = "it's \t \\" + std::to_string(below(2));
    if (below(3) == 0) log.labels["cloud_region"] = "eu-" + std::to_string(below(2));
    // No two records at one time, so that an order has one answer.
    log.time =
        base + static_cast<std::int64_t>(below(1000)) * kSecond + static_cast<std::int64_t>(number);
    const char* words[] = {"Disk full", "GET /cart 200", "a 'quote' \\ \t tab", "retry 3 of 5"};
    log.body = words[below(4)] + std::string(" ") + std::to_string(below(20));
    log.is_text = below(10) > 0;
    if (!log.is_text) log.body = "[true]";
    return log;
  }
  LabelMatcher matcher() {
    const auto op = static_cast<MatchOp>(below(4));
    switch (below(4)) {
      case 0:
        return {"service_name", op, is_regex(op) ? "service-[01]" : "service-1"};
      case 1:
        return {"k8s_namespace_name", op, is_regex(op) ? "it.*1|" : "it's \t \\0"};
      case 2:
        return {"cloud_region", op, is_regex(op) ? "eu-." : ""};
      default:
        return {"no_such_label", op, is_regex(op) ? ".*" : ""};
    }
  }
  LineFilter line() {
    const auto op = static_cast<MatchOp>(below(4));
    const char* texts[] = {"Disk", "'quote' \\ \t", "1"};
    const char* patterns[] = {"GET /[a-z]+ 200", "[0-9] of", "^Disk full 1.$"};
    return {op, is_regex(op) ? patterns[below(3)] : texts[below(3)]};
  }
  LogSelect query(std::int64_t base) {
    LogSelect query;
    query.limit = 1 + below(60);
    query.is_newest_first = below(2) == 0;
    if (below(3) == 0) query.range.begin = base + static_cast<std::int64_t>(below(1000)) * kSecond;
    if (below(3) == 0) query.range.end = base + static_cast<std::int64_t>(below(1000)) * kSecond;
    for (std::size_t i = below(3); i > 0; --i) query.matchers.push_back(matcher());
    for (std::size_t i = below(3); i > 0; --i) query.lines.push_back(line());
    return query;
  }

 private:
  std::mt19937 random_;
};

std::string request_of(const std::vector<SentLog>& logs) {
  std::vector<ProtoMessage> resources;
  for (const SentLog& log : logs) {
    ProtoMessage owner;
    for (const auto& [label, value] : log.labels) {
      std::string key = label;
      std::replace(key.begin(), key.end(), '_', '.');
      owner.message(1, fakes::otlp_attribute(key, value));
    }
    ProtoMessage record = fakes::otlp_log_record(log.is_text ? log.body : "");
    // The last one of two bodies counts.
    if (!log.is_text) record.message(5, fakes::otlp_array({ProtoMessage().varint(2, 1)}));
    record.fixed64(1, static_cast<std::uint64_t>(log.time));
    ProtoMessage resource;
    resource.message(1, owner).message(2, fakes::otlp_scope("scope", {record}));
    resources.push_back(resource);
  }
  return fakes::otlp_request(resources).encode();
}

class LogStoreContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "memory") {
      fixture_ = std::make_unique<MemoryFixture<LogStore, MemoryLogStore>>();
      return;
    }
    // The server comes from a registry; without it the memory store is tested alone.
    if (ClickHouseServer::shared() == nullptr)
      GTEST_SKIP() << "tests/parts/clickhouse.sh get: " << ClickHouseServer::unavailable();
    fixture_ =
        std::make_unique<ClickHouseFixture<LogStore, ClickHouseLogStore, otlp::Signal::kLogs>>(
            "log_store_contract");
  }
  // In three requests, so that rows lie in several parts and streams in several rows.
  std::vector<SentLog> fill(Generator& generator, std::size_t count) {
    std::vector<SentLog> sent;
    for (int part = 0; part < 3; ++part) {
      std::vector<SentLog> logs;
      for (std::size_t i = 0; i < count / 3; ++i)
        logs.push_back(generator.log(sent.size() + i, base_));
      fixture_->add("acme", request_of(logs));
      sent.insert(sent.end(), logs.begin(), logs.end());
    }
    fixture_->add("other", request_of({generator.log(1'000'000, base_)}));
    return sent;
  }
  static QueryContext context(const std::string& tenant = "acme") {
    QueryContext context;
    context.tenant = tenant;
    context.deadline = Deadline::after(system_clock(), std::chrono::seconds(30));
    return context;
  }
  // "time body" of each record, in the order of the stream.
  static Result<std::vector<std::string>> lines_of(Result<BlockStreamPtr> stream) {
    if (!stream.ok()) return std::move(stream).error();
    std::vector<std::string> lines;
    while (true) {
      SPANWAY_ASSIGN(const auto block, (*stream)->next());
      if (!block) return lines;
      const auto bodies = *block::TextView::of(*block->find("body"));
      const auto& times = static_cast<const block::FixedColumn&>(*block->find("ts"));
      for (std::size_t row = 0; row < block->rows(); ++row)
        lines.push_back(std::to_string(times.values<std::int64_t>()[row]) + " " +
                        std::string(*bodies.at(row)));
    }
  }
  LogStore& store() { return fixture_->store(); }

  std::unique_ptr<StoreFixture<LogStore>> fixture_;
  // Within the TTL of the tables, and on one day.
  const std::int64_t base_ =
      (system_clock().system_now().time_since_epoch().count() / (86'400 * kSecond) - 1) * 86'400 *
          kSecond +
      43'200 * kSecond;
};

TEST_P(LogStoreContract, RandomQueriesFindWhatANaiveFilterFinds) {
  Generator generator(5);
  std::vector<SentLog> sent = fill(generator, 600);
  std::size_t hits = 0;
  for (int i = 0; i < 120; ++i) {
    const LogSelect query = generator.query(base_);
    SCOPED_TRACE("query " + std::to_string(i));
    std::sort(sent.begin(), sent.end(), [&](const SentLog& a, const SentLog& b) {
      return query.is_newest_first ? a.time > b.time : a.time < b.time;
    });
    std::vector<std::string> expected;
    for (const SentLog& log : sent)
      if (query.range.contains(log.time) && naive_labels(query.matchers, log) &&
          naive_lines(query, log) && expected.size() < query.limit)
        expected.push_back(std::to_string(log.time) + " " + log.body);
    hits += expected.empty() ? 0 : 1;
    QueryContext own = context();
    const auto lines = lines_of(store().select(query, own));
    ASSERT_TRUE(lines.ok()) << lines.error().message;
    EXPECT_THAT(*lines, ElementsAreArray(expected));
    EXPECT_TRUE(own.coverage.complete);
  }
  EXPECT_GT(hits, 40u) << "the queries are too narrow to show anything";
}

TEST_P(LogStoreContract, StreamsAndTheirVolumeAreThoseThatWereSent) {
  Generator generator(6);
  const std::vector<SentLog> sent = fill(generator, 300);
  for (int i = 0; i < 40; ++i) {
    SCOPED_TRACE("query " + std::to_string(i));
    std::vector<LabelMatcher> matchers;
    for (std::size_t n = generator.below(3); n > 0; --n) matchers.push_back(generator.matcher());
    TimeRange range;
    if (i % 2 == 0) range = {.begin = base_ + 200 * kSecond, .end = base_ + 700 * kSecond};
    const TimeRange buckets = i % 2 != 0 ? range
                                         : TimeRange{.begin = range.begin / kBucket * kBucket,
                                                     .end = (range.end / kBucket + 1) * kBucket};
    std::set<Labels> labels;
    std::map<Labels, std::pair<std::uint64_t, std::uint64_t>> volume;
    for (const SentLog& log : sent) {
      if (!naive_labels(matchers, log)) continue;
      const Labels own(log.labels.begin(), log.labels.end());
      labels.insert(own);  // All are of one day.
      if (!buckets.contains(log.time)) continue;
      ++volume[own].first;
      volume[own].second += log.body.size();
    }
    QueryContext one = context();
    const auto streams = store().streams(matchers, range, one);
    ASSERT_TRUE(streams.ok()) << streams.error().message;
    std::set<Labels> found;
    std::map<std::uint64_t, Labels> by_id;
    for (const LogStream& stream : *streams) {
      EXPECT_TRUE(found.insert(stream.labels).second) << "a stream comes once";
      by_id[stream.id] = stream.labels;
    }
    EXPECT_EQ(found, labels);
    const auto volumes = store().volume(matchers, range, one);
    ASSERT_TRUE(volumes.ok()) << volumes.error().message;
    std::map<Labels, std::pair<std::uint64_t, std::uint64_t>> counted;
    for (const LogVolume& stream : *volumes)
      counted[by_id.at(stream.stream_id)] = {stream.lines, stream.bytes};
    EXPECT_EQ(counted, volume);
  }
}

TEST_P(LogStoreContract, ResourcesComeOnceEachAndOnlyThoseOfTheTenant) {
  Generator generator(7);
  fill(generator, 30);
  LogSelect all;
  all.limit = 1000;
  QueryContext own = context();
  std::set<std::uint64_t> ids;
  const auto stream = store().select(all, own);
  ASSERT_TRUE(stream.ok());
  for (auto block = (*stream)->next(); block.ok() && *block; block = (*stream)->next()) {
    const auto& column = static_cast<const block::FixedColumn&>(*(*block)->find("res_id"));
    for (const std::uint64_t id : column.values<std::uint64_t>()) ids.insert(id);
  }
  ASSERT_FALSE(ids.empty());
  std::vector<std::uint64_t> requested(ids.begin(), ids.end());
  requested.push_back(1);  // No resource has it.
  const auto rows = store().resources_of(requested, own);
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  EXPECT_EQ(rows->rows(), ids.size());
  QueryContext foreign = context("stranger");
  EXPECT_EQ(store().resources_of(requested, foreign)->rows(), 0u);
}

TEST_P(LogStoreContract, ATenantSeesItsOwnRecordsOnly) {
  Generator generator(8);
  fill(generator, 30);
  LogSelect all;
  all.limit = 1000;
  for (const auto& [tenant, count] :
       {std::pair("acme", 30u), std::pair("other", 1u), std::pair("acme' OR tenant != '", 0u)}) {
    QueryContext own = context(tenant);
    EXPECT_EQ(lines_of(store().select(all, own))->size(), count) << tenant;
    EXPECT_EQ(store().streams({}, {}, own)->empty(), count == 0) << tenant;
    EXPECT_EQ(store().volume({}, {}, own)->empty(), count == 0) << tenant;
  }
}

TEST_P(LogStoreContract, ABadRegexACancelledQueryAndTooManyConditionsFail) {
  Generator generator(9);
  fill(generator, 30);
  QueryContext one = context();
  const std::vector<LabelMatcher> broken = {{"service_name", MatchOp::kRegex, "a("}};
  for (const Status& status :
       {Status(store().streams(broken, {}, one).error()),
        Status(store().volume(broken, {}, one).error()),
        Status(store().select({.matchers = broken}, one).error()),
        Status(store().select({.lines = {{MatchOp::kNotRegex, "a("}}}, one).error()),
        Status(store().select({.lines = std::vector<LineFilter>(9)}, one).error())}) {
    EXPECT_EQ(status.error().code, Code::kInvalidArgument);
    EXPECT_EQ(status.error().refusal, Refusal::kData);
  }
  QueryContext cancelled = context();
  cancelled.cancel.cancel();
  EXPECT_FALSE(lines_of(store().select({}, cancelled)).ok());
}

INSTANTIATE_TEST_SUITE_P(Stores, LogStoreContract, testing::Values("memory", "clickhouse"),
                         [](const auto& store) { return store.param; });

}  // namespace
}  // namespace spanway::query
