// One owned, movable buffer of bytes. Unlike std::string it can grow without being zeroed, and it
// is never copied by accident.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace spanway {

// Thread contract: external lock. Ownership: the bytes belong to this object; `view()` is valid
// until the next call that is not const.
class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::string_view text) { append(text); }
  Bytes(Bytes&& other) noexcept
      : data_(std::move(other.data_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Bytes& operator=(Bytes&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  static Bytes with_capacity(std::size_t capacity) {
    Bytes bytes;
    bytes.reserve(capacity);
    return bytes;
  }
  Bytes clone() const { return Bytes(view()); }

  char* data() noexcept { return data_.get(); }
  const char* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  bool empty() const noexcept { return size_ == 0; }
  std::string_view view() const noexcept { return {data_.get(), size_}; }
  std::string_view slice(std::size_t offset, std::size_t length) const noexcept {
    return view().substr(offset, length);
  }

  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    std::unique_ptr<char[]> grown(new char[capacity]);
    if (size_ > 0) std::memcpy(grown.get(), data_.get(), size_);
    data_ = std::move(grown);
    capacity_ = capacity;
  }
  // New bytes are not initialised: write them before they are read.
  void resize(std::size_t size) {
    if (size > capacity_) reserve(size > 2 * capacity_ ? size : 2 * capacity_);
    size_ = size;
  }
  void clear() noexcept { size_ = 0; }
  void append(std::string_view text) {
    if (text.empty()) return;
    const std::size_t offset = size_;
    resize(size_ + text.size());
    std::memcpy(data_.get() + offset, text.data(), text.size());
  }
  void push_back(char byte) { append(std::string_view(&byte, 1)); }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace spanway
