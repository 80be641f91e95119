#include "services/lib/runtime/memory_status.h"

#include <gtest/gtest.h>

namespace spanway::runtime {
namespace {

TEST(MemoryStatus, ShowsTheAccountByOwnerBesideWhatTheKernelCounts) {
  MemoryGate gate(1000);
  gate.measured(700, true);
  gate.measured(600, true);
  MemoryBudget budget(500, &gate);
  MemoryBudget connections(budget, 100, 20);
  const Permit request = *budget.try_acquire(40);
  const Permit connection = *connections.try_acquire(25);
  EXPECT_EQ(memory_json(&gate, budget, {{"connections", connections}, {"prefetch", 33}}),
            R"({"limit":1000,"used":98,"rss":600,"peak":700,"budget":500,)"
            R"("gate_closed":false,"owners":{"requests":40,"connections":25,"prefetch":33}})");
}

TEST(MemoryStatus, SaysThatNewWorkIsRefused) {
  MemoryGate gate(1000);
  gate.measured(950, false);
  MemoryBudget budget(500, &gate);
  EXPECT_NE(memory_json(&gate, budget, {}).find(R"("gate_closed":true)"), std::string::npos);
}

TEST(MemoryStatus, WithoutAGateTheProcessIsNotKnown) {
  MemoryBudget budget(500);
  EXPECT_EQ(memory_json(nullptr, budget, {}),
            R"({"limit":0,"used":0,"rss":0,"peak":0,"budget":500,)"
            R"("gate_closed":false,"owners":{"requests":0}})");
}

}  // namespace
}  // namespace spanway::runtime
