#include "services/lib/sinks/file/config.h"

#include <string_view>

namespace spanway::sinks {
namespace {

using config::Binder;
using config::Problems;

constexpr double kKibi = 1024.0;
constexpr double kMebi = 1024.0 * kKibi;
constexpr double kGibi = 1024.0 * kMebi;

}  // namespace

static void describe(Binder& b, FileConfig::Rotate& c) {
  b.key("bytes_max", c.bytes_max,
        {.doc = "A file is put aside before it grows above this; 0 = never.",
         .min = 0,
         .max = 1024 * kGibi});
  b.key("age_max", c.age_max,
        {.doc = "A file is put aside when it has been open for this long; 0 = never.",
         .min = 0,
         .max = 24 * 366 * kHourMs});
  b.key("files_max", c.files_max,
        {.doc = "Files kept besides the open one: <path>.1 (the newest) and so on.",
         .min = 0,
         .max = 10'000});
}

void describe(Binder& b, FileConfig& c) {
  b.key("path", c.path,
        {.doc = "The file to append to, one OTLP/JSON request a line. {signal} becomes traces, "
                "metrics or logs; without it all share one file.",
         .example = "/var/lib/spanway/otlp-{signal}.jsonl"});
  b.key("fsync", c.fsync, {"always", "interval", "never"},
        {.doc = "When a batch counts as taken: `always` = on the disk (batches that wait together "
                "share one sync); `interval`, `never` = written, and lost if the machine fails "
                "before the kernel has synced."});
  b.key("fsync_interval", c.fsync_interval,
        {.doc = "For fsync: interval.", .min = 10, .max = 60 * kSecondMs});
  b.section("rotate", c.rotate, "When files are put aside.");
  b.key("queue_bytes_max", c.queue_bytes_max,
        {.doc = "JSON that may wait for the disk; more is refused for now.",
         .min = kMebi,
         .max = 64 * kGibi});
}

void validate(const FileConfig& c, const std::string& path, Problems& problems) {
  if (c.path.empty() || c.path.ends_with('/')) problems.add(path + ".path", "must name a file");
  for (std::size_t at = c.path.find('{'); at != std::string::npos; at = c.path.find('{', at + 1)) {
    if (std::string_view(c.path).substr(at).starts_with("{signal}")) continue;
    problems.add(path + ".path", "has a '{' that does not begin {signal}, the only placeholder");
    break;
  }
}

std::string endpoint_of(const FileConfig& c) { return c.path; }

}  // namespace spanway::sinks
