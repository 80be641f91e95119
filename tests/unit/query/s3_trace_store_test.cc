#include "services/query/store/s3/s3_trace_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "services/lib/otlp_blocks/resource_reader.h"
#include "services/lib/sinks/s3/compact.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/memory_object_store.h"
#include "tests/fakes/otlp_builder.h"
#include "tests/fakes/stored_spans.h"

namespace spanway::query {
namespace {

using testing::HasSubstr;

constexpr int kBatches = 5;
constexpr std::uint64_t kSpansOfBatch = 20;

// Counts requests, of one query or of all, on their way to the bucket.
class CountingStore final : public objectstore::ObjectStore {
 public:
  struct Counts {
    int lists = 0;
    int gets = 0;
    int reads = 0;
    std::uint64_t bytes = 0;
  };
  CountingStore(objectstore::ObjectStore& inner, Counts& counts) : inner_(inner), counts_(counts) {}
  Result<objectstore::Listing> list(const std::string& prefix, bool by_folder) override {
    ++counts_.lists;
    return inner_.list(prefix, by_folder);
  }
  Result<objectstore::Object> get(const std::string& key) override {
    ++counts_.gets;
    return inner_.get(key);
  }
  Result<Bytes> read(const std::string& key, objectstore::ByteRange range) override {
    ++counts_.reads;
    counts_.bytes += range.length;
    return inner_.read(key, range);
  }
  Result<std::string> put(objectstore::PutRequest request) override {
    return inner_.put(std::move(request));
  }
  Status remove(const std::string& key) override { return inner_.remove(key); }

 private:
  objectstore::ObjectStore& inner_;
  Counts& counts_;
};

class S3TraceStoreTest : public testing::Test {
 protected:
  S3TraceStoreTest() {
    for (int number = 0; number < kBatches; ++number) write(number);
    clock_.advance(std::chrono::hours(3));
  }
  // The object of one batch: span i of it belongs to trace i.
  void write(int number) {
    std::vector<fakes::ProtoMessage> spans;
    for (std::uint64_t i = 1; i <= kSpansOfBatch; ++i)
      spans.push_back(fakes::otlp_span(i, static_cast<std::uint64_t>(number) * 100 + i, "GET /",
                                       {fakes::otlp_attribute("batch", std::to_string(number))}));
    SPANWAY_CHECK(fakes::put_spans(bucket_, "p", "acme", fakes::otlp_request_of(spans)).ok());
  }
  Result<sinks::CompactReport> compact() {
    sinks::CompactOptions options;
    options.prefix = "p";
    options.rows_max = 45;
    return sinks::Compactor(bucket_, clock_, parquet_file::arrow_codec(), options).run();
  }
  S3TraceStore store() {
    return S3TraceStore({.open =
                             [this](Deadline, std::stop_token) {
                               return std::make_unique<CountingStore>(bucket_, counts_);
                             },
                         .codec = parquet_file::arrow_codec(),
                         .prefix = "p",
                         .endpoint = "http://s3/traces"},
                        budget_, clock_, {.cache_bytes = 1u << 20, .threads = 1});
  }
  static QueryContext context() {
    QueryContext context;
    context.tenant = "acme";
    return context;
  }
  // "5 of trace 7, 100 in all" where each of them comes once.
  std::string seen() {
    S3TraceStore fresh = store();
    std::map<std::string, int> of_trace, of_all;
    for (const bool is_trace : {true, false}) {
      QueryContext query = context();
      SpanQuery all;
      all.limit = 1000;
      auto stream =
          is_trace ? fresh.spans_of(fakes::otlp_trace_id(7), std::nullopt, SpanColumns::kAll, query)
                   : fresh.newest(all, SpanColumns::kNarrow, query);
      while (true) {
        if (!stream.ok()) return stream.error().message;
        auto block = (*stream)->next();
        if (!block.ok()) return block.error().message;
        if (!*block) break;
        otlp_blocks::SpanReader reader(**block);
        for (std::size_t row = 0; row < reader.rows(); ++row)
          ++(is_trace ? of_trace : of_all)[std::string(reader.read(row)->span.span_id)];
      }
    }
    for (const auto* spans : {&of_trace, &of_all})
      for (const auto& [span, count] : *spans)
        if (count != 1) return "a span " + std::to_string(count) + " times";
    return std::to_string(of_trace.size()) + " of trace 7, " + std::to_string(of_all.size()) +
           " in all";
  }

