// Stored records as Loki's entries, and how they are read.
#include "services/query/log_source/store_entry_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "services/query/log_source/detected_level.h"
#include "services/query/store/memory/memory_log_store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::query {
namespace {

using fakes::otlp_attribute;
using fakes::ProtoMessage;
using testing::ElementsAre;
using testing::Pair;

constexpr std::uint64_t kTime = 1'767'225'600'000'000'000;

class StoreEntrySourceTest : public testing::Test {
 protected:
  StoreEntrySourceTest() { context_.tenant = "acme"; }
  void add(const std::string& payload) { ASSERT_TRUE(store_.add("acme", payload).ok()); }
  void add_lines(const std::vector<std::pair<std::uint64_t, std::string>>& lines) {
    std::vector<ProtoMessage> records;
    for (const auto& [offset, line] : lines)
      records.push_back(fakes::otlp_log_record(line).fixed64(1, kTime + offset));
    add(fakes::otlp_request_of(records));
  }
  std::vector<logql::Entry> read(const logql::EntrySelect& query,
                                 StoreEntrySourceOptions options = {}) {
    StoreEntrySource source(store_, context_, clock_, options);
    auto stream = source.select(query);
    EXPECT_TRUE(stream.ok());
    std::vector<logql::Entry> entries;
    while (stream.ok()) {
      auto entry = (*stream)->next();
      EXPECT_TRUE(entry.ok()) << entry.error().message;
      if (!entry.ok() || !*entry) break;
      entries.push_back(std::move(**entry));
    }
    return entries;
  }
  static logql::EntrySelect all(std::size_t expected = 0) {
    logql::EntrySelect query;
    query.range = {static_cast<std::int64_t>(kTime), static_cast<std::int64_t>(kTime) + 1'000'000};
    query.expected = expected;
    return query;
  }
  static std::vector<std::string> lines(const std::vector<logql::Entry>& entries) {
    std::vector<std::string> result;
    for (const logql::Entry& entry : entries) result.push_back(entry.line);
    return result;
  }

  MemoryLogStore store_;
  QueryContext context_;
  fakes::ManualClock clock_;
};

TEST_F(StoreEntrySourceTest, MetadataIsWhatLokiMakesOfTheRecord) {
  ProtoMessage record = fakes::otlp_log_record(
      "disk full", fakes::otlp_trace_id(1), fakes::otlp_span_id(2),
      {otlp_attribute("user.id", "u1"), otlp_attribute("count", fakes::otlp_int(3)),
       otlp_attribute("http", fakes::otlp_kvlist({otlp_attribute("status", fakes::otlp_int(200))})),
       otlp_attribute("list", fakes::otlp_array({fakes::otlp_string("a")}))});
  record.fixed64(11, kTime + 5);
  ProtoMessage owner;
  owner.message(1, otlp_attribute("service.name", "shop"));
  owner.message(1, otlp_attribute("k8s.pod.name", "p1"));
  owner.message(1, otlp_attribute("host.name", "h1"));
  ProtoMessage resource;
  resource.message(1, owner).message(2, fakes::otlp_scope("lib", {record}));
  add(fakes::otlp_request({resource}).encode());
  const auto entries = read(all());
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].line, "disk full");
  EXPECT_EQ(entries[0].time, static_cast<std::int64_t>(kTime));
  EXPECT_THAT(*entries[0].stream,
              ElementsAre(Pair("k8s_pod_name", "p1"), Pair("service_name", "shop")));
  EXPECT_THAT(
      entries[0].metadata,
      ElementsAre(Pair("count", "3"), Pair("detected_level", "info"), Pair("host_name", "h1"),
                  Pair("http_status", "200"), Pair("list", "[\"a\"]"),
                  Pair("observed_timestamp", std::to_string(kTime + 5)), Pair("scope_name", "lib"),
                  Pair("scope_version", "1.0"), Pair("severity_number", "9"),
                  Pair("severity_text", "INFO"), Pair("span_id", "0000000000000002"),
                  Pair("trace_id", "00000000000000000000000000000001"), Pair("user_id", "u1")));
}

