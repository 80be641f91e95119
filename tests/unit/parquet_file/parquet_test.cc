#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "services/lib/base/hex.h"
#include "services/lib/base/random.h"
#include "services/lib/block/dictionary_column.h"
#include "services/lib/block/text_view.h"
#include "services/lib/objectstore/sigv4.h"
#include "services/lib/otlp_blocks/block_converter.h"
#include "services/lib/parquet_file/arrow/arrow_codec.h"
#include "services/lib/schema/table.h"
#include "tests/fakes/otlp_builder.h"

namespace spanway::parquet_file {
namespace {

using testing::HasSubstr;

std::vector<block::Field> fields_of(std::string_view table) {
  return schema::find_table(table)->insert_fields().value();
}

// Spans of a few traces in no order, with attributes of every kind, events and links.
block::Block spans(std::size_t count) {
  Random random(7);
  std::vector<fakes::ProtoMessage> all;
  for (std::size_t i = 0; i < count; ++i) {
    fakes::ProtoMessage span = fakes::otlp_span(
        random.next_below(count / 4 + 1) + 1, i + 1, "GET /" + std::to_string(i % 7),
        {fakes::otlp_attribute("http.request.method", "GET"),
         fakes::otlp_attribute("http.response.status_code", fakes::otlp_int(200 + i % 3)),
         fakes::otlp_attribute("user", "u" + std::to_string(i)),
         fakes::otlp_attribute("tries", fakes::otlp_int(static_cast<std::int64_t>(i))),
         fakes::otlp_attribute("list", fakes::otlp_array({fakes::otlp_string("a")}))});
    fakes::ProtoMessage event;
    event.fixed64(1, 1'767'225'600'000'000'001ULL).bytes(2, "retry");
    fakes::ProtoMessage link;
    link.bytes(1, fakes::otlp_trace_id(9)).bytes(2, fakes::otlp_span_id(9));
    if (i % 2 == 0) span.message(11, event);
    if (i % 3 == 0) span.message(13, link);
    all.push_back(std::move(span));
  }
  otlp_blocks::Converter converter;
  auto blocks =
      converter.convert(otlp::Signal::kTraces, fakes::otlp_request_of(all), {.tenant = "acme"});
  SPANWAY_CHECK(blocks.ok() && blocks->data.size() == 1);
  return std::move(blocks->data.front().rows);
}

WriteOptions span_options() {
  WriteOptions options;
  options.sort_by = {"trace_id", "ts"};
  options.bloom_columns = {"trace_id"};
  options.plain_columns = {"span_id", "parent_span_id"};
  options.metadata = {{"spanway.schema", "3"}, {"spanway.batch", "t:0:1-2"}};
  return options;
}

std::unique_ptr<File> open(const Bytes& bytes) {
  auto file = arrow_codec().open(memory_source(bytes.clone()));
  EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message);
  return file.ok() ? std::move(file).value() : nullptr;
}

// A column's rows as texts, by the order of `order`; equal texts = equal values.
std::string value_text(const block::Column& column, std::size_t row) {
  if (const auto texts = block::TextView::of(column)) {
    const auto text = texts->at(row);
    return text ? "'" + std::string(*text) + "'" : "NULL";
  }
  if (const auto* fixed = dynamic_cast<const block::FixedColumn*>(&column))
    return to_hex(fixed->text_at(row));
  if (const auto* nullable = dynamic_cast<const block::NullableColumn*>(&column))
    return nullable->is_null(row) ? "NULL" : value_text(nullable->nested(), row);
  const auto& list = dynamic_cast<const block::ListColumn&>(column);
  std::string text = "[";
  for (std::size_t at = list.begin_of(row); at < list.end_of(row); ++at)
    for (std::size_t i = 0; i < list.nested_count(); ++i)
      text += value_text(list.nested(i), at) + ",";
  return text + "]";
}
// All rows, sorted: a block and its file differ in order only.
std::vector<std::string> rows_of(const block::Block& block) {
  std::vector<std::string> rows(block.rows());
  for (std::size_t column = 0; column < block.columns(); ++column)
    for (std::size_t row = 0; row < block.rows(); ++row)
      rows[row] += block.name(column) + "=" + value_text(block.column(column), row) + ";";
  std::sort(rows.begin(), rows.end());
  return rows;
}

TEST(Parquet, GivesBackEverySpanAsItWas) {
  const std::vector<std::string> expected = rows_of(spans(200));
  const auto bytes = arrow_codec().encode(spans(200), span_options());
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  const auto file = open(*bytes);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->rows(), 200u);
  const auto block = file->read(0, fields_of("spans"));
  ASSERT_TRUE(block.ok()) << block.error().message;
  ASSERT_TRUE(block->check().ok());
  EXPECT_EQ(rows_of(*block), expected);
}

