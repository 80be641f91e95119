#include "services/lib/otlp/index_memory.h"

#include <algorithm>
#include <chrono>

namespace spanway::otlp {
namespace {

template <typename T>
std::size_t capacity_bytes(const std::vector<T>& entries) noexcept {
  return entries.capacity() * sizeof(T);
}

}  // namespace

std::size_t capacity_bytes(const Index& index, const std::vector<Slice>& resource_slices) noexcept {
  return capacity_bytes(index.resources) + capacity_bytes(index.scopes) +
         capacity_bytes(index.items) + capacity_bytes(index.prefix_slices) +
         capacity_bytes(index.request_slices) + capacity_bytes(resource_slices);
}

std::size_t IndexMemory::capacity_for(std::size_t now, std::size_t needed) noexcept {
  constexpr std::size_t kEntriesMin = 64;
  return std::max({kEntriesMin, 2 * now, needed});
}

bool IndexMemory::acquire(std::size_t more_bytes) {
  const std::size_t total = capacity_bytes(index_, resource_slices_) + more_bytes;
  if (permit_ == nullptr || total <= kOwnIndexBytes || permit_->grow_to(total - kOwnIndexBytes))
    return true;
  const bool never = !permit_->can_ever_hold(total - kOwnIndexBytes);
  error_ = never ? data_error(Code::kResourceExhausted,
                              "the request holds so many items that their index does not fit "
                              "into memory_limit; send smaller requests")
                       .with_reason("index_too_large")
                 : transient_error(Code::kResourceExhausted,
                                   "no memory is left for the index of the request")
                       .with_reason("no_memory")
                       .with_retry_after(std::chrono::seconds(1));
  return false;
}

void IndexMemory::release_unused() {
  const std::size_t reserved = capacity_bytes(index_, resource_slices_);
  if (permit_ != nullptr) permit_->shrink_to(reserved - std::min(reserved, kOwnIndexBytes));
}

}  // namespace spanway::otlp
