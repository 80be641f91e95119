#include "services/lib/parquet_file/arrow/parquet_reader.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/reader.h>
#include <parquet/bloom_filter.h>
#include <parquet/bloom_filter_reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "services/lib/base/mutex.h"
#include "services/lib/parquet_file/arrow/arrow_append.h"
#include "services/lib/parquet_file/arrow/arrow_errors.h"

namespace spanway::parquet_file {
namespace {

constexpr std::string_view kWhat = "Reading a Parquet file";

// Keeps the source's own error: Arrow's statuses have no place for its kind. Arrow reads columns
// ahead on threads of its own: ReadAt() is thread-safe.
class SourceFile final : public arrow::io::RandomAccessFile {
 public:
  explicit SourceFile(std::shared_ptr<ByteSource> source) : source_(std::move(source)) {
    set_mode(arrow::io::FileMode::READ);
  }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<std::int64_t> Tell() const override { return position_; }
  arrow::Status Seek(std::int64_t position) override {
    position_ = position;
    return arrow::Status::OK();
  }
  arrow::Result<std::int64_t> GetSize() override {
    return static_cast<std::int64_t>(source_->size());
  }
  arrow::Result<std::int64_t> Read(std::int64_t count, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const std::int64_t got, ReadAt(position_, count, out));
    position_ += got;
    return got;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t count) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, count));
    position_ += buffer->size();
    return buffer;
  }
  arrow::Result<std::int64_t> ReadAt(std::int64_t position, std::int64_t count,
                                     void* out) override {
    ARROW_ASSIGN_OR_RAISE(const auto buffer, ReadAt(position, count));
    std::memcpy(out, buffer->data(), static_cast<std::size_t>(buffer->size()));
    return buffer->size();
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(std::int64_t position,
                                                       std::int64_t count) override {
    const auto size = static_cast<std::int64_t>(source_->size());
    if (position < 0 || count < 0 || position > size)
      return arrow::Status::Invalid("a range outside of the object");
    count = std::min(count, size - position);
    auto bytes =
        source_->read(static_cast<std::uint64_t>(position), static_cast<std::uint64_t>(count));
    if (!bytes.ok()) {
      MutexLock lock(mutex_);
      failure_ = bytes.error();
      return arrow::Status::IOError(bytes.error().message);
    }
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateBuffer(count, arrow::system_memory_pool()));
    std::memcpy(buffer->mutable_data(), bytes->data(), static_cast<std::size_t>(count));
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }

  std::optional<Error> take_failure() {
    MutexLock lock(mutex_);
    return std::exchange(failure_, std::nullopt);
  }

 private:
  const std::shared_ptr<ByteSource> source_;
  std::int64_t position_ = 0;
  bool closed_ = false;
  Mutex mutex_;
  std::optional<Error> failure_ SPANWAY_GUARDED_BY(mutex_);
};

// Where a field of a block is in the file.
struct Place {
  int field = -1;   // Index in the file's schema; -1 = the file does not have it.
  int member = -1;  // Index in its struct; -1 = the field itself.
};

Place place_of(const arrow::Schema& schema, const std::string& name) {
  if (const int field = schema.GetFieldIndex(name); field >= 0) return {.field = field};
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos) return {};
  const int field = schema.GetFieldIndex(name.substr(0, dot));
  if (field < 0 || schema.field(field)->type()->id() != arrow::Type::LIST) return {};
  const auto& element = schema.field(field)->type()->field(0)->type();
  if (element->id() != arrow::Type::STRUCT) return {};
  const int member =
      static_cast<const arrow::StructType&>(*element).GetFieldIndex(name.substr(dot + 1));
  return member < 0 ? Place() : Place{.field = field, .member = member};
}

// Its functions may throw; ParquetFile calls them through `guarded`.
struct Content {
  std::shared_ptr<SourceFile> file;
  std::unique_ptr<parquet::arrow::FileReader> reader;
  std::shared_ptr<arrow::Schema> schema;
  std::shared_ptr<parquet::FileMetaData> footer;
  std::map<std::string, std::string> metadata;

  Status open() {
    parquet::ReaderProperties properties(arrow::system_memory_pool());
    auto raw = parquet::ParquetFileReader::Open(file, properties);
    footer = raw->metadata();
    SPANWAY_ARROW_ASSIGN(
        reader, kWhat,
        parquet::arrow::FileReader::Make(arrow::system_memory_pool(), std::move(raw)));
    SPANWAY_ARROW_TRY(kWhat, reader->GetSchema(&schema));
    if (const auto texts = footer->key_value_metadata())
      for (std::int64_t i = 0; i < texts->size(); ++i) metadata[texts->key(i)] = texts->value(i);
    return {};
  }

  // Leaves below a field of the schema.
  void add_leaves(int field, std::vector<int>& leaves) const {
    for (int leaf = 0; leaf < footer->num_columns(); ++leaf)
      if (footer->schema()->GetColumnRoot(leaf)->name() == schema->field(field)->name())
        leaves.push_back(leaf);
  }

