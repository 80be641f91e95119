// How the controller does with many Pipelines: printed, not asserted, but for what must hold.
#include <gtest/gtest.h>
#include <malloc.h>

#include <chrono>
#include <cstdio>

#include "tests/unit/operator_reconcile/bench.h"

namespace spanway::reconcile {
namespace {

constexpr int kPipelines = 50;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::size_t heap_bytes() { return mallinfo2().uordblks; }

TEST(ManyPipelines, ReconcileInTheFirstRoundAndRestInTheNext) {
  Bench bench;
  for (int i = 0; i < kPipelines; ++i)
    bench.kube.put(kube::kPipelines, Bench::pipeline("p" + std::to_string(i)));
  bench.sync();
  const std::size_t before = heap_bytes();
  auto start = std::chrono::steady_clock::now();
  bench.resync();
  EXPECT_TRUE(bench.errors.empty());
  const double first = seconds_since(start);
  EXPECT_EQ(bench.kube.all(kube::kDeployments).size(), 3u * kPipelines);

  bench.resync();  // The status after the first writes.
  bench.kube.forget_writes();
  start = std::chrono::steady_clock::now();
  bench.resync();
  const double rest = seconds_since(start);
  EXPECT_EQ(bench.kube.write_count(), 0u);
  std::printf(
      "%d Pipelines: installed in %.2f s, looked at again in %.2f s; stores %zu objects, %.1f MiB "
      "of text; heap of everything, the fake API server included, grew by %.1f MiB\n",
      kPipelines, first, rest, bench.stores->size(),
      static_cast<double>(bench.stores->bytes()) / (1 << 20),
      static_cast<double>(heap_bytes() - before) / (1 << 20));
}

}  // namespace
}  // namespace spanway::reconcile
