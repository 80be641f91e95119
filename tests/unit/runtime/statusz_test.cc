#include "services/lib/runtime/statusz.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace spanway::runtime {
namespace {

TEST(Statusz, LeavesOutWhatIsNotSet) { EXPECT_EQ(to_json({}), R"({"ready":false,"reason":""})"); }

TEST(Statusz, WritesTimesDurationsAndUnknowns) {
  Statusz status;
  status.ready = true;
  status.destination.emplace();
  status.partitions.emplace(1);
  status.stalls.emplace();
  status.commits = {.count = 3, .last = SystemTime(std::chrono::milliseconds(1500))};
  status.received = {{"spans", 5}};
  EXPECT_EQ(to_json(status),
            R"({"ready":true,"reason":"","destination":{"endpoint":"","reachable":null,)"
            R"("last_error":"","last_error_reason":""},"partitions":[{"topic":"","partition":0,)"
            R"("lag_messages":null,"lag_seconds":0.000,"in_flight":0,"stalled":false,)"
            R"("reason":""}],"stalls":[],"commits":{"count":3,"last":"1970-01-01T00:00:01.500Z"},)"
            R"("received":{"spans":5}})");
}

TEST(Statusz, ShowsSeveralServicesByName) {
  Statusz status;
  status.services.emplace();
  status.services->push_back({"bridge", {}});
  status.errors = {{.time = SystemTime{}, .level = "warn", .message = "no \"x\""}};
  EXPECT_EQ(to_json(status),
            R"({"bridge":{"ready":false,"reason":""},"errors":[{"time":"1970-01-01T00:00:00.000Z",)"
            R"("level":"warn","message":"no \"x\""}]})");
}

TEST(Statusz, TruncatesTexts) {
  Statusz status;
  status.reason = std::string(5000, 'x');
  EXPECT_LT(to_json(status).size(), 1200u);
}

// STATUSZ.md is what the declaration says. SPANWAY_UPDATE_GOLDEN=1 writes it.
TEST(Statusz, IsDocumented) {
  const std::string text = statusz_markdown();
  if (std::getenv("SPANWAY_UPDATE_GOLDEN") != nullptr) std::ofstream("STATUSZ.md") << text;
  std::ifstream file("STATUSZ.md");
  std::ostringstream documented;
  documented << file.rdbuf();
  EXPECT_EQ(documented.str(), text) << "run: SPANWAY_UPDATE_GOLDEN=1 runtime_test";
}

TEST(MemoryStatus, ShowsTheAccountByOwnerBesideWhatTheKernelCounts) {
  MemoryGate gate(1000);
  gate.measured(700, true);
  gate.measured(600, true);
  MemoryBudget budget(500, &gate);
  MemoryBudget connections(budget, 100, 20);
  const Permit request = *budget.try_acquire(40);
  const Permit connection = *connections.try_acquire(25);
  Statusz status;
  status.memory = memory_status(&gate, budget, {{"connections", connections}, {"prefetch", 33}});
  EXPECT_EQ(
      to_json(status),
      R"({"ready":false,"reason":"","memory":{"limit":1000,"used":98,"rss":600,"peak":700,)"
      R"("budget":500,"gate_closed":false,"owners":{"requests":40,"connections":25,"prefetch":33}}})");
}

TEST(MemoryStatus, ReportsThatNewWorkIsRefused) {
  MemoryGate gate(1000);
  gate.measured(950, false);
  MemoryBudget budget(500, &gate);
  EXPECT_TRUE(memory_status(&gate, budget, {}).gate_closed);
}

TEST(MemoryStatus, WithoutAGateTheProcessIsNotKnown) {
  MemoryBudget budget(500);
  Statusz status;
  status.memory = memory_status(nullptr, budget, {});
  EXPECT_EQ(to_json(status),
            R"({"ready":false,"reason":"","memory":{"limit":0,"used":0,"rss":0,"peak":0,)"
            R"("budget":500,"gate_closed":false,"owners":{"requests":0}}})");
}

}  // namespace
}  // namespace spanway::runtime
