// A server's answer in ClickHouse's Native format from arbitrary bytes: never a crash, memory in
// proportion to the input, and the same blocks whether the bytes come at once or in pieces.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "services/lib/base/check.h"
#include "services/lib/clickhouse/native_decoder.h"
#include "services/lib/clickhouse/native_reader.h"
#include "services/lib/clickhouse/native_writer.h"

namespace {

using spanway::Bytes;
using spanway::block::Block;
using spanway::clickhouse::append_native;
using spanway::clickhouse::NativeDecoder;
using spanway::clickhouse::NativeReader;

constexpr std::size_t kBlockBytesMax = 64u << 10;
// Columns reserve by doubling, and a name takes an object.
constexpr std::size_t kMemoryFactor = 64;
constexpr std::size_t kMemoryFree = 4096;

// Text and rows of a block that can be written again.
std::size_t checked(const Block& block, std::size_t input_bytes) {
  SPANWAY_CHECK(block.memory_bytes() <= kMemoryFactor * input_bytes + kMemoryFree);
  if (block.check().ok() && block.columns() > 0) {
    Bytes again;
    append_native(block, again);
    const auto read = NativeReader(again.view()).next();
    SPANWAY_CHECK(read.ok() && read->has_value() && (*read)->rows() == block.rows());
  }
  return block.rows();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0] % 64;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);

  NativeDecoder decoder(kBlockBytesMax);
  std::string_view rest = text;
  bool failed = false;
  NativeReader reader(text);
  while (!failed) {
    auto block = decoder.next();
    failed = !block.ok();
    if (failed) break;
    if (block->has_value()) {
      const auto same = reader.next();
      SPANWAY_CHECK(same.ok() && same->has_value());
      SPANWAY_CHECK(checked(**block, size) == (*same)->rows());
      continue;
    }
    if (rest.empty()) break;
    decoder.append(rest.substr(0, piece));
    rest.remove_prefix(std::min(piece, rest.size()));
  }
  SPANWAY_CHECK(decoder.memory_bytes() <= kMemoryFactor * size + kMemoryFree);
  // The reader accepts and refuses the same, but for the decoder's own bound.
  const auto last = reader.next();
  if (!failed && decoder.at_end()) SPANWAY_CHECK(last.ok() && !last->has_value());
  if (!failed && !decoder.at_end()) SPANWAY_CHECK(!last.ok());
  return 0;
}
