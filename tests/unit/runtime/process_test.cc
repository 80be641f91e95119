#include "services/lib/runtime/process.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>

namespace spanway::runtime {
namespace {

// Uses 24 MiB in buffers of 4 MiB and frees them; returns the page faults of that.
long faults_of_large_buffers() {
  constexpr std::size_t kBytes = 4 << 20;
  const auto faults = [] {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_minflt;
  };
  const long before = faults();
  std::array<std::unique_ptr<char[]>, 6> buffers;
  for (auto& buffer : buffers) {
    buffer.reset(new char[kBytes]);
    std::memset(buffer.get(), 1, kBytes);
  }
  return faults() - before;
}

TEST(TuneMalloc, LargeBuffersComeBackWithTheirPages) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers bring their own malloc";
#endif
  tune_malloc();
  faults_of_large_buffers();
  EXPECT_LT(faults_of_large_buffers(), 1000) << "of 6144 pages";
}

TEST(UsableCores, RoundsTheLimitUpWithinTheMachine) {
  EXPECT_EQ(usable_cores("150000 100000", 64), 2U);
  EXPECT_EQ(usable_cores("200000 100000\n", 64), 2U);
  EXPECT_EQ(usable_cores("10000 100000", 64), 1U);
  EXPECT_EQ(usable_cores("800000 100000", 2), 2U);
}

TEST(UsableCores, WithoutALimitAreThoseOfTheMachine) {
  EXPECT_EQ(usable_cores("max 100000", 64), 64U);
  EXPECT_EQ(usable_cores("", 4), 4U);
  EXPECT_EQ(usable_cores("nonsense", 4), 4U);
  EXPECT_EQ(usable_cores("1 ", 4), 4U);
  EXPECT_EQ(usable_cores("1 0", 4), 4U);
  EXPECT_EQ(usable_cores("", 0), 1U);
  EXPECT_GE(usable_cores(), 1U);
}

}  // namespace
}  // namespace spanway::runtime
