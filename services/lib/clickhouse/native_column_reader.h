// Decodes the parts of a Native block. Internal to clickhouse.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "services/lib/base/result.h"
#include "services/lib/block/block.h"

namespace spanway::clickhouse {

// The unread rest of the bytes. Every function returns false, and its result is undefined, when
// they end too early.
class NativeInput {
 public:
  explicit NativeInput(std::string_view bytes) noexcept : rest_(bytes) {}
  std::string_view rest() const noexcept { return rest_; }

  bool varint(std::uint64_t& value) noexcept {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool word(std::uint64_t& value) noexcept {
    std::string_view bytes;
    if (!take(sizeof(value), 1, bytes)) return false;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return true;
  }
  // `count` values of `width` bytes.
  bool take(std::uint64_t count, std::uint64_t width, std::string_view& bytes) noexcept {
    if (count > rest_.size() / width) return false;
    bytes = rest_.substr(0, count * width);
    rest_.remove_prefix(count * width);
    return true;
  }
  bool text(std::string_view& value) noexcept {
    std::uint64_t size = 0;
    return varint(size) && take(size, 1, value);
  }

 private:
  std::string_view rest_;
};

// The numbers of columns and rows, at the begin of a block. Errors as of NativeReader, but that the
// end of the bytes is known by is_ends_early(); `in` is then anywhere.
Status read_dimensions(NativeInput& in, std::uint64_t& columns, std::uint64_t& rows);
// Name, type and values of one column, added to `block`.
Status read_column(NativeInput& in, std::uint64_t rows, block::Block& block);
bool is_ends_early(const Error& error) noexcept;

}  // namespace spanway::clickhouse
