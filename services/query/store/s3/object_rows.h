// The rows of one object. Internal to query/store/s3.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/query/store/s3/bucket_query.h"
#include "services/query/store/span_query.h"

namespace spanway::query {

// Batches of the columns that were requested, of one object at a time. One thread's; the query
// outlives it. Memory: the stored columns of a row group and one batch, reserved before they are
// read.
class ObjectRows {
 public:
  ObjectRows(BucketQuery& query, std::vector<block::Field> fields)
      : query_(query), fields_(std::move(fields)) {}

  // All row groups without `groups`.
  Status open(const objectstore::LiveObject& object,
              std::optional<std::vector<std::size_t>> groups = std::nullopt);
  // Nothing at the end of the object.
  Result<std::optional<block::Block>> next();

 private:
  Status open_group(std::size_t group);

  BucketQuery& query_;
  const std::vector<block::Field> fields_;
  std::string key_;
  std::unique_ptr<parquet_file::File> file_;
  std::vector<std::size_t> groups_;  // To be read, the next one last.
  std::unique_ptr<parquet_file::Batches> batches_;
};

// --- Columns of the files of spans.

// Columns of a result: those of the table of spans, or those that name a span.
std::vector<block::Field> result_fields(bool all_columns);
// The same and more columns of the table of spans, by name.
std::vector<block::Field> with_fields(std::vector<block::Field> fields,
                                      std::span<const std::string_view> names);
std::vector<block::Field> fields_named(std::initializer_list<std::string_view> names);
// The same, and the two columns with the resource of a row.
std::vector<block::Field> with_resource(std::vector<block::Field> fields);

}  // namespace spanway::query