TEST_F(StoreEntrySourceTest, PagesReadEveryRecordOnceAlsoAtTheirBorders) {
  std::vector<std::pair<std::uint64_t, std::string>> records;
  // Several records at one time, so that pages end within them.
  for (std::uint64_t i = 0; i < 60; ++i) records.emplace_back(i / 7, std::to_string(i));
  add_lines(records);
  for (const bool newest_first : {true, false}) {
    logql::EntrySelect query = all(1);
    query.is_newest_first = newest_first;
    const auto entries = read(query, {.page_rows_min = 3, .page_rows_max = 5});
    auto found = lines(entries);
    EXPECT_EQ(found.size(), 60u);
    EXPECT_TRUE(std::is_sorted(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
      return newest_first ? a.time > b.time : a.time < b.time;
    }));
    std::sort(found.begin(), found.end());
    EXPECT_EQ(std::unique(found.begin(), found.end()), found.end()) << "no record twice";
  }
}

TEST_F(StoreEntrySourceTest, AMetricReadsWindowsInTheOrderOfTime) {
  std::vector<std::pair<std::uint64_t, std::string>> records;
  std::vector<std::string> expected;
  for (std::uint64_t i = 0; i < 50; ++i) {
    records.emplace_back(i * 1'000'000'000, std::to_string(i));
    expected.push_back(std::to_string(i));
  }
  add_lines(records);
  logql::EntrySelect query = all();
  query.range.end += 60'000'000'000;
  const std::uint64_t statements = context_.cost.statements;
  EXPECT_EQ(lines(read(query, {.window_bytes = 10})), expected);
  EXPECT_GT(context_.cost.statements, statements + 5) << "several windows";
}

TEST_F(StoreEntrySourceTest, ABodyThatIsNoTextPassesTheStoreAndIsALine) {
  ProtoMessage record;
  record.fixed64(1, kTime);
  record.message(
      5, fakes::otlp_kvlist({otlp_attribute("b", fakes::otlp_int(2)), otlp_attribute("a", "x")}));
  add(fakes::otlp_request_of({record}));
  logql::EntrySelect query = all();
  query.lines = {{MatchOp::kEqual, "nowhere"}};
  EXPECT_THAT(lines(read(query)), ElementsAre("{\"a\":\"x\",\"b\":2}"));
}

TEST_F(StoreEntrySourceTest, CancelAndDeadlineEndAQuery) {
  add_lines({{0, "x"}});
  context_.deadline = Deadline::at(clock_.now());
  StoreEntrySource late(store_, context_, clock_);
  EXPECT_EQ((*late.select(all()))->next().error().code, Code::kDeadlineExceeded);
  context_.deadline = Deadline::never();
  auto stream = late.select(all());
  context_.cancel.cancel();
  EXPECT_EQ((*stream)->next().error().code, Code::kCancelled);
}

TEST_F(StoreEntrySourceTest, TheBudgetBoundsRowsAndEngineTogether) {
  add_lines({{0, std::string(10'000, 'x')}});
  context_.budget.memory_max = 100'000;
  StoreEntrySource source(store_, context_, clock_);
  auto stream = source.select(all());
  ASSERT_TRUE((*stream)->next().ok());
  EXPECT_EQ(source.hold(95'000).error().code, Code::kResourceExhausted);
}

TEST(DetectedLevel, IsTheFirstThatIsNamed) {
  const auto level = [](const std::string& line, const Labels& metadata = {}) {
    return detected_level({}, metadata, line);
  };
  EXPECT_EQ(level("x", {{"level", "WARNING"}}), "warn");
  EXPECT_EQ(level("x", {{"severity", "odd"}}), "odd");
  EXPECT_EQ(level("error", {{"severity_number", "9"}}), "info");
  EXPECT_EQ(level("x", {{"severity_number", "24"}}), "fatal");
  EXPECT_EQ(level(R"({"a":{"level":"err"}})"), "error");
  EXPECT_EQ(level(R"({"a":{"b":{"level":"trc"}}})"), "unknown");
  EXPECT_EQ(level("lvl=dbg msg=\"an error\""), "debug");
  EXPECT_EQ(level("an error, no info"), "error");
  EXPECT_EQ(level("[WARN] misc:error"), "warn");
  EXPECT_EQ(level("errors terrors"), "unknown");
}

}  // namespace
}  // namespace spanway::query
