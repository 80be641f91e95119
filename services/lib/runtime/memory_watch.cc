#include "services/lib/runtime/memory_watch.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "services/lib/base/file.h"
#include "services/lib/base/loop.h"
#include "services/lib/runtime/events.h"

namespace spanway::runtime {
namespace {

constexpr Duration kInterval = std::chrono::milliseconds(100);
constexpr Duration kTrimInterval = std::chrono::milliseconds(500);
constexpr std::uint64_t kClosePercent = 90;
constexpr std::uint64_t kOpenPercent = 85;
// Below the first nothing is given back; above it now and then, so that a peak does not stay.
constexpr std::uint64_t kKeptPercent = 30;
constexpr Duration kLeisurelyTrimInterval = std::chrono::seconds(30);

// The first number of a text.
std::optional<std::uint64_t> number_in(std::string_view text) noexcept {
  std::uint64_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{})
    return std::nullopt;
  return number;
}

// The number behind `name` at the start of a line.
std::uint64_t line_of(std::string_view text, std::string_view name) noexcept {
  for (std::size_t at = text.find(name); at != std::string_view::npos;
       at = text.find(name, at + 1)) {
    if (at == 0 || text[at - 1] == '\n')
      return number_in(text.substr(at + name.size())).value_or(0);
  }
  return 0;
}

std::string read_kernel_file(const std::string& path) {
  constexpr std::size_t kBytesMax = 64 * 1024;
  const auto text = read_file(path, kBytesMax);
  return text.ok() ? *text : std::string();
}

std::uint64_t percent_used(const MemoryUse& use, std::uint64_t limit) noexcept {
  const std::uint64_t own = use.resident / std::max<std::uint64_t>(limit / 100, 1);
  const std::uint64_t group =
      use.group_limit == 0 ? 0 : use.group_used / std::max<std::uint64_t>(use.group_limit / 100, 1);
  return std::max(own, group);
}

}  // namespace

std::uint64_t resident_bytes(std::string_view statm, std::uint64_t page_bytes) noexcept {
  const std::size_t blank = statm.find(' ');
  if (blank == std::string_view::npos) return 0;
  return number_in(statm.substr(blank + 1)).value_or(0) * page_bytes;
}

std::uint64_t unreclaimable_bytes(std::string_view current, std::string_view stat) noexcept {
  const std::uint64_t used = number_in(current).value_or(0);
  const std::uint64_t files = line_of(stat, "inactive_file ") + line_of(stat, "active_file ");
  return used - std::min(used, files);
}

MemoryUse measure_memory(std::uint64_t limit, const std::string& group) {
  MemoryUse use;
  use.resident = resident_bytes(read_kernel_file("/proc/self/statm"),
                                static_cast<std::uint64_t>(getpagesize()));
  const auto group_limit = number_in(read_kernel_file(group + "/memory.max"));
  if (!group_limit || *group_limit > limit + limit / 4) return use;
  use.group_limit = *group_limit;
  use.group_used = unreclaimable_bytes(read_kernel_file(group + "/memory.current"),
                                       read_kernel_file(group + "/memory.stat"));
  return use;
}

MemoryPolicy::Decision MemoryPolicy::decide(const MemoryUse& use, SteadyTime now) noexcept {
  const std::uint64_t percent = percent_used(use, limit_);
  if (percent >= kClosePercent) {
    open_ = false;
  } else if (percent < kOpenPercent) {
    open_ = true;
    trimmed_while_closed_ = false;
  }
  Decision decision{.open = open_};
  // Freed memory that the allocator keeps counts, too.
  const Duration interval = percent >= kOpenPercent ? kTrimInterval : kLeisurelyTrimInterval;
  decision.trim = percent >= kKeptPercent &&
                  (trimmed_at_ == SteadyTime::min() || now - trimmed_at_ >= interval);
  decision.shed = !open_ && trimmed_while_closed_ && percent >= kClosePercent;
  if (decision.trim) {
    trimmed_at_ = now;
    trimmed_while_closed_ = !open_;
  }
  return decision;
}

namespace {

class Watch final : public MemoryWatch {
 public:
  Watch(MemoryGate& gate, const Clock& clock, telemetry::Telemetry telemetry,
        std::function<void()> shed)
      : gate_(gate),
        log_(telemetry.log),
        limit_gauge_(telemetry.metrics.gauge(kMemoryLimit)),
        closed_(telemetry.metrics.gauge(kMemoryGateClosed)),
        shed_(std::move(shed)),
        policy_(gate.limit()),
        loop_("memory", clock) {
    limit_gauge_.set(static_cast<double>(gate.limit()));
  }
  ~Watch() override { loop_.stop(); }

  void tick() {
    const MemoryUse use = measure_memory(gate_.limit());
    const MemoryPolicy::Decision decision = policy_.decide(use, loop_.clock().now());
    if (decision.open != gate_.is_open()) report(use, decision.open);
    gate_.measured(use.resident, decision.open);
    if (decision.trim) malloc_trim(0);
    if (decision.shed) shed_();
    loop_.post_after(kInterval, [this] { tick(); });
  }
  void begin() {
    loop_.post([this] { tick(); });
  }

 private:
  void report(const MemoryUse& use, bool open) {
    closed_.set(open ? 0 : 1);
    const telemetry::LogLevel level =
        open ? telemetry::LogLevel::kInfo : telemetry::LogLevel::kWarn;
    log_.limited(level, open ? "memory_gate_open" : "memory_gate_closed",
                 open ? "Memory is below its limit again; new work is taken"
                      : "Memory is near its limit; new work is refused for now. Raise memory_limit "
                        "or add replicas",
                 {{"resident_bytes", use.resident},
                  {"group_bytes", use.group_used},
                  {"limit_bytes", gate_.limit()}});
  }

  MemoryGate& gate_;
  const telemetry::Logger log_;
  const telemetry::Gauge limit_gauge_, closed_;
  const std::function<void()> shed_;
  MemoryPolicy policy_;
  Loop loop_;
};

}  // namespace

std::unique_ptr<MemoryWatch> MemoryWatch::start(MemoryGate& gate, const Clock& clock,
                                                telemetry::Telemetry telemetry,
                                                std::function<void()> shed) {
  auto watch = std::make_unique<Watch>(gate, clock, telemetry, std::move(shed));
  watch->begin();
  return watch;
}

}  // namespace spanway::runtime
