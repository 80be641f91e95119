// What the process may use of the machine.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spanway::runtime {

// Cores by affinity and by the control group's CPU limit; at least 1.
std::size_t usable_cores();
// The same from the text of cpu.max ("150000 100000", "max 100000").
std::size_t usable_cores(std::string_view cpu_max, std::size_t cores) noexcept;

// Few malloc arenas: each thread would otherwise keep freed memory of its own. Does nothing when
// the environment (MALLOC_ARENA_MAX, GLIBC_TUNABLES) says something about them. To be called before
// threads start.
void limit_malloc_arenas() noexcept;

}  // namespace spanway::runtime
