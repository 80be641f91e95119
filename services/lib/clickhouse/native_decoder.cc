#include "services/lib/clickhouse/native_decoder.h"

#include <string>
#include <utility>

#include "services/lib/clickhouse/native_column_reader.h"

namespace spanway::clickhouse {
namespace {

// Unread bytes from which on a column that is not complete is tried again only once an eighth of
// them has come: the work stays proportional to the bytes.
constexpr std::size_t kRetryAlwaysBytes = 1u << 18;

}  // namespace

Result<std::optional<block::Block>> NativeDecoder::next() {
  const std::size_t have = unread().size();
  if (have == 0 && !begun_) return std::optional<block::Block>();
  if (tried_ > kRetryAlwaysBytes && have < tried_ + tried_ / 8)
    return std::optional<block::Block>();
  if (!begun_) {
    SPANWAY_ASSIGN(begun_, read_header());
    if (!begun_) return std::optional<block::Block>();
  }
  while (columns_left_ > 0) {
    SPANWAY_ASSIGN(const bool complete, read_column());
    if (!complete) return std::optional<block::Block>();
  }
  begun_ = false;
  return std::optional<block::Block>(std::exchange(block_, block::Block()));
}

Result<bool> NativeDecoder::read_header() {
  NativeInput in(unread());
  if (Status status = read_dimensions(in, columns_left_, rows_); !status.ok()) {
    if (is_ends_early(status.error())) return false;
    return std::move(status).error();
  }
  block_bytes_ = 0;
  drop(unread().size() - in.rest().size());
  return true;
}

Result<bool> NativeDecoder::read_column() {
  NativeInput in(unread());
  block::Block one;
  if (Status status = clickhouse::read_column(in, rows_, one); !status.ok()) {
    if (!is_ends_early(status.error())) return std::move(status).error();
    tried_ = unread().size();
    if (block_bytes_ + tried_ > block_bytes_max_)
      return data_error(Code::kResourceExhausted, "The server's answer has a block above " +
                                                      std::to_string(block_bytes_max_) + " bytes")
          .with_reason("block_too_large");
    return false;
  }
  tried_ = 0;
  drop(unread().size() - in.rest().size());
  block_.add(one.name(0), one.take(0));
  --columns_left_;
  return true;
}

void NativeDecoder::drop(std::size_t bytes) {
  used_ += bytes;
  block_bytes_ += bytes;
  if (used_ < bytes_.size() / 2) return;
  bytes_ = Bytes(unread());
  used_ = 0;
}

}  // namespace spanway::clickhouse
