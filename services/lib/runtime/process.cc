#include "services/lib/runtime/process.h"

#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace spanway::runtime {
namespace {

constexpr int kArenas = 2;

}  // namespace

std::size_t usable_cores(std::string_view cpu_max, std::size_t cores) noexcept {
  cores = std::max<std::size_t>(cores, 1);
  const std::size_t blank = cpu_max.find(' ');
  if (blank == std::string_view::npos) return cores;
  std::uint64_t quota = 0;
  std::uint64_t period = 0;
  const char* const end = cpu_max.data() + cpu_max.size();
  if (std::from_chars(cpu_max.data(), end, quota).ec != std::errc{}) return cores;
  if (std::from_chars(cpu_max.data() + blank + 1, end, period).ec != std::errc{}) return cores;
  if (quota == 0 || period == 0) return cores;
  return std::clamp<std::size_t>(quota / period + (quota % period == 0 ? 0 : 1), 1, cores);
}

std::size_t usable_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string line;
  std::getline(file, line);
  return usable_cores(line, std::thread::hardware_concurrency());
}

void limit_malloc_arenas() noexcept {
  const char* tunables = std::getenv("GLIBC_TUNABLES");
  if (std::getenv("MALLOC_ARENA_MAX") != nullptr) return;
  if (tunables != nullptr &&
      std::string_view(tunables).find("glibc.malloc.arena_max") != std::string_view::npos)
    return;
  mallopt(M_ARENA_MAX, kArenas);
}

}  // namespace spanway::runtime