TEST(Parquet, GivesBackEveryLogRecordAsItWas) {
  otlp_blocks::Converter converter;
  const std::string request = fakes::otlp_request_of(
      {fakes::otlp_log_record("b", fakes::otlp_trace_id(1), fakes::otlp_span_id(2),
                              {fakes::otlp_attribute("k", "v")}),
       fakes::otlp_log_record("a")});
  const auto convert = [&] {
    auto blocks = converter.convert(otlp::Signal::kLogs, request, {.tenant = "acme"});
    SPANWAY_CHECK(blocks.ok());
    return std::move(blocks->data.front().rows);
  };
  WriteOptions options;
  options.sort_by = {"stream_id", "ts"};
  const auto bytes = arrow_codec().encode(convert(), options);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  const auto block = open(*bytes)->read(0, fields_of("logs"));
  ASSERT_TRUE(block.ok()) << block.error().message;
  EXPECT_EQ(rows_of(*block), rows_of(convert()));
}

TEST(Parquet, RowsAreSortedAcrossRowGroups) {
  WriteOptions options = span_options();
  options.row_group_rows = 64;
  const auto bytes = arrow_codec().encode(spans(200), options);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  const auto file = open(*bytes);
  ASSERT_EQ(file->row_groups(), 4u);
  std::vector<std::string> ids;
  const std::vector<block::Field> id = {{"trace_id", block::parse_type("FixedString(16)").value()}};
  for (std::size_t group = 0; group < file->row_groups(); ++group) {
    const auto block = file->read(group, id);
    ASSERT_TRUE(block.ok());
    EXPECT_EQ(block->rows(), file->rows_of(group));
    for (std::size_t row = 0; row < block->rows(); ++row)
      ids.push_back(value_text(block->column(0), row));
  }
  EXPECT_EQ(ids.size(), 200u);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST(Parquet, ReadsOnlyTheColumnsThatAreRequested) {
  // Counts what is read of a file.
  class Counting final : public ByteSource {
   public:
    explicit Counting(Bytes bytes) : inner_(memory_source(std::move(bytes))) {}
    std::uint64_t size() const noexcept override { return inner_->size(); }
    Result<Bytes> read(std::uint64_t offset, std::uint64_t length) override {
      read_bytes += length;
      return inner_->read(offset, length);
    }
    std::uint64_t read_bytes = 0;

   private:
    const std::shared_ptr<ByteSource> inner_;
  };
  const auto bytes = arrow_codec().encode(spans(20'000), span_options());
  ASSERT_TRUE(bytes.ok());
  const auto source = std::make_shared<Counting>(bytes->clone());
  auto file = arrow_codec().open(source);
  ASSERT_TRUE(file.ok());
  source->read_bytes = 0;
  const std::vector<block::Field> requested = {
      {"status", fields_of("spans")[0].type},
      {"events.name", block::parse_type("Array(LowCardinality(String))").value()},
      {"not_in_the_file", block::parse_type("UInt64").value()}};
  const auto block = (*file)->read(0, requested);
  ASSERT_TRUE(block.ok()) << block.error().message;
  EXPECT_EQ(block->rows(), 20'000u);
  EXPECT_EQ(value_text(block->column(2), 5), "0000000000000000");
  EXPECT_LT(source->read_bytes, bytes->size() / 4);
}

TEST(Parquet, ABloomFilterSaysWhichTracesAreMissing) {
  const auto bytes = arrow_codec().encode(spans(1000), span_options());
  const auto file = open(*bytes);
  EXPECT_TRUE(file->may_contain(0, "trace_id", fakes::otlp_trace_id(5)).value());
  int positives = 0;
  for (std::uint64_t i = 0; i < 1000; ++i)
    positives += file->may_contain(0, "trace_id", fakes::otlp_trace_id(1'000'000 + i)).value();
  EXPECT_LT(positives, 60);
  EXPECT_TRUE(file->may_contain(0, "span_id", fakes::otlp_span_id(1)).value());
}

TEST(Parquet, TheBoundsOfASortedColumnSayWhichRowGroupsLackAValue) {
  WriteOptions options = span_options();
  options.row_group_rows = 64;
  options.bloom_columns.clear();
  const auto file = open(*arrow_codec().encode(spans(256), options));
  ASSERT_EQ(file->row_groups(), 4u);
  int groups = 0;
  for (std::size_t group = 0; group < 4; ++group)
    groups += file->may_contain(group, "trace_id", fakes::otlp_trace_id(5)).value();
  EXPECT_GE(groups, 1);
  EXPECT_LE(groups, 2) << "a trace may lie across two";
}

TEST(Parquet, BatchesHaveTheRowsOfTheGroupInItsOrder) {
  const auto bytes = arrow_codec().encode(spans(200), span_options());
  const auto file = open(*bytes);
  const auto expected = file->read(0, fields_of("spans"));
  ASSERT_TRUE(expected.ok());
  const GroupBytes size = file->bytes_of(0, fields_of("spans"));
  EXPECT_GT(size.stored, 0u);
  EXPECT_LE(size.stored, bytes->size());
  const auto batches = file->batches(0, fields_of("spans"), 64);
  ASSERT_TRUE(batches.ok()) << batches.error().message;
  std::size_t rows = 0;
  while (true) {
    const auto batch = (*batches)->next();
    ASSERT_TRUE(batch.ok()) << batch.error().message;
    if (!*batch) break;
    ASSERT_TRUE((*batch)->check().ok());
    EXPECT_LE((*batch)->rows(), 64u);
    for (std::size_t row = 0; row < (*batch)->rows(); ++row, ++rows)
      for (std::size_t column = 0; column < expected->columns(); ++column)
        ASSERT_EQ(value_text((*batch)->column(column), row),
                  value_text(expected->column(column), rows));
  }
  EXPECT_EQ(rows, 200u);
}

TEST(Parquet, TheFooterHasTheTextsThatWereGiven) {
  const auto file = open(*arrow_codec().encode(spans(2), span_options()));
  EXPECT_EQ(file->metadata().at("spanway.batch"), "t:0:1-2");
}

TEST(Parquet, ABrokenFileIsAnErrorAndNoCrash) {
  const auto bytes = arrow_codec().encode(spans(50), span_options());
  Random random(3);
  for (int i = 0; i < 300; ++i) {
    Bytes broken = bytes->clone();
    for (int change = 0; change < 4; ++change)
      broken.data()[random.next_below(broken.size())] = static_cast<char>(random.next());
    if (i % 3 == 0) broken.resize(random.next_below(broken.size()));
    auto file = arrow_codec().open(memory_source(std::move(broken)));
    if (!file.ok()) {
      EXPECT_EQ(file.error().refusal, Refusal::kData);
      continue;
    }
    for (std::size_t group = 0; group < (*file)->row_groups(); ++group)
      (void)(*file)->read(group, fields_of("spans")).ok();
  }
}

TEST(Parquet, AnErrorOfTheSourceKeepsItsKind) {
  class Failing final : public ByteSource {
   public:
    std::uint64_t size() const noexcept override { return 1000; }
    Result<Bytes> read(std::uint64_t, std::uint64_t) override {
      return unavailable("gone").with_reason("s3_unavailable");
    }
  };
  const auto file = arrow_codec().open(std::make_shared<Failing>());
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().refusal, Refusal::kTransient);
  EXPECT_STREQ(file.error().reason, "s3_unavailable");
}

std::string digest() {
  WriteOptions options = span_options();
  options.row_group_rows = 1024;
  return to_hex(objectstore::view(
      objectstore::sha256(arrow_codec().encode(spans(3000), options).value().view())));
}

// Disabled because it asserts nothing: the test below runs it in processes of their own.
TEST(Parquet, DISABLED_PrintsItsDigest) { std::printf("digest %s\n", digest().c_str()); }

TEST(Parquet, EqualRowsMakeEqualBytesInEveryProcess) {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  ASSERT_GT(length, 0);
  const std::string command = std::string(path, static_cast<std::size_t>(length)) +
                              " --gtest_also_run_disabled_tests "
                              "--gtest_filter=Parquet.DISABLED_PrintsItsDigest";
  for (int i = 0; i < 2; ++i) {
    const std::unique_ptr<FILE, int (*)(FILE*)> child(popen(command.c_str(), "r"), pclose);
    ASSERT_NE(child, nullptr);
    std::string output;
    std::array<char, 4096> piece;
    while (std::fgets(piece.data(), piece.size(), child.get()) != nullptr) output += piece.data();
    EXPECT_THAT(output, HasSubstr("digest " + digest()));
  }
}

}  // namespace
}  // namespace spanway::parquet_file
