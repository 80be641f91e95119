#include "services/lib/sinks/s3/compact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/lib/block/text_view.h"
#include "services/lib/objectstore/object_key.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/parquet_file/arrow/arrow_codec.h"
#include "services/lib/sinks/s3/row_context.h"
#include "services/lib/sinks/s3/stored_object.h"
#include "services/lib/sinks/s3/stored_part_objects.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/memory_object_store.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::sinks {
namespace {

using objectstore::HourObjects;
using testing::HasSubstr;
using testing::SizeIs;

constexpr int kBatches = 5;
constexpr std::uint64_t kSpansOfBatch = 20;

class CompactTest : public testing::Test {
 protected:
  CompactTest() {
    for (int number = 0; number < kBatches; ++number) write(number);
    clock_.advance(std::chrono::hours(3));
  }

  // The object of one batch, as the sink writes it; again and again the same.
  void write(int number) {
    std::vector<fakes::ProtoMessage> spans;
    for (std::uint64_t i = 1; i <= kSpansOfBatch; ++i)
      spans.push_back(fakes::otlp_span(i, static_cast<std::uint64_t>(number) * 100 + i, "GET /",
                                       {fakes::otlp_attribute("batch", std::to_string(number))}));
    write("t:0:" + std::to_string(number), otlp::Signal::kTraces, fakes::otlp_request_of(spans));
  }
  void write(const std::string& batch, otlp::Signal signal, const std::string& request,
             const std::string& tenant = "acme") {
    otlp_blocks::Converter converter;
    auto blocks = converter.convert(signal, request, {.tenant = tenant});
    SPANWAY_CHECK(blocks.ok());
    Permit permit;
    auto objects = encode_objects(parquet_file::arrow_codec(), std::move(blocks).value(),
                                  {.prefix = "p", .tenant = tenant, .batch = batch}, permit);
    SPANWAY_CHECK(objects.ok());
    for (StoredObject& object : *objects)
      SPANWAY_CHECK(store_.put({.key = object.key, .body = std::move(object.body)}).ok());
  }
  Result<CompactReport> compact(CompactOptions options = {}) {
    options.prefix = "p";
    return Compactor(store_, clock_, parquet_file::arrow_codec(), std::move(options)).run();
  }
  HourObjects hour(const std::string& folder = kFolder) {
    auto hour = objectstore::read_hour(store_, folder);
    EXPECT_TRUE(hour.ok());
    return hour.ok() ? std::move(hour).value() : HourObjects();
  }
  // How often a reader sees each span: all once is right.
  std::string seen() { return seen(kFolder, "span_id", "FixedString(8)"); }
  std::string seen(const std::string& folder, const char* column, const char* type) {
    std::map<std::string, int> items;
    const std::vector<block::Field> id = {{column, block::parse_type(type).value()}};
    for (const objectstore::LiveObject& object : hour(folder).live) {
      auto file = parquet_file::arrow_codec().open(
          objectstore::object_source(store_, object.key, object.bytes));
      if (!file.ok()) return object.key + ": " + file.error().message;
      if ((*file)->rows() != object.rows) return object.key + ": rows";
      for (std::size_t group = 0; group < (*file)->row_groups(); ++group) {
        const auto rows = (*file)->read(group, id);
        if (!rows.ok()) return rows.error().message;
        const auto& values = static_cast<const block::FixedColumn&>(rows->column(0));
        for (std::size_t row = 0; row < rows->rows(); ++row)
          ++items[std::string(values.text_at(row))];
      }
    }
    for (const auto& [item, count] : items)
      if (count != 1) return "an item " + std::to_string(count) + " times";
    return std::to_string(items.size()) + " once";
  }

  // The memory of the rows of one object, once they are read.
  std::size_t memory_of_one() {
    const auto live = hour().live;
    auto file = parquet_file::arrow_codec().open(
        objectstore::object_source(store_, live[0].key, live[0].bytes));
    SPANWAY_CHECK(file.ok());
    block::Block rows(object_fields(objectstore::StoredTable::kSpans));
    SPANWAY_CHECK((*file)->read_into(0, rows).ok());
    return rows.memory_bytes();
  }

