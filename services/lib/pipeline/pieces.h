// One payload in pieces with shared ownership: a payload with several owners is sent without being
// copied into one buffer.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "services/lib/base/bytes.h"

namespace spanway::pipeline {

// Copies share the bytes. Thread contract: external lock; the pieces themselves never change.
class Pieces {
 public:
  Pieces() = default;
  Pieces(const Pieces&) = default;
  Pieces(Pieces&&) noexcept = default;
  Pieces& operator=(const Pieces&) = default;
  Pieces& operator=(Pieces&&) noexcept = default;
  // Not inline: ThreadSanitizer has to instrument the decrement of the owners' count, also in a
  // file that is built without it.
  ~Pieces();

  // Null and empty pieces leave nothing behind.
  void add(std::shared_ptr<const Bytes> piece);
  void add(const Pieces& others);
  std::size_t size() const noexcept { return size_; }  // Bytes.
  const std::vector<std::shared_ptr<const Bytes>>& all() const noexcept { return pieces_; }
  // A copy in one.
  Bytes join() const;
  // Has the payload in one piece afterwards, by a copy if need be; valid as long as that piece.
  std::string_view in_one();

 private:
  std::vector<std::shared_ptr<const Bytes>> pieces_;
  std::size_t size_ = 0;
};

}  // namespace spanway::pipeline
