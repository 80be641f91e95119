// destination.file: files of OTLP/JSON lines.
#pragma once

#include <string>

#include "services/lib/sinks/shared_sections.h"

namespace spanway::sinks {

// When a batch counts as taken.
enum class Fsync {
  kAlways,    // On the disk; batches that wait together share one fdatasync.
  kInterval,  // Written; synced every `fsync_interval`.
  kNever,     // Written; the kernel syncs when it likes.
};

struct FileConfig {
  std::string path = "otlp-{signal}.jsonl";
  Fsync fsync = Fsync::kAlways;
  Duration fsync_interval = std::chrono::seconds(1);
  struct Rotate {
    config::ByteSize bytes_max{100u << 20};
    Duration age_max = Duration::zero();
    std::int64_t files_max = 10;
  } rotate;
  config::ByteSize queue_bytes_max{64u << 20};
};

void describe(config::Binder& b, FileConfig& c);
// `path` is that of the section, for problems.
void validate(const FileConfig& c, const std::string& path, config::Problems& problems);
// For logs and /statusz: without user info, query or headers.
std::string endpoint_of(const FileConfig& c);

}  // namespace spanway::sinks