  static constexpr const char* kFolder = "p/v1/traces/tenant=acme/date=2026-01-01/hour=00/";
  static constexpr const char* kAllOnce = "100 once";
  fakes::ManualClock clock_;
  fakes::MemoryObjectStore store_{clock_};
};

TEST_F(CompactTest, JoinsThePastHourToOneObject) {
  const auto report = compact();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->inputs, 5u);
  EXPECT_EQ(report->outputs, 1u);
  EXPECT_EQ(report->rows, 100u);
  const HourObjects after = hour();
  ASSERT_THAT(after.live, SizeIs(1));
  EXPECT_EQ(after.live[0].rows, 100u);
  EXPECT_THAT(after.live[0].key, HasSubstr("/c-"));
  EXPECT_EQ(seen(), kAllOnce);
  EXPECT_EQ(compact()->outputs, 0u);
}

TEST_F(CompactTest, KeepsEveryColumnOfEveryRow) {
  ASSERT_TRUE(compact().ok());
  const auto live = hour().live;
  auto file = parquet_file::arrow_codec().open(
      objectstore::object_source(store_, live[0].key, live[0].bytes));
  ASSERT_TRUE(file.ok());
  const std::vector<block::Field> fields = {
      {"trace_id", block::parse_type("FixedString(16)").value()},
      {"resource_attributes", block::parse_type("LowCardinality(String)").value()},
      {"attr_str",
       block::parse_type("Map(LowCardinality(String), LowCardinality(String))").value()}};
  const auto rows = (*file)->read(0, fields);
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  const auto ids = *block::TextView::of(rows->column(0));
  for (std::size_t row = 1; row < rows->rows(); ++row) EXPECT_LE(*ids.at(row - 1), *ids.at(row));
  EXPECT_THAT(std::string(*block::TextView::of(rows->column(1))->at(0)), HasSubstr("shop"));
  EXPECT_EQ(static_cast<const block::ListColumn&>(rows->column(2)).nested(1).rows(), 100u);
}

// Each batch has two data points of its own, and all are of one series.
TEST_F(CompactTest, JoinsTheDataPointsOfAnHour) {
  for (int number = 0; number < kBatches; ++number) {
    std::vector<fakes::ProtoMessage> points;
    for (int i = 0; i < 2; ++i) points.push_back(fakes::otlp_number_point(number * 2 + i + 10));
    write("m:0:" + std::to_string(number), otlp::Signal::kMetrics,
          fakes::otlp_request_of(
              {fakes::otlp_metric("queue.size", fakes::MetricKind::kGauge, points)}));
  }
  const std::string folder = "p/v1/metrics/samples/tenant=acme/date=2026-01-01/hour=00/";
  const auto report = compact();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_THAT(report->skipped, testing::IsEmpty());
  EXPECT_EQ(report->outputs, 2u);  // One of spans.
  ASSERT_THAT(hour(folder).live, SizeIs(1));
  EXPECT_EQ(seen(folder, "value", "Float64"), "10 once");
  auto file = parquet_file::arrow_codec().open(
      objectstore::object_source(store_, hour(folder).live[0].key, hour(folder).live[0].bytes));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->metadata().at("spanway.metrics"), R"(["queue_size_ratio"])");
  EXPECT_TRUE((*file)->may_contain(0, "metric", "queue_size_ratio").value());
  EXPECT_FALSE((*file)->may_contain(0, "metric", "another").value());
}

TEST_F(CompactTest, TheTenantUnderscoreIsNotThatWithoutAName) {
  const std::string request = fakes::otlp_request_of({fakes::otlp_span(1, 1, "GET /", {})});
  for (const char* batch : {"t:1:0-0", "t:1:1-1"}) {
    write(batch, otlp::Signal::kTraces, request, "_");
    write(batch, otlp::Signal::kTraces, request, "");
  }
  ASSERT_TRUE(compact().ok());
  for (const auto& [folder, tenant] : {std::pair("tenant=%5F", "_"), std::pair("tenant=_", "")}) {
    const auto live = hour("p/v1/traces/" + std::string(folder) + "/date=2026-01-01/hour=00/").live;
    ASSERT_THAT(live, SizeIs(1)) << folder;
    auto file = parquet_file::arrow_codec().open(
        objectstore::object_source(store_, live[0].key, live[0].bytes));
    ASSERT_TRUE(file.ok());
    EXPECT_EQ((*file)->metadata().at("spanway.tenant"), tenant);
  }
}

