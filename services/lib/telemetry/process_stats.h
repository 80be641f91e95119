// CPU, memory, files and start of this process, from the kernel.
#pragma once

#include <string>

namespace spanway::telemetry {

struct ProcessStats {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double open_files = 0;
  double open_files_max = 0;
  double threads = 0;
  double start_time_seconds = 0;  // Since the epoch.
};

// Reads `<proc>/self/{stat,fd}` and `<proc>/stat`; what cannot be read stays 0. Thread-safe.
ProcessStats read_process_stats(const std::string& proc = "/proc");

}  // namespace spanway::telemetry