  // Where fields are, and all leaves that reading them takes.
  struct Selection {
    std::vector<Place> places;
    std::vector<int> leaves;
  };
  template <typename NameOf>
  Selection select(std::size_t fields, const NameOf& name_of) const {
    Selection selection;
    for (std::size_t i = 0; i < fields; ++i) {
      selection.places.push_back(place_of(*schema, name_of(i)));
      if (selection.places.back().field >= 0)
        add_leaves(selection.places.back().field, selection.leaves);
    }
    std::vector<int>& leaves = selection.leaves;
    std::sort(leaves.begin(), leaves.end());
    leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
    return selection;
  }
  Selection select(std::span<const block::Field> fields) const {
    return select(fields.size(),
                  [&](std::size_t i) -> const std::string& { return fields[i].name; });
  }

  Status read_into(int row_group, block::Block& out) {
    const Selection selection =
        select(out.columns(), [&](std::size_t i) -> const std::string& { return out.name(i); });
    SPANWAY_ARROW_ASSIGN(const auto table, kWhat,
                         reader->ReadRowGroup(row_group, selection.leaves));
    return fill(selection, *table, rows_of(row_group), out);
  }

  Status fill(const Selection& selection, const arrow::Table& table, std::int64_t rows,
              block::Block& out) const {
    for (std::size_t i = 0; i < out.columns(); ++i)
      SPANWAY_TRY(fill(out.column(i), selection.places[i], table, rows));
    return {};
  }

  GroupBytes bytes_of(int row_group, std::span<const block::Field> fields) const {
    GroupBytes bytes;
    const auto group = footer->RowGroup(row_group);
    for (const int leaf : select(fields).leaves) {
      const auto chunk = group->ColumnChunk(leaf);
      bytes.stored +=
          static_cast<std::uint64_t>(std::max<std::int64_t>(chunk->total_compressed_size(), 0));
      bytes.decoded +=
          static_cast<std::uint64_t>(std::max<std::int64_t>(chunk->total_uncompressed_size(), 0));
    }
    return bytes;
  }

  bool has_only(std::span<const block::Field> fields) const {
    std::set<std::string> known;
    for (const block::Field& field : fields) known.insert(field.name);
    const auto is_known = [&](const arrow::Field& field) {
      if (known.contains(field.name())) return true;
      if (field.type()->id() != arrow::Type::LIST) return false;
      const auto& element = field.type()->field(0)->type();
      return element->id() == arrow::Type::STRUCT &&
             std::all_of(element->fields().begin(), element->fields().end(),
                         [&](const auto& member) {
                           return known.contains(field.name() + "." + member->name());
                         });
    };
    return std::all_of(schema->fields().begin(), schema->fields().end(),
                       [&](const auto& field) { return is_known(*field); });
  }

  Status fill(block::Column& out, const Place& place, const arrow::Table& table,
              std::int64_t rows) const {
    if (place.field < 0) {
      for (std::int64_t i = 0; i < rows; ++i) out.append_default();
      return {};
    }
    const auto column = table.GetColumnByName(schema->field(place.field)->name());
    for (const auto& chunk : column->chunks()) {
      if (place.member < 0) {
        SPANWAY_TRY(append_array(*chunk, 0, chunk->length(), out));
        continue;
      }
      auto* const list = dynamic_cast<block::ListColumn*>(&out);
      if (list == nullptr) return invalid_argument("A nested column is read as an Array only");
      SPANWAY_TRY(append_member(*chunk, place.member, *list));
    }
    return {};
  }

  std::int64_t rows_of(int row_group) const { return footer->RowGroup(row_group)->num_rows(); }

  // False = the value lies outside of the smallest and the largest of the column.
  bool in_bounds(int row_group, int leaf, std::string_view value) const {
    const auto chunk = footer->RowGroup(row_group)->ColumnChunk(leaf);
    const auto bounds = chunk->is_stats_set() ? chunk->encoded_statistics() : nullptr;
    if (bounds == nullptr || !bounds->has_min || !bounds->has_max) return true;
    // Bytes compare unsigned, as char_traits does. Bounds of long texts may be shortened.
    const bool is_whole =
        bounds->min().size() == value.size() && bounds->max().size() == value.size();
    return !is_whole || (bounds->min() <= value && value <= bounds->max());
  }

  Result<bool> may_contain(int row_group, std::string_view column, std::string_view value) {
    const int leaf = footer->schema()->ColumnIndex(std::string(column));
    if (leaf < 0) return true;
    if (!in_bounds(row_group, leaf, value)) return false;
    const auto group = raw().GetBloomFilterReader().RowGroup(row_group);
    const auto filter = group == nullptr ? nullptr : group->GetColumnBloomFilter(leaf);
    if (filter == nullptr) return true;
    const parquet::ColumnDescriptor* descriptor = footer->schema()->Column(leaf);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(value.data());
    if (descriptor->physical_type() == parquet::Type::FIXED_LEN_BYTE_ARRAY) {
      if (static_cast<int>(value.size()) != descriptor->type_length()) return false;
      const parquet::FLBA fixed(bytes);
      return filter->FindHash(
          filter->Hash(&fixed, static_cast<std::uint32_t>(descriptor->type_length())));
    }
    const parquet::ByteArray text(static_cast<std::uint32_t>(value.size()), bytes);
    return filter->FindHash(filter->Hash(&text));
  }