TEST_F(CompactTest, AnHourThatMayStillGrowIsLeftAlone) {
  fakes::ManualClock early;
  early.advance(std::chrono::minutes(119));
  Compactor compactor(store_, early, parquet_file::arrow_codec(), {.prefix = "p"});
  EXPECT_EQ(compactor.run()->outputs, 0u);
  early.advance(std::chrono::minutes(2));
  EXPECT_EQ(compactor.run()->outputs, 1u);
}

TEST_F(CompactTest, InputsAreDeletedAnHourAfterTheirManifestAndStayIgnoredWhenTheyComeBack) {
  ASSERT_TRUE(compact().ok());
  clock_.advance(std::chrono::minutes(59));
  EXPECT_EQ(compact()->deleted, 0u);
  clock_.advance(std::chrono::minutes(2));
  EXPECT_EQ(compact()->deleted, 5u);
  EXPECT_THAT(hour().listed, SizeIs(2));  // The result and the manifest.
  EXPECT_EQ(seen(), kAllOnce);
  write(2);  // A replay from Kafka.
  EXPECT_EQ(seen(), kAllOnce);
  EXPECT_EQ(compact()->deleted, 1u);
  EXPECT_EQ(seen(), kAllOnce);
}

TEST_F(CompactTest, LateObjectsAreJoinedByTheNextRun) {
  ASSERT_TRUE(compact().ok());
  write(5);
  write(6);
  EXPECT_EQ(seen(), "140 once");
  EXPECT_EQ(compact()->outputs, 1u);
  EXPECT_THAT(hour().live, SizeIs(2));
  EXPECT_EQ(seen(), "140 once");
}

TEST_F(CompactTest, ResultsHaveABoundOfRows) {
  const auto report = compact({.rows_max = 45});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->outputs, 2u);
  EXPECT_EQ(report->rows, 80u);
  EXPECT_EQ(seen(), kAllOnce);
}

TEST_F(CompactTest, ResultsHaveABoundOfMemoryAndEveryObjectFindsItsResult) {
  const auto report = compact({.memory_max = 1});
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->outputs, 0u);  // One object is as much as memory takes: none is joined.
  write(5);
  // Two of about the same size are more than one and a half of them.
  const std::size_t one = memory_of_one();
  const auto pairs = compact({.memory_max = one + one / 2});
  ASSERT_TRUE(pairs.ok()) << pairs.error().message;
  EXPECT_EQ(pairs->outputs, 3u);
  EXPECT_EQ(pairs->inputs, 6u);
  EXPECT_THAT(hour().live, SizeIs(3));
  EXPECT_EQ(seen(), "120 once");
}

// The process is killed before, or after, the n-th change of the bucket, for every n. A reader sees
// each span once there, and again after the next run, and after the deletion.
TEST_F(CompactTest, NothingIsSeenTwiceOrMissingWhereverARunIsKilled) {
  for (const bool is_after : {false, true}) {
    bool was_killed = true;
    for (int change = 1; was_killed; ++change) {
      SCOPED_TRACE((is_after ? "after change " : "before change ") + std::to_string(change));
      store_.clear();
      for (int number = 0; number < kBatches; ++number) write(number);
      int changes = 0;
      was_killed = false;
      const auto hook = [&](const std::string&, const std::string&) {
        was_killed = was_killed || ++changes == change;
        return changes != change;
      };
      (is_after ? store_.after_change : store_.before_change) = hook;
      // Two runs with the deletion between them; whichever is killed, the next one resumes.
      for (int run = 0; run < 2; ++run) {
        (void)compact({.rows_max = 45}).ok();
        store_.live_again();
        EXPECT_EQ(seen(), kAllOnce);
        clock_.advance(std::chrono::minutes(61));
      }
      store_.before_change = store_.after_change = nullptr;
      for (int run = 0; run < 2; ++run) {
        ASSERT_TRUE(compact({.rows_max = 45}).ok());
        EXPECT_EQ(seen(), kAllOnce);
        clock_.advance(std::chrono::minutes(61));
      }
      EXPECT_THAT(hour().live, SizeIs(3));
    }
  }
}

