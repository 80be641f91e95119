// Assertions. They are for mistakes of ours, never for input, peers, disks or brokers.
#pragma once

#include <atomic>
#include <cstdint>

namespace spanway {

// Prints the place and the text, then aborts.
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;

// Counts a "cannot happen" that the process survives. The total is exported as
// spanway_bugs_total; anything above zero deserves an issue. Thread-safe.
void count_bug(const char* site) noexcept;
std::uint64_t bug_count() noexcept;
// The site passed to the latest count_bug, or "" when there was none.
const char* last_bug_site() noexcept;

}  // namespace spanway

#define SPANWAY_CHECK(expression)                               \
  do {                                                          \
    if (!(expression)) [[unlikely]]                             \
      ::spanway::check_failed(#expression, __FILE__, __LINE__); \
  } while (false)

#ifdef NDEBUG
#define SPANWAY_ASSERT(expression) \
  do {                             \
  } while (false)
#else
#define SPANWAY_ASSERT(expression) SPANWAY_CHECK(expression)
#endif
