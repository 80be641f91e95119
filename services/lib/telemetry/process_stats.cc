#include "services/lib/telemetry/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <system_error>
#include <vector>

#include "services/lib/base/file.h"

namespace spanway::telemetry {
namespace {

// Numbers of the fields in /proc/<pid>/stat, counted from 1 as proc(5) does. The second field, the
// name, may hold spaces and brackets: counting starts behind its last bracket.
constexpr std::size_t kUserTicks = 14;
constexpr std::size_t kSystemTicks = 15;
constexpr std::size_t kThreads = 20;
constexpr std::size_t kStartTicks = 22;
constexpr std::size_t kVirtualBytes = 23;
constexpr std::size_t kResidentPages = 24;
constexpr std::size_t kFirstAfterName = 3;

// "" when it cannot be read.
std::string read_kernel_file(const std::string& path) {
  constexpr std::size_t kBytesMax = 1u << 20;
  const auto text = read_file(path, kBytesMax);
  return text.ok() ? *text : std::string();
}

std::vector<double> stat_fields(const std::string& path) {
  const std::string line = read_kernel_file(path);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(line.substr(name_end + 1));
  std::string word;
  std::vector<double> fields;
  while (rest >> word) fields.push_back(std::strtod(word.c_str(), nullptr));
  return fields;
}

double boot_time_seconds(const std::string& path) {
  std::istringstream file(read_kernel_file(path));
  std::string word;
  double seconds = 0;
  while (file >> word)
    if (word == "btime" && file >> seconds) break;
  return seconds;
}

double count_entries(const std::string& folder) {
  std::error_code error;
  double count = 0;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) ++count;
  return count;
}

}  // namespace

ProcessStats read_process_stats(const std::string& proc) {
  ProcessStats stats;
  const std::vector<double> fields = stat_fields(proc + "/self/stat");
  if (fields.size() > kResidentPages - kFirstAfterName) {
    const auto field = [&fields](std::size_t number) { return fields[number - kFirstAfterName]; };
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    stats.cpu_seconds = (field(kUserTicks) + field(kSystemTicks)) / ticks;
    stats.threads = field(kThreads);
    stats.virtual_bytes = field(kVirtualBytes);
    stats.resident_bytes = field(kResidentPages) * static_cast<double>(sysconf(_SC_PAGESIZE));
    stats.start_time_seconds = boot_time_seconds(proc + "/stat") + field(kStartTicks) / ticks;
  }
  stats.open_files = count_entries(proc + "/self/fd");
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0)
    stats.open_files_max = static_cast<double>(files.rlim_cur);
  return stats;
}

}  // namespace spanway::telemetry
