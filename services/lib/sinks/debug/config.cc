#include "services/lib/sinks/debug/config.h"

namespace spanway::sinks {
namespace {

using config::Binder;
using config::Problems;

constexpr double kKibi = 1024.0;
constexpr double kMebi = 1024.0 * kKibi;

}  // namespace

void describe(Binder& b, DebugConfig& c) {
  b.key("verbosity", c.verbosity, {"basic", "detailed"},
        {.doc = "basic: one log line a batch with its counts. detailed: its content too."});
  b.key("detail_bytes_max", c.detail_bytes_max,
        {.doc = "How much of a batch's content `detailed` shows.", .min = 256, .max = kMebi});
  b.key("lines_per_second_max", c.lines_per_second_max,
        {.doc = "Batches shown per second; 0 = all.", .min = 0, .max = 1'000'000});
}

void validate(const DebugConfig&, const std::string&, Problems&) {}

std::string endpoint_of(const DebugConfig&) { return "log"; }

}  // namespace spanway::sinks
