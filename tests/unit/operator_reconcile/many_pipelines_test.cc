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
  const char* desired = std::getenv("SPANWAY_TEST_PIPELINES");
  const int number = desired == nullptr ? 0 : std::atoi(desired);
  return number > 0 ? number : 20;
}

// CPU time of this process: other work on the machine does not count.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::size_t heap_bytes() { return mallinfo2().uordblks; }

// The memory of new stores that list everything.
std::size_t heap_of_stores(ControllerFixture& fixture) {
  const std::size_t before = heap_bytes();
  const Stores stores({}, Stores::owned_kinds({}));
  for (const Stores::Entry& entry : stores.entries()) {
    kube::ListOptions options;
    options.label_selector = entry.label_selector;
    entry.store->replace(fixture.kube.list(entry.type, options)->items);
  }
  return heap_bytes() - before;
}

// CPU time of one reconciliation of each, without that of the fake server.
double reconcile_all(ControllerFixture& fixture) {
  fixture.sync();
  const double start = cpu_seconds();
  for (const kube::ObjectKey& key : fixture.stores->pipelines()) {
    const auto again = fixture.controller->reconcile(key);
    if (!again.ok()) fixture.errors.push_back(again.error());
  }
  const double took = cpu_seconds() - start;
  fixture.sync();
  return took;
}

TEST(ManyPipelines, ReconcileInTheFirstRoundAndRestInTheNext) {
  const int pipelines = how_many();
  ControllerFixture fixture;
  for (int i = 0; i < pipelines; ++i)
    fixture.kube.put(kube::kPipelines, ControllerFixture::pipeline("p" + std::to_string(i)));
  const double first = reconcile_all(fixture);
  EXPECT_TRUE(fixture.errors.empty());
  EXPECT_EQ(fixture.kube.all(kube::kDeployments).size(), 3u * static_cast<unsigned>(pipelines));

  reconcile_all(fixture);  // The status after the first writes.
  fixture.kube.forget_writes();
  const double rest = reconcile_all(fixture);
  // The memory of a new operator for them.
  fixture.restart();
  const std::size_t before = heap_bytes();
  reconcile_all(fixture);
  const std::size_t remembered =
      (heap_bytes() - before) / static_cast<std::size_t>(std::max(1, pipelines));
  EXPECT_LT(remembered, 16u << 10) << "128 MiB at 1000 Pipelines, and most of it is the stores'";
  EXPECT_EQ(fixture.kube.write_count(), 0u);
  const std::size_t objects = fixture.stores->size();
  const std::size_t heap = heap_of_stores(fixture);
  std::printf(
      "%d Pipelines: installed in %.2f CPU seconds, reconciled again in %.2f (%.1f ms each); %zu "
      "objects, "
      "%.1f MiB of text, %.1f MiB of heap, %zu bytes each; %zu bytes remembered of a Pipeline\n",
      pipelines, first, rest, 1000 * rest / pipelines, objects,
      static_cast<double>(fixture.stores->bytes()) / (1 << 20),
      static_cast<double>(heap) / (1 << 20), heap / std::max<std::size_t>(1, objects), remembered);
}

}  // namespace
}  // namespace spanway::reconcile
