// The protobuf bytes that the JSON reader writes: bounded, and with lengths that are filled in when
// a message ends.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "services/lib/base/bytes.h"
#include "services/lib/base/memory_budget.h"
#include "services/lib/otlp/json_reader.h"
#include "services/lib/otlp/wire.h"

namespace spanway::otlp {

// Single-thread. Once a write would pass `bytes_max`, full() is true and writes do nothing.
// As a BracketStack it takes the words from its own tail, so that one bound and one permit hold for
// all memory.
class JsonOutput final : public BracketStack {
 public:
  // `permit`, which may be null, is grown before the buffer is.
  JsonOutput(std::size_t bytes_max, std::size_t bytes_expected, Permit* permit)
      : bytes_max_(bytes_max), permit_(permit), others_(permit == nullptr ? 0 : permit->bytes()) {
    reserve(std::min(bytes_expected, bytes_max));
  }

  bool full() const noexcept { return full_; }
  // Why it is full.
  bool no_memory() const noexcept { return no_memory_; }
  Bytes take() && { return std::move(bytes_); }

  void varint(std::uint64_t value) {
    char text[10];
    raw({text, static_cast<std::size_t>(wire::put_varint(text, value) - text)});
  }
  void tag(std::uint32_t field, unsigned wire_type) { varint(field << 3 | wire_type); }
  // `size` low bytes of `bits`.
  void fixed(std::uint64_t bits, std::size_t size) {
    char text[8];
    std::memcpy(text, &bits, sizeof(bits));
    raw({text, size});
  }
  void raw(std::string_view bytes) {
    char* place = grow(bytes.size());
    if (place != nullptr && !bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
  }

  // Room for `size` more bytes, to be written by the caller and cut to what it needed; nullptr when
  // full.
  char* grow(std::size_t size) {
    if (full_ || size > bytes_max_ - bytes_.size()) {
      full_ = true;
      return nullptr;
    }
    const std::size_t needed = bytes_.size() + size;
    if (needed > bytes_.capacity()) {
      if (!reserve(std::max(needed, std::min(2 * bytes_.capacity(), bytes_max_)))) return nullptr;
    }
    bytes_.resize(needed);
    return bytes_.data() + needed - size;
  }
  void cut(std::size_t unused) { bytes_.resize(bytes_.size() - unused); }

  bool push(std::uint64_t word) override {
    fixed(word, sizeof(word));
    return !full_;
  }
  std::uint64_t pop() override {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes_.data() + bytes_.size() - sizeof(word), sizeof(word));
    cut(sizeof(word));
    return word;
  }

  // begin() ... end() enclose what a length counts. `length_bytes` are kept free for it; when it
  // takes more or fewer, what was written moves.
  using Mark = std::size_t;
  Mark begin(unsigned length_bytes) {
    grow(length_bytes);
    return bytes_.size();
  }
  void end(Mark mark, unsigned length_bytes) {
    if (full_) return;
    const std::size_t body = bytes_.size() - mark;
    const std::size_t needed = wire::varint_size(body);
    if (needed > length_bytes && grow(needed - length_bytes) == nullptr) return;
    char* start = bytes_.data() + mark - length_bytes;
    if (needed != length_bytes) std::memmove(start + needed, start + length_bytes, body);
    if (needed < length_bytes) cut(length_bytes - needed);
    wire::put_varint(start, body);
  }

 private:
  bool reserve(std::size_t capacity) {
    if (permit_ != nullptr && !permit_->grow_to(others_ + bytes_.capacity() + capacity)) {
      full_ = no_memory_ = true;
      return false;
    }
    bytes_.reserve(capacity);
    if (permit_ != nullptr) permit_->shrink_to(others_ + bytes_.capacity());
    return true;
  }

  Bytes bytes_;
  std::size_t bytes_max_;
  Permit* const permit_;
  const std::size_t others_;  // Bytes of the permit for other things.
  bool full_ = false;
  bool no_memory_ = false;
};

}  // namespace spanway::otlp
