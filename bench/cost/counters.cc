// Counts the allocations of a process and the bytes that it copies, for bench/cost: preloaded, and
// in front of the C library's functions of the same names. The file that COST_COUNTERS names is
// mapped and has the counts as 64-bit numbers, in the order of `Counts`; cost.py reads it while the
// process runs. Copies that the compiler has written out in place (small ones of fixed size) are
// not seen, nor are the kernel's.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

struct Counts {
  std::atomic<std::uint64_t> allocations;
  std::atomic<std::uint64_t> allocated_bytes;
  std::atomic<std::uint64_t> copied_bytes;
};

Counts nowhere;
Counts* counts = &nowhere;  // Until the file is mapped.

__attribute__((constructor)) void map_counts() {
  const char* const path = std::getenv("COST_COUNTERS");
  if (path == nullptr) return;
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  if (ftruncate(file, sizeof(Counts)) == 0) {
    void* const mapped = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) counts = static_cast<Counts*>(mapped);
  }
  close(file);
}

void count_allocation(std::size_t bytes) {
  counts->allocations.fetch_add(1, std::memory_order_relaxed);
  counts->allocated_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

// By the processor's string instruction: a loop would be compiled to a call of this function.
void* copy_forward(void* to, const void* from, std::size_t size) {
  counts->copied_bytes.fetch_add(size, std::memory_order_relaxed);
  void* const result = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return result;
}

void* copy_backward(void* to, const void* from, std::size_t size) {
  counts->copied_bytes.fetch_add(size, std::memory_order_relaxed);
  char* last_to = static_cast<char*>(to) + size - 1;
  const char* last_from = static_cast<const char*>(from) + size - 1;
  asm volatile("std\n\trep movsb\n\tcld" : "+D"(last_to), "+S"(last_from), "+c"(size) : : "memory");
  return to;
}

}  // namespace

extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  count_allocation(size);
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
  count_allocation(count * size);
  return __libc_calloc(count, size);
}

void* realloc(void* memory, std::size_t size) {
  count_allocation(size);
  return __libc_realloc(memory, size);
}

void* memalign(std::size_t alignment, std::size_t size) {
  count_allocation(size);
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

void* memcpy(void* to, const void* from, std::size_t size) { return copy_forward(to, from, size); }

void* memmove(void* to, const void* from, std::size_t size) {
  const auto distance =
      reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from);
  return distance >= size ? copy_forward(to, from, size) : copy_backward(to, from, size);
}

void* __memcpy_chk(void* to, const void* from, std::size_t size, std::size_t room) {
  if (size > room) std::abort();
  return copy_forward(to, from, size);
}

void* __memmove_chk(void* to, const void* from, std::size_t size, std::size_t room) {
  if (size > room) std::abort();
  return memmove(to, from, size);
}

}  // extern "C"