  parquet::ParquetFileReader& raw() { return *reader->parquet_reader(); }

  // The source's own error in place of what Arrow made of it.
  template <typename T>
  Result<T> or_failure(Result<T> result) {
    auto failure = file->take_failure();
    return !result.ok() && failure ? Result<T>(std::move(*failure)) : std::move(result);
  }
};

class ParquetBatches final : public Batches {
 public:
  ParquetBatches(Content& content, std::span<const block::Field> fields)
      : content_(content),
        fields_(fields.begin(), fields.end()),
        selection_(content.select(fields_)) {}

  Status open(int row_group, std::size_t rows_max) {
    content_.reader->set_batch_size(static_cast<std::int64_t>(rows_max));
    SPANWAY_ARROW_ASSIGN(reader_, kWhat,
                         content_.reader->GetRecordBatchReader({row_group}, selection_.leaves));
    return {};
  }
  Result<std::optional<block::Block>> next() override {
    return content_.or_failure(guarded(kWhat, [&] { return read(); }));
  }

 private:
  Result<std::optional<block::Block>> read() {
    std::shared_ptr<arrow::RecordBatch> batch;
    SPANWAY_ARROW_TRY(kWhat, reader_->ReadNext(&batch));
    if (batch == nullptr) return std::optional<block::Block>();
    SPANWAY_ARROW_ASSIGN(const auto table, kWhat, arrow::Table::FromRecordBatches({batch}));
    block::Block block(fields_);
    SPANWAY_TRY(content_.fill(selection_, *table, batch->num_rows(), block));
    return std::optional<block::Block>(std::move(block));
  }

  Content& content_;
  const std::vector<block::Field> fields_;
  const Content::Selection selection_;
  std::unique_ptr<arrow::RecordBatchReader> reader_;
};

class ParquetFile final : public File {
 public:
  explicit ParquetFile(std::unique_ptr<Content> content) : content_(std::move(content)) {}

  std::uint64_t rows() const noexcept override {
    return static_cast<std::uint64_t>(content_->footer->num_rows());
  }
  std::size_t row_groups() const noexcept override {
    return static_cast<std::size_t>(content_->footer->num_row_groups());
  }
  std::uint64_t rows_of(std::size_t row_group) const override {
    SPANWAY_CHECK(row_group < row_groups());
    return static_cast<std::uint64_t>(content_->rows_of(static_cast<int>(row_group)));
  }
  const std::map<std::string, std::string>& metadata() const noexcept override {
    return content_->metadata;
  }
  Status read_into(std::size_t row_group, block::Block& out) override {
    SPANWAY_CHECK(row_group < row_groups());
    return content_->or_failure(
        guarded(kWhat, [&] { return content_->read_into(static_cast<int>(row_group), out); }));
  }
  Result<std::unique_ptr<Batches>> batches(std::size_t row_group,
                                           std::span<const block::Field> fields,
                                           std::size_t rows_max) override {
    SPANWAY_CHECK(row_group < row_groups() && rows_max > 0);
    auto result = std::make_unique<ParquetBatches>(*content_, fields);
    SPANWAY_TRY(content_->or_failure(
        guarded(kWhat, [&] { return result->open(static_cast<int>(row_group), rows_max); })));
    return std::unique_ptr<Batches>(std::move(result));
  }
  GroupBytes bytes_of(std::size_t row_group, std::span<const block::Field> fields) const override {
    SPANWAY_CHECK(row_group < row_groups());
    return content_->bytes_of(static_cast<int>(row_group), fields);
  }
  bool has_only(std::span<const block::Field> fields) const override {
    return content_->has_only(fields);
  }
  Result<bool> may_contain(std::size_t row_group, std::string_view column,
                           std::string_view value) override {
    SPANWAY_CHECK(row_group < row_groups());
    return content_->or_failure(guarded(
        kWhat, [&] { return content_->may_contain(static_cast<int>(row_group), column, value); }));
  }

 private:
  const std::unique_ptr<Content> content_;
};

}  // namespace

Result<std::unique_ptr<File>> open_parquet(std::shared_ptr<ByteSource> source) {
  auto content = std::make_unique<Content>();
  content->file = std::make_shared<SourceFile>(std::move(source));
  SPANWAY_TRY(content->or_failure(guarded(kWhat, [&] { return content->open(); })));
  return std::unique_ptr<File>(std::make_unique<ParquetFile>(std::move(content)));
}

}  // namespace spanway::parquet_file
