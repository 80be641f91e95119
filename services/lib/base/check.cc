#include "services/lib/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace spanway {
namespace {
std::atomic<std::uint64_t> bugs{0};
std::atomic<const char*> bug_site{""};
}  // namespace

void check_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "spanway: check failed: %s at %s:%d. This is a bug in Spanway.\n",
               expression, file, line);
  std::abort();
}

void count_bug(const char* site) noexcept {
  bug_site.store(site, std::memory_order_relaxed);
  bugs.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t bug_count() noexcept { return bugs.load(std::memory_order_relaxed); }

const char* last_bug_site() noexcept { return bug_site.load(std::memory_order_relaxed); }

}  // namespace spanway