TEST_F(CompactTest, TwoRunsAtOnceDoNotReplaceEachOthersManifest) {
  bool is_first = true;
  store_.before_change = [&](const std::string&, const std::string& key) {
    if (is_first && key.ends_with("_manifest.json")) {
      is_first = false;
      write(5);  // The other run has one object more, and so another plan.
      EXPECT_EQ(
          Compactor(store_, clock_, parquet_file::arrow_codec(), {.prefix = "p"}).run()->outputs,
          1u);
    }
    return true;
  };
  const auto report = compact();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(seen(), "120 once");
  EXPECT_THAT(hour().manifest.objects, SizeIs(1));
}

TEST_F(CompactTest, AnObjectThatIsNotOursStaysAsItIs) {
  const std::string key = std::string(kFolder) + "1767225600000-1767225600000-3-x.parquet";
  ASSERT_TRUE(store_.put({.key = key, .body = Bytes("no Parquet file")}).ok());
  const auto report = compact();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_THAT(report->skipped, testing::ElementsAre(HasSubstr(key)));
  EXPECT_EQ(report->inputs, 5u);
  clock_.advance(std::chrono::hours(2));
  EXPECT_EQ(compact()->deleted, 5u);
  EXPECT_TRUE(store_.get(key).ok());
}

TEST_F(CompactTest, StoredPartsOfRefusedBatchesHaveABoundedLife) {
  const StoredPart part{.items = {.batch = "t:0:9-9"}, .table = "spans", .day = 20454};
  const std::string old = stored_part_key("p", "acme", part);
  ASSERT_TRUE(store_.put({.key = old, .body = Bytes()}).ok());
  clock_.advance(std::chrono::days(30) - std::chrono::hours(1));
  const StoredPart other{.items = {.batch = "m:0:9-9"}, .table = "samples", .day = 20454};
  const std::string young = stored_part_key("p", "acme", other);
  ASSERT_TRUE(store_.put({.key = young, .body = Bytes()}).ok());
  EXPECT_EQ(compact()->stored_parts_deleted, 0u);
  clock_.advance(std::chrono::hours(2));
  EXPECT_EQ(compact()->stored_parts_deleted, 1u);
  EXPECT_FALSE(store_.get(old).ok());
  EXPECT_TRUE(store_.get(young).ok());
  EXPECT_EQ(compact({.stored_parts_life = std::chrono::hours(1)})->stored_parts_deleted, 1u);
}

TEST_F(CompactTest, AnHourWithABrokenManifestKeepsNoOtherFromBeingCompacted) {
  const std::string earlier = "p/v1/logs/tenant=acme/date=2026-01-01/hour=00/_manifest.json";
  ASSERT_TRUE(store_.put({.key = earlier, .body = Bytes("{")}).ok());
  const std::string first = "p/v1/traces/tenant=aaaa/date=2026-01-01/hour=00/_manifest.json";
  ASSERT_TRUE(store_.put({.key = first, .body = Bytes("{")}).ok());
  const auto report = compact();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_THAT(report->failed, testing::UnorderedElementsAre(HasSubstr(earlier), HasSubstr(first)));
  EXPECT_EQ(report->outputs, 1u);
  EXPECT_EQ(seen(), kAllOnce);
}

TEST_F(CompactTest, AStoreThatIsAwayStopsTheRun) {
  store_.before_change = [](const std::string&, const std::string&) { return false; };
  EXPECT_FALSE(compact().ok());
}

TEST(Manifest, ComesBackAsItWasWritten) {
  objectstore::Manifest manifest;
  manifest.objects.push_back({.name = "c-1.parquet",
                              .min_ms = -1,
                              .max_ms = 2,
                              .rows = 3,
                              .bytes = 4,
                              .created_ms = 5,
                              .replaces = {"a\"b", "\xc3\xa4"}});
  const auto read = objectstore::parse_manifest(to_json(manifest));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, manifest);
  EXPECT_TRUE(objectstore::parse_manifest(R"({"objects":[],"later":{"x":[1]}})").ok());
  for (const char* broken :
       {"", "[]", "{\"objects\":[{}]}", "{\"objects\":[{\"name\":1}]}", "{\"objects\":[]} x"})
    EXPECT_FALSE(objectstore::parse_manifest(broken).ok()) << broken;
}

}  // namespace
}  // namespace spanway::sinks
