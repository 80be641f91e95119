#include "services/lib/telemetry/process_stats.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace spanway::telemetry {
namespace {

namespace fs = std::filesystem;

TEST(ProcessStats, AreThoseOfThisProcess) {
  const ProcessStats stats = read_process_stats();
  EXPECT_GT(stats.resident_bytes, 100'000);
  EXPECT_GE(stats.virtual_bytes, stats.resident_bytes);
  EXPECT_GE(stats.threads, 1);
  EXPECT_GE(stats.open_files, 3);
  EXPECT_GE(stats.open_files_max, stats.open_files);
  const double now = static_cast<double>(std::chrono::duration_cast<std::chrono::seconds>(
                                             std::chrono::system_clock::now().time_since_epoch())
                                             .count());
  EXPECT_LE(stats.start_time_seconds, now + 2);
  EXPECT_GT(stats.start_time_seconds, now - 3600);
}

class ProcessStatsOfAFolder : public testing::Test {
 protected:
  ProcessStatsOfAFolder() {
    fs::remove_all(proc_);
    fs::create_directories(proc_ + "/self/fd");
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(proc_ + name) << text;
  }
  const std::string proc_ = testing::TempDir() + "spanway_proc";
};

TEST_F(ProcessStatsOfAFolder, ReadsPastNamesWithBrackets) {
  write("/self/stat",
        "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 7 0 1000 8192 3 0 0\n");
  write("/stat", "cpu 1 2 3\nbtime 1700000000\nprocesses 5\n");
  write("/self/fd/0", "");
  write("/self/fd/1", "");
  const ProcessStats stats = read_process_stats(proc_);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_EQ(stats.cpu_seconds, 300 / ticks);
  EXPECT_EQ(stats.threads, 7);
  EXPECT_EQ(stats.virtual_bytes, 8192);
  EXPECT_EQ(stats.resident_bytes, 3.0 * static_cast<double>(sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(stats.start_time_seconds, 1700000000 + 1000 / ticks);
  EXPECT_EQ(stats.open_files, 2);
}

TEST_F(ProcessStatsOfAFolder, LeavesOutWhatCannotBeRead) {
  EXPECT_EQ(read_process_stats(proc_ + "/missing").resident_bytes, 0);
  write("/self/stat", "42 (short) S 1\n");
  EXPECT_EQ(read_process_stats(proc_).threads, 0);
  write("/self/stat", "no bracket");
  EXPECT_EQ(read_process_stats(proc_).threads, 0);
}

}  // namespace
}  // namespace spanway::telemetry
