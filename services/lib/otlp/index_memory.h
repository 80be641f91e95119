// The memory of a scan's index. Internal to otlp.
#pragma once

#include <cstddef>
#include <vector>

#include "services/lib/base/memory_budget.h"
#include "services/lib/base/result.h"
#include "services/lib/otlp/scan.h"

namespace spanway::otlp {

// Bytes of the vectors, used or not.
std::size_t capacity_bytes(const Index& index, const std::vector<Slice>& resource_slices) noexcept;

// Grows the vectors of an index, and the permit first. Single-thread; the arguments outlive it, and
// the permit may be null: no bound then.
class IndexMemory {
 public:
  IndexMemory(const Index& index, const std::vector<Slice>& resource_slices, Permit* permit)
      : index_(index), resource_slices_(resource_slices), permit_(permit) {}

  // Makes room for `more` entries. False: there is none, and error() has the cause.
  template <typename T>
  bool room_in(std::vector<T>& entries, std::size_t more) {
    if (entries.capacity() - entries.size() >= more) [[likely]]
      return true;
    const std::size_t capacity = capacity_for(entries.capacity(), entries.size() + more);
    if (!acquire(capacity * sizeof(T))) return false;
    entries.reserve(capacity);
    release_unused();
    return true;
  }
  const Error& error() const noexcept { return error_; }

 private:
  static std::size_t capacity_for(std::size_t now, std::size_t needed) noexcept;
  // The permit covers both buffers until the entries have been moved.
  bool acquire(std::size_t more_bytes);
  void release_unused();

  const Index& index_;
  const std::vector<Slice>& resource_slices_;
  Permit* const permit_;
  Error error_;
};

}  // namespace spanway::otlp
