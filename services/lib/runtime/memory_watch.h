// Holds a process to its memory limit, whatever the account of permits says: measures what the
// kernel counts, gives back what the allocator keeps, closes the gate for new work, and asks the
// service to shed load.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/memory_gate.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::runtime {

// The memory that the kernel counts.
struct MemoryUse {
  std::uint64_t resident = 0;
  // The control group: memory that cannot be reclaimed (with sockets and page tables), and its
  // limit; both 0 where there is none or it is shared with others.
  std::uint64_t group_used = 0;
  std::uint64_t group_limit = 0;
};

// Decides from one measurement to the next. Single-thread; does nothing itself.
class MemoryPolicy {
 public:
  struct Decision {
    bool open = true;   // The gate.
    bool trim = false;  // Give back what the allocator keeps.
    bool shed = false;  // Close connections, drop what can be had again.
  };
  explicit MemoryPolicy(std::uint64_t limit) noexcept : limit_(limit) {}
  // Above 90 % of the limit the gate closes, and opens again below 85 %. Freed memory is given back
  // first; only when that was not enough load is shed.
  Decision decide(const MemoryUse& use, SteadyTime now) noexcept;

 private:
  const std::uint64_t limit_;
  bool open_ = true;
  bool trimmed_while_closed_ = false;
  SteadyTime trimmed_at_ = SteadyTime::min();
};

// The resident bytes from the text of /proc/self/statm; 0 when it is not understood.
std::uint64_t resident_bytes(std::string_view statm, std::uint64_t page_bytes) noexcept;
// Memory of a control group without files that can be dropped, from memory.current and memory.stat.
std::uint64_t unreclaimable_bytes(std::string_view current, std::string_view stat) noexcept;
// Reads /proc and, where the control group's limit is this process's own (at most a quarter above
// `limit`), the group: version 2 of control groups, mounted at `group`.
MemoryUse measure_memory(std::uint64_t limit, const std::string& group = "/sys/fs/cgroup");

// Thread-safe. Measures ten times a second on a thread of its own from start() to the destructor.
class MemoryWatch {
 public:
  // `shed` is called on that thread. All outlive the watch.
  static std::unique_ptr<MemoryWatch> start(MemoryGate& gate, const Clock& clock,
                                            telemetry::Telemetry telemetry,
                                            std::function<void()> shed);
  virtual ~MemoryWatch() = default;
};

}  // namespace spanway::runtime
