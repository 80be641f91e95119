// How a buffer grows while a peer sends: with the bytes that have come, not with those that were
// announced.
#pragma once

#include <algorithm>
#include <cstddef>

#include "services/lib/base/bytes.h"
#include "services/lib/base/memory_budget.h"

namespace spanway {

// A peer that has sent this much is given room for all that it has announced, up to kReserveBytes.
// Room is not memory: pages cost nothing before they are written.
inline constexpr std::size_t kArrivalTrustBytes = 4 * 1024;
inline constexpr std::size_t kReserveBytes = 1024 * 1024;

// The capacity for `least` bytes, at most `announced` of which (0 = unknown) will come.
constexpr std::size_t arrival_capacity(std::size_t least, std::size_t announced) noexcept {
  const std::size_t floor = least < kArrivalTrustBytes ? kArrivalTrustBytes
                            : announced > 0            ? std::max(kReserveBytes, 2 * least)
                                                       : 2 * least;
  return announced > 0 ? std::max(std::min(floor, announced), least) : floor;
}

// Makes room for `more` bytes behind those of `buffer`. The permit covers what has come, and as
// much again so that it is not called for each piece; both buffers while one is moved to a larger
// one. False: no memory now, or the process is near its limit.
inline bool make_room(Bytes& buffer, std::size_t more, std::size_t announced, Permit& permit) {
  const std::size_t total = buffer.size() + more;
  const bool moves = total > buffer.capacity();
  const std::size_t needed = moves ? total + buffer.size() : total;
  if (needed > permit.bytes()) {
    if (!permit.admits()) return false;
    const std::size_t ahead = std::max(needed, std::min(2 * total, std::max(announced, total)));
    if (!permit.grow_to(ahead) && !permit.grow_to(needed)) return false;
  }
  if (moves) buffer.reserve(arrival_capacity(total, announced));
  return true;
}

}  // namespace spanway
