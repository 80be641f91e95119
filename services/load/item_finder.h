// Finds the load tool's numbers in a received Export request, and skips everything else.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "services/lib/otlp/signal.h"

namespace spanway::load {

struct FoundItem {
  std::uint64_t run = 0;
  std::uint64_t number = 0;
  std::uint64_t due_unix_nano = 0;
};

// Reused from request to request for its memory. External lock.
struct FoundItems {
  std::vector<FoundItem> items;
  std::uint64_t foreign = 0;  // Items that the load tool has not made.
};

// False when the framing is broken as far as it was read. `found` is overwritten.
bool find_items(otlp::Signal signal, std::string_view payload, FoundItems& found);

}  // namespace spanway::load
