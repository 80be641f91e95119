#include "services/lib/parquet_file/arrow/parquet_writer.h"

#include <arrow/array.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include <algorithm>
#include <map>
#include <memory>
#include <span>

#include "services/lib/block/dictionary_column.h"
#include "services/lib/parquet_file/arrow/arrow_errors.h"
#include "services/lib/parquet_file/arrow/arrow_gather.h"
#include "services/lib/parquet_file/arrow/arrow_schema.h"
#include "services/lib/parquet_file/arrow/row_order.h"

namespace spanway::parquet_file {
namespace {

constexpr std::string_view kWhat = "Writing a Parquet file";
// Never the version of the program: equal rows stay equal bytes across releases.
constexpr const char* kCreatedBy = "spanway version 1.0.0";
constexpr std::int64_t kPageBytes = 256 * 1024;
constexpr double kFalsePositives = 0.01;

class BytesOutput final : public arrow::io::OutputStream {
 public:
  explicit BytesOutput(Bytes& out) : out_(out) { set_mode(arrow::io::FileMode::WRITE); }
  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<std::int64_t> Tell() const override {
    return static_cast<std::int64_t>(out_.size());
  }
  using arrow::io::OutputStream::Write;
  arrow::Status Write(const void* data, std::int64_t count) override {
    out_.append({static_cast<const char*>(data), static_cast<std::size_t>(count)});
    return arrow::Status::OK();
  }

 private:
  Bytes& out_;
  bool closed_ = false;
};

int leaves_of(const arrow::DataType& type) {
  if (type.num_fields() == 0) return 1;
  int leaves = 0;
  for (const auto& field : type.fields()) leaves += leaves_of(*field->type());
  return leaves;
}

std::vector<parquet::SortingColumn> sorting_columns(const arrow::Schema& schema,
                                                    const std::vector<std::string>& names) {
  std::vector<parquet::SortingColumn> sorting;
  for (const std::string& name : names) {
    int leaf = 0;
    for (const auto& field : schema.fields()) {
      if (field->name() == name) break;
      leaf += leaves_of(*field->type());
    }
    sorting.push_back({.column_idx = leaf, .descending = false, .nulls_first = false});
  }
  return sorting;
}

// Values that a column has at most, as far as that is known without reading them.
std::size_t distinct_max(const block::Column& column) {
  const auto* const texts = dynamic_cast<const block::DictionaryColumn*>(&column);
  return texts == nullptr ? column.rows() : texts->dictionary().rows();
}

std::shared_ptr<parquet::WriterProperties> properties(
    const arrow::Schema& schema, const WriteOptions& options,
    const std::map<std::string, std::size_t>& distinct) {
  parquet::WriterProperties::Builder builder;
  builder.memory_pool(arrow::system_memory_pool())
      ->compression(parquet::Compression::ZSTD)
      ->compression_level(1)
      ->created_by(kCreatedBy)
      ->data_pagesize(kPageBytes)
      ->max_row_group_length(static_cast<std::int64_t>(options.row_group_rows))
      ->enable_write_page_index()
      ->set_sorting_columns(sorting_columns(schema, options.sort_by));
  for (const std::string& name : options.plain_columns) builder.disable_dictionary(name);
  for (const std::string& name : options.bloom_columns) {
    parquet::BloomFilterOptions bloom;
    bloom.ndv = static_cast<std::int32_t>(std::min(distinct.at(name), options.row_group_rows));
    bloom.fpp = kFalsePositives;
    builder.enable_bloom_filter(name, bloom);
  }
  return builder.build();
}

// The columns of a block on their way into a file.
class Encoder {
 public:
  Encoder(block::Block rows, const WriteOptions& options) : options_(options) {
    for (const std::string& name : options.bloom_columns) {
      const block::Column* const column = rows.find(name);
      distinct_[name] = column == nullptr ? 1 : distinct_max(*column);
    }
    for (std::size_t i = 0; i < rows.columns(); ++i)
      fields_.push_back({rows.name(i), rows.column(i).type()});
    stored_ = stored_fields(fields_);
    arrow::FieldVector fields;
    for (const StoredField& stored : stored_) fields.push_back(arrow_field(stored, fields_));
    schema_ = arrow::schema(std::move(fields));
    columns_ = std::move(rows).take_columns();
  }

  Result<Bytes> encode(std::span<const std::uint32_t> order) {
    Bytes out;
    auto sink = std::make_shared<BytesOutput>(out);
    SPANWAY_ARROW_ASSIGN(
        auto writer, kWhat,
        parquet::arrow::FileWriter::Open(*schema_, arrow::system_memory_pool(), sink,
                                         properties(*schema_, options_, distinct_)));
    for (std::size_t begin = 0; begin < order.size(); begin += options_.row_group_rows) {
      const auto rows =
          order.subspan(begin, std::min(options_.row_group_rows, order.size() - begin));
      SPANWAY_TRY(write_row_group(*writer, rows, begin + rows.size() == order.size()));
    }
    std::vector<std::string> keys, values;
    for (const auto& [key, value] : options_.metadata) {
      keys.push_back(key);
      values.push_back(value);
    }
    SPANWAY_ARROW_TRY(kWhat, writer->AddKeyValueMetadata(arrow::key_value_metadata(keys, values)));
    SPANWAY_ARROW_TRY(kWhat, writer->Close());
    return out;
  }

 private:
  Status write_row_group(parquet::arrow::FileWriter& writer, Rows rows, bool is_last) {
    SPANWAY_ARROW_TRY(kWhat, writer.NewRowGroup());
    for (std::size_t i = 0; i < stored_.size(); ++i) {
      SPANWAY_ASSIGN(const auto array,
                     gather_field(stored_[i], rows, schema_->field(static_cast<int>(i))->type()));
      if (is_last)
        for (const std::size_t column : stored_[i].columns) columns_[column].reset();
      SPANWAY_ARROW_TRY(kWhat, writer.WriteColumnChunk(*array));
    }
    return {};
  }

  Result<std::shared_ptr<arrow::Array>> gather_field(
      const StoredField& stored, Rows rows, const std::shared_ptr<arrow::DataType>& type) const {
    arrow::MemoryPool& pool = *arrow::system_memory_pool();
    if (stored.members.empty()) return gather(*columns_[stored.columns.front()], rows, pool);
    std::vector<const block::ListColumn*> lists;
    for (const std::size_t column : stored.columns)
      lists.push_back(static_cast<const block::ListColumn*>(columns_[column].get()));
    return gather_structs(lists, rows, type, pool);
  }

  const WriteOptions& options_;
  std::map<std::string, std::size_t> distinct_;  // By column with a bloom filter.
  std::vector<block::Field> fields_;
  std::vector<StoredField> stored_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<block::ColumnPtr> columns_;
};

}  // namespace

Result<Bytes> encode_parquet(block::Block rows, const WriteOptions& options) {
  SPANWAY_TRY(rows.check());
  SPANWAY_ASSIGN(const std::vector<std::uint32_t> order, row_order(rows, options.sort_by));
  return guarded(kWhat, [&] { return Encoder(std::move(rows), options).encode(order); });
}

}  // namespace spanway::parquet_file
