#include "services/lib/runtime/process.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <thread>

#include "services/lib/base/file.h"

namespace spanway::runtime {
namespace {

constexpr int kArenas = 2;
// Request bodies, batches and answers of brokers, of up to 16 MiB each, come and go many times a
// second. The kernel would have to give and zero their pages each time; an arena keeps this much
// for the next ones instead. What is larger than the second is given back at once.
constexpr int kKeptBytesMax = 64 << 20;
constexpr int kHeapBytesMax = 24 << 20;

bool environment_says(const char* variable, std::string_view tunable) noexcept {
  if (std::getenv(variable) != nullptr) return true;
  const char* tunables = std::getenv("GLIBC_TUNABLES");
  return tunables != nullptr && std::string_view(tunables).find(tunable) != std::string_view::npos;
}

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
  constexpr std::size_t kBytesMax = 4096;
  const auto quota = read_file("/sys/fs/cgroup/cpu.max", kBytesMax);
  return usable_cores(quota.ok() ? *quota : std::string(), std::thread::hardware_concurrency());
}

void tune_malloc(std::uint64_t memory_limit) noexcept {
  constexpr std::uint64_t kKeptParts = 8;
  constexpr std::uint64_t kHeapParts = 64;
  constexpr std::uint64_t kHeapBytesMin = 1 << 20;
  const std::uint64_t kept = std::min<std::uint64_t>(kKeptBytesMax, memory_limit / kKeptParts);
  // Holes that large buffers leave in a heap are not given back; those of a mapping are.
  const std::uint64_t heap =
      std::clamp<std::uint64_t>(memory_limit / kHeapParts, kHeapBytesMin, kHeapBytesMax);
  if (environment_says("MALLOC_TRIM_THRESHOLD_", "glibc.malloc.trim_threshold") ||
      environment_says("MALLOC_MMAP_THRESHOLD_", "glibc.malloc.mmap_threshold"))
    return;
  mallopt(M_TRIM_THRESHOLD, static_cast<int>(kept));
  mallopt(M_MMAP_THRESHOLD, static_cast<int>(heap));
}

void tune_malloc() noexcept {
  if (!environment_says("MALLOC_ARENA_MAX", "glibc.malloc.arena_max")) {
    mallopt(M_ARENA_MAX, kArenas);
  }
  // Setting one stops malloc from moving the other.
  if (!environment_says("MALLOC_TRIM_THRESHOLD_", "glibc.malloc.trim_threshold") &&
      !environment_says("MALLOC_MMAP_THRESHOLD_", "glibc.malloc.mmap_threshold")) {
    mallopt(M_TRIM_THRESHOLD, kKeptBytesMax);
    mallopt(M_MMAP_THRESHOLD, kHeapBytesMax);
  }
}

void raise_open_files() noexcept {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);  // A refused limit stays as it was.
}

}  // namespace spanway::runtime
