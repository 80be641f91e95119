// Limits of the process: CPU, malloc and open files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace spanway::runtime {

// Cores by affinity and by the control group's CPU limit; at least 1.
std::size_t usable_cores();
// The same from the text of cpu.max ("150000 100000", "max 100000").
std::size_t usable_cores(std::string_view cpu_max, std::size_t cores) noexcept;

// Few malloc arenas: each thread would otherwise keep freed memory of its own. Those few keep up to
// 64 MiB each of what was in use once, never more than that was. Leaves alone what the environment
// (MALLOC_ARENA_MAX, MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_, GLIBC_TUNABLES) says something
// about. To be called before threads start.
void tune_malloc() noexcept;
// The same once the limit of the process is known: an arena keeps an eighth of it at most, and
// buffers above a 64th are not of an arena.
void tune_malloc(std::uint64_t memory_limit) noexcept;

// Raises the soft limit of open files, which shells and systemd set to 1024, to the hard one. No
// code of ours uses select(), which is what the low one is for.
void raise_open_files() noexcept;

}  // namespace spanway::runtime
