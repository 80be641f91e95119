// Columns in memory. A column is filled by appending and read through its accessors; it is both the
// builder and the result, so that nothing is copied in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "services/lib/base/bytes.h"
#include "services/lib/base/check.h"
#include "services/lib/block/type.h"

namespace spanway::block {

// Thread contract of all columns: external lock. Views that they return are valid until the next
// call that is not const.
class Column {
 public:
  explicit Column(Type type) noexcept : type_(std::move(type)) {}
  virtual ~Column() = default;
  Column(const Column&) = delete;
  Column& operator=(const Column&) = delete;

  const Type& type() const noexcept { return type_; }
  virtual std::size_t rows() const noexcept = 0;
  // Bytes that the column occupies in memory, including what it has reserved.
  virtual std::size_t memory_bytes() const noexcept = 0;
  // One row of the type's default: 0, "", NULL, or an empty array or map.
  virtual void append_default() = 0;
  // Keeps the memory for the next rows.
  virtual void clear() noexcept = 0;

 private:
  const Type type_;
};
using ColumnPtr = std::unique_ptr<Column>;

ColumnPtr make_column(const Type& type);

// Values of one size: all numbers, times, enumerations, FixedString.
class FixedColumn final : public Column {
 public:
  explicit FixedColumn(Type type) : Column(std::move(type)), width_(value_bytes(this->type())) {}

  // `T` has exactly the size of a value.
  template <typename T>
  void append(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    SPANWAY_ASSERT(sizeof(T) == width_);
    const std::size_t end = data_.size();
    data_.resize(end + sizeof(T));
    std::memcpy(data_.data() + end, &value, sizeof(T));
  }
  // Shorter texts are filled up with zero bytes, longer ones truncated.
  void append_text(std::string_view text);
  void append_default() override;
  void append_raw(std::string_view values) { data_.append(values); }

  template <typename T>
  std::span<const T> values() const noexcept {
    SPANWAY_ASSERT(sizeof(T) == width_);
    return {reinterpret_cast<const T*>(data_.data()), data_.size() / sizeof(T)};
  }
  std::string_view text_at(std::size_t row) const { return data_.slice(row * width_, width_); }
  std::string_view bytes() const noexcept { return data_.view(); }
  std::size_t width() const noexcept { return width_; }

  std::size_t rows() const noexcept override { return data_.size() / width_; }
  std::size_t memory_bytes() const noexcept override { return data_.capacity(); }
  void clear() noexcept override { data_.clear(); }

 private:
  const std::size_t width_;
  Bytes data_;
};

class StringColumn final : public Column {
 public:
  explicit StringColumn(Type type = {}) : Column(std::move(type)) {}

  void append(std::string_view text) {
    chars_.append(text);
    ends_.push_back(chars_.size());
  }
  void append_default() override { ends_.push_back(chars_.size()); }
  // For encoders that write the value in place: `out` is appended to, then the row is closed.
  Bytes& open_row() noexcept { return chars_; }
  void close_row() { ends_.push_back(chars_.size()); }

  std::string_view at(std::size_t row) const {
    const std::size_t begin = row == 0 ? 0 : ends_[row - 1];
    return chars_.slice(begin, ends_[row] - begin);
  }
  std::size_t text_bytes() const noexcept { return chars_.size(); }

  std::size_t rows() const noexcept override { return ends_.size(); }
  std::size_t memory_bytes() const noexcept override {
    return chars_.capacity() + ends_.capacity() * sizeof(std::uint64_t);
  }
  void clear() noexcept override {
    chars_.clear();
    ends_.clear();
  }

 private:
  Bytes chars_;
  std::vector<std::uint64_t> ends_;
};

class NullableColumn final : public Column {
 public:
  explicit NullableColumn(Type type);

  void append_null();
  // The caller appends exactly one value to what is returned.
  Column& append_value() {
    nulls_.push_back(0);
    return *nested_;
  }
  template <typename T>
  void append(T value) {
    static_cast<FixedColumn&>(append_value()).append(value);
  }
  void append_default() override { append_null(); }
  // For decoders: the marks of all rows, and the column that holds a value for each.
  std::vector<std::uint8_t>& null_marks() noexcept { return nulls_; }
  Column& nested() noexcept { return *nested_; }

  bool is_null(std::size_t row) const { return nulls_[row] != 0; }
  std::span<const std::uint8_t> null_marks() const noexcept { return nulls_; }
  const Column& nested() const noexcept { return *nested_; }

  std::size_t rows() const noexcept override { return nulls_.size(); }
  std::size_t memory_bytes() const noexcept override {
    return nulls_.capacity() + nested_->memory_bytes();
  }
  void clear() noexcept override {
    nulls_.clear();
    nested_->clear();
  }

 private:
  std::vector<std::uint8_t> nulls_;  // 1 = NULL; the nested value is the default then.
  ColumnPtr nested_;
};

// Rows of a varying number of elements: an Array has one nested column, a Map keys and values.
class ListColumn final : public Column {
 public:
  explicit ListColumn(Type type);

  // Append elements to the nested columns, then close the row.
  void close_row() { ends_.push_back(nested_.front()->rows()); }
  void append_default() override { close_row(); }
  Column& nested(std::size_t index = 0) { return *nested_[index]; }
  // For decoders: ends of all rows, ascending, the last one the number of nested rows.
  std::vector<std::uint64_t>& ends() noexcept { return ends_; }

  const Column& nested(std::size_t index = 0) const { return *nested_[index]; }
  std::size_t nested_count() const noexcept { return nested_.size(); }
  std::span<const std::uint64_t> ends() const noexcept { return ends_; }
  std::size_t begin_of(std::size_t row) const { return row == 0 ? 0 : ends_[row - 1]; }
  std::size_t end_of(std::size_t row) const { return ends_[row]; }

  std::size_t rows() const noexcept override { return ends_.size(); }
  std::size_t memory_bytes() const noexcept override;
  void clear() noexcept override;

 private:
  std::vector<std::uint64_t> ends_;
  std::vector<ColumnPtr> nested_;
};

}  // namespace spanway::block
