#include "services/lib/runtime/memory_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "services/lib/base/mutex.h"
#include "tests/fakes/manual_clock.h"

namespace spanway::runtime {
namespace {

using std::chrono::milliseconds;

class MemoryPolicyTest : public testing::Test {
 protected:
  MemoryPolicy::Decision at(std::uint64_t percent) {
    clock_.advance(milliseconds(600));
    return policy_.decide({.resident = percent * 10}, clock_.now());
  }
  fakes::ManualClock clock_;
  MemoryPolicy policy_{1000};
};

TEST_F(MemoryPolicyTest, TheGateClosesAt90PercentAndOpensBelow85) {
  EXPECT_TRUE(at(89).open);
  EXPECT_FALSE(at(90).open);
  EXPECT_FALSE(at(86).open);
  EXPECT_TRUE(at(84).open);
  EXPECT_TRUE(at(89).open);
}

TEST_F(MemoryPolicyTest, ConnectionsAreClosedOnlyWhenGivingFreedMemoryBackWasNotEnough) {
  const auto first = at(95);
  EXPECT_TRUE(first.trim);
  EXPECT_FALSE(first.shed);
  EXPECT_TRUE(at(95).shed);
  EXPECT_FALSE(at(88).shed) << "it helps";
  EXPECT_FALSE(at(80).shed);
  EXPECT_FALSE(at(95).shed) << "again freed memory first";
}

TEST_F(MemoryPolicyTest, FreedMemoryIsGivenBackNearTheLimitButNotAllTheTime) {
  EXPECT_TRUE(at(86).trim);
  EXPECT_FALSE(policy_.decide({.resident = 870}, clock_.now() + milliseconds(100)).trim);
  EXPECT_TRUE(at(86).trim);
}

TEST_F(MemoryPolicyTest, APeakDoesNotStayForGood) {
  EXPECT_FALSE(at(25).trim);
  EXPECT_TRUE(at(50).trim);
  EXPECT_FALSE(at(50).trim);
  clock_.advance(std::chrono::seconds(30));
  EXPECT_TRUE(at(50).trim);
}

TEST_F(MemoryPolicyTest, TheControlGroupCountsToo) {
  EXPECT_FALSE(
      policy_.decide({.resident = 100, .group_used = 1900, .group_limit = 2000}, clock_.now())
          .open);
  EXPECT_TRUE(
      policy_.decide({.resident = 100, .group_used = 1000, .group_limit = 2000}, clock_.now())
          .open);
}

TEST(MemoryUse, ReadsStatm) {
  EXPECT_EQ(resident_bytes("42000 5123 2000 10 0 9000 0\n", 4096), 5123u * 4096);
  EXPECT_EQ(resident_bytes("", 4096), 0u);
  EXPECT_EQ(resident_bytes("garbage", 4096), 0u);
}

TEST(MemoryUse, FilesThatCanBeDroppedDoNotCount) {
  const char* stat =
      "anon 500\nfile 400\ninactive_anon 70\ninactive_file 300\nactive_file 100\nsock 20\n";
  EXPECT_EQ(unreclaimable_bytes("1000\n", stat), 600u);
  EXPECT_EQ(unreclaimable_bytes("100\n", stat), 0u);
  EXPECT_EQ(unreclaimable_bytes("", ""), 0u);
}

TEST(MemoryUse, MeasuresThisProcess) { EXPECT_GT(measure_memory(1).resident, 100'000u); }

class ControlGroupTest : public testing::Test {
 protected:
  ControlGroupTest() : folder_(testing::TempDir() + "cgroup-" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_);
    write("memory.current", "900\n");
    write("memory.stat", "anon 500\ninactive_file 300\nactive_file 100\n");
  }
  ~ControlGroupTest() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  const std::string folder_;
};

TEST_F(ControlGroupTest, IsReadWhereItsLimitIsThisProcesssOwn) {
  write("memory.max", "1250\n");
  const MemoryUse use = measure_memory(1000, folder_);
  EXPECT_EQ(use.group_limit, 1250u);
  EXPECT_EQ(use.group_used, 500u);
  EXPECT_GT(use.resident, 0u);
}

TEST_F(ControlGroupTest, IsLeftOutWhereOthersShareItOrItHasNoLimit) {
  for (const char* max : {"1251\n", "max\n", ""}) {
    write("memory.max", max);
    EXPECT_EQ(measure_memory(1000, folder_).group_limit, 0u) << max;
    EXPECT_EQ(measure_memory(1000, folder_).group_used, 0u) << max;
  }
  EXPECT_EQ(measure_memory(1000, folder_ + "/none").group_limit, 0u);
}

TEST(MemoryWatch, MeasuresAndReports) {
  const telemetry::Logger log = telemetry::Logger::null();
  telemetry::Metrics metrics;
  MemoryGate gate(1u << 20);  // Less than any process has.
  Mutex mutex;
  CondVar shed_called;
  bool shed = false;
  const auto watch = MemoryWatch::start(gate, system_clock(), {log, metrics}, [&] {
    MutexLock lock(mutex);
    shed = true;
    shed_called.notify_all();
  });
  MutexLock lock(mutex);
  ASSERT_TRUE(shed_called.wait_for(mutex, std::chrono::seconds(30),
                                   [&]() SPANWAY_REQUIRES(mutex) { return shed; }));
  EXPECT_FALSE(gate.is_open());
  EXPECT_GT(gate.resident(), gate.limit());
  EXPECT_EQ(metrics.value("spanway_runtime_memory_gate_closed"), 1);
}

}  // namespace
}  // namespace spanway::runtime
