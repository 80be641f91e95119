// How the controller does with many Pipelines: printed, not asserted, but for what must hold.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tests/unit/operator_reconcile/controller_fixture.h"

namespace spanway::reconcile {
namespace {

// SPANWAY_TEST_PIPELINES asks for another number.
int how_many() {
  const char* wanted = std::getenv("SPANWAY_TEST_PIPELINES");
  const int number = wanted == nullptr ? 0 : std::atoi(wanted);
  return number > 0 ? number : 20;
}

// Of this process: other work on the machine does not count.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::size_t heap_bytes() { return mallinfo2().uordblks; }

// What new stores take that list everything.
std::size_t heap_of_stores(Bench& bench) {
  const std::size_t before = heap_bytes();
  const Stores stores({}, Stores::owned_kinds(false, false));
  for (const Stores::Entry& entry : stores.entries()) {
    kube::ListOptions options;
    options.label_selector = entry.label_selector;
    entry.store->replace(bench.kube.list(entry.type, options)->items);
  }
  return heap_bytes() - before;
}

// CPU time of one look at each of them; what the fake server takes is left out.
double look_at_all(Bench& bench) {
  bench.sync();
  const double start = cpu_seconds();
  for (const kube::ObjectKey& key : bench.stores->pipelines()) {
    const auto again = bench.controller->reconcile(key);
    if (!again.ok()) bench.errors.push_back(again.error());
  }
  const double took = cpu_seconds() - start;
  bench.sync();
  return took;
}

TEST(ManyPipelines, ReconcileInTheFirstRoundAndRestInTheNext) {
  const int pipelines = how_many();
  Bench bench;
  for (int i = 0; i < pipelines; ++i)
    bench.kube.put(kube::kPipelines, Bench::pipeline("p" + std::to_string(i)));
  const double first = look_at_all(bench);
  EXPECT_TRUE(bench.errors.empty());
  EXPECT_EQ(bench.kube.all(kube::kDeployments).size(), 3u * static_cast<unsigned>(pipelines));

  look_at_all(bench);  // The status after the first writes.
  bench.kube.forget_writes();
  const double rest = look_at_all(bench);
  // What a new operator comes to remember of them.
  bench.restart();
  const std::size_t before = heap_bytes();
  look_at_all(bench);
  const std::size_t remembered =
      (heap_bytes() - before) / static_cast<std::size_t>(std::max(1, pipelines));
  EXPECT_LT(remembered, 16u << 10) << "128 MiB at 1000 Pipelines, and most of it is the stores'";
  EXPECT_EQ(bench.kube.write_count(), 0u);
  const std::size_t objects = bench.stores->size();
  const std::size_t heap = heap_of_stores(bench);
  std::printf(
      "%d Pipelines: installed in %.2f CPU seconds, looked at again in %.2f (%.1f ms each); %zu "
      "objects, "
      "%.1f MiB of text, %.1f MiB of heap, %zu bytes each; %zu bytes remembered of a Pipeline\n",
      pipelines, first, rest, 1000 * rest / pipelines, objects,
      static_cast<double>(bench.stores->bytes()) / (1 << 20), static_cast<double>(heap) / (1 << 20),
      heap / std::max<std::size_t>(1, objects), remembered);
}

}  // namespace
}  // namespace spanway::reconcile