  static constexpr const char* kAllOnce = "5 of trace 7, 100 in all";
  fakes::ManualClock clock_;
  fakes::MemoryObjectStore bucket_{clock_};
  CountingStore::Counts counts_;
  MemoryBudget budget_{64u << 20};
};

// The process of a compaction is killed before, or after, the n-th change of the bucket, for every
// n.
TEST_F(S3TraceStoreTest, EverySpanComesOnceWhereverACompactionHasEnded) {
  ASSERT_EQ(seen(), kAllOnce);
  for (const bool is_after : {false, true}) {
    bool was_killed = true;
    for (int change = 1; was_killed; ++change) {
      SCOPED_TRACE((is_after ? "after change " : "before change ") + std::to_string(change));
      bucket_.clear();
      for (int number = 0; number < kBatches; ++number) write(number);
      int changes = 0;
      was_killed = false;
      (is_after ? bucket_.after_change : bucket_.before_change) = [&](const std::string&,
                                                                      const std::string&) {
        was_killed = was_killed || ++changes == change;
        return changes != change;
      };
      for (int run = 0; run < 2; ++run) {
        (void)compact().ok();
        bucket_.live_again();
        EXPECT_EQ(seen(), kAllOnce);
        clock_.advance(std::chrono::minutes(61));
      }
      bucket_.before_change = bucket_.after_change = nullptr;
      ASSERT_TRUE(compact().ok());
      EXPECT_EQ(seen(), kAllOnce);
    }
  }
}

TEST_F(S3TraceStoreTest, AFileWithoutTheTraceIsOpenedOnceAndItsRowsAreNotRead) {
  S3TraceStore fresh = store();
  for (int i = 0; i < 2; ++i) {
    QueryContext query = context();
    auto stream = fresh.spans_of(fakes::otlp_trace_id(999), std::nullopt, SpanColumns::kAll, query);
    ASSERT_TRUE(stream.ok());
    const auto block = (*stream)->next();
    ASSERT_TRUE(block.ok()) << block.error().message;
    EXPECT_FALSE(block->has_value());
    EXPECT_EQ(query.cost.rows_read, 0u);
  }
  EXPECT_EQ(counts_.reads, kBatches) << "small files come in one piece, and stay in the cache";
}

TEST_F(S3TraceStoreTest, ARangeReadsTheObjectsOfItsTimeOnly) {
  QueryContext query = context();
  S3TraceStore fresh = store();
  const auto names = fresh.services({.begin = 0, .end = 1}, query);
  ASSERT_TRUE(names.ok());
  EXPECT_TRUE(names->empty());
  EXPECT_EQ(counts_.reads, 0);
  EXPECT_EQ(counts_.lists, 1) << "the days";
}

TEST_F(S3TraceStoreTest, ResourcesComeBackAlsoWhenTheCacheHasLostThem) {
  QueryContext query = context();
  S3TraceStore first = store();
  auto stream = first.spans_of(fakes::otlp_trace_id(7), std::nullopt, SpanColumns::kAll, query);
  const auto block = (*stream)->next().value();
  const std::uint64_t id = otlp_blocks::SpanReader(*block).resource_id(0);
  // One that has read the spans, and one that has not.
  S3TraceStore second = store();
  for (S3TraceStore* from : {&first, &second}) {
    const int before = counts_.reads;
    auto rows = from->resources_of({&id, 1}, query);
    ASSERT_TRUE(rows.ok()) << rows.error().message;
    EXPECT_EQ(counts_.reads == before, from == &first);
    otlp_blocks::ResourceReader reader;
    ASSERT_TRUE(reader.add(std::move(*rows)).ok());
    const otlp::ResourceView* resource = reader.find(id);
    ASSERT_NE(resource, nullptr);
    const auto* name = otlp::find_attribute(resource->attributes, "service.name");
    ASSERT_NE(name, nullptr);
    EXPECT_EQ(name->value.text, "shop");
  }
}

TEST_F(S3TraceStoreTest, FiguresAreCountedAgainAfterAMinuteAndTheBucketIsProbedEachTime) {
  S3TraceStore fresh = store();
  QueryContext query = context();
  EXPECT_EQ(fresh.status(query)->spans, kBatches * kSpansOfBatch);
  write(kBatches);
  const int lists = counts_.lists;
  EXPECT_EQ(fresh.status(query)->spans, kBatches * kSpansOfBatch);
  EXPECT_EQ(counts_.lists, lists + 1);
  clock_.advance(std::chrono::seconds(61));
  EXPECT_EQ(fresh.status(query)->spans, (kBatches + 1) * kSpansOfBatch);
}

TEST_F(S3TraceStoreTest, AnObjectThatIsNoParquetFileIsAnErrorAndNeverAPartOfAnAnswer) {
  const std::string key =
      "p/v1/traces/tenant=acme/date=2026-01-01/hour=00/1767225600000-1767225600000-3-x.parquet";
  ASSERT_TRUE(bucket_.put({.key = key, .body = Bytes("no Parquet file")}).ok());
  S3TraceStore fresh = store();
  QueryContext query = context();
  const auto found = fresh.find({}, query);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kInternal) << "not the client's mistake";
  EXPECT_THAT(found.error().message, HasSubstr(key));
}

TEST_F(S3TraceStoreTest, ABudgetOfRowsAndMemoryIsNotPassed) {
  S3TraceStore fresh = store();
  QueryContext rows = context();
  rows.budget.rows_max = 30;
  const auto too_many = fresh.find({}, rows);
  ASSERT_FALSE(too_many.ok());
  EXPECT_EQ(too_many.error().code, Code::kResourceExhausted);
  EXPECT_THAT(too_many.error().message, HasSubstr("narrow it by time"));
  QueryContext memory = context();
  memory.budget.memory_max = 1u << 20;
  EXPECT_EQ(fresh.find({}, memory).error().code, Code::kResourceExhausted);
  EXPECT_EQ(memory.budget.reading.bytes(), 0u) << "given back";
}

}  // namespace
}  // namespace spanway::query
