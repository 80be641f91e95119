#include "services/kafka-bridge/passes.h"

#include <gtest/gtest.h>

#include <string>

namespace spanway::kafka_bridge {
namespace {

TEST(Passes, CountEachSignalAndTenantForItself) {
  Passes passes;
  const auto before = passes.of(otlp::Signal::kTraces, "a");
  passes.add(otlp::Signal::kTraces, "b");
  passes.add(otlp::Signal::kLogs, "a");
  EXPECT_EQ(passes.of(otlp::Signal::kTraces, "a"), before);
  passes.add(otlp::Signal::kTraces, "a");
  EXPECT_GT(passes.of(otlp::Signal::kTraces, "a"), before);
}

TEST(Passes, AreBoundedAndStillGrow) {
  Passes passes;
  for (std::size_t i = 0; i <= Passes::kTenantsMax; ++i) {
    passes.add(otlp::Signal::kTraces, "tenant-" + std::to_string(i));
  }
  const auto last =
      passes.of(otlp::Signal::kTraces, "tenant-" + std::to_string(Passes::kTenantsMax));
  EXPECT_EQ(passes.of(otlp::Signal::kTraces, "tenant-0"), 0u) << "forgotten";
  passes.add(otlp::Signal::kTraces, "tenant-0");
  EXPECT_GT(passes.of(otlp::Signal::kTraces, "tenant-0"), last);
}

}  // namespace
}  // namespace spanway::kafka_bridge
