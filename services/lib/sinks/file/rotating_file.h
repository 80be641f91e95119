// A file of lines that is put aside when it is large or old.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/sinks/events.h"
#include "services/lib/sinks/file_ops.h"

namespace spanway::sinks {

struct RotationOptions {
  std::uint64_t bytes_max = 100u << 20;  // 0 = size does not rotate.
  Duration age_max = Duration::zero();   // Since this process opened the file; 0 = never.
  std::size_t files_max = 10;            // Kept besides the open one: path.1 (newest) to path.N.
};

// Single-thread. A line is in the file completely or not at all: a line that could not be written
// to its end is cut off again, and what an earlier crash left half written is closed with a line
// feed.
class RotatingFile {
 public:
  // `durable`: files put aside are synced, and so are the folder's entries.
  RotatingFile(std::string path, RotationOptions options, bool durable, FileOps& ops,
               const Clock& clock, const FileEvents& events);
  ~RotatingFile();
  RotatingFile(const RotatingFile&) = delete;
  RotatingFile& operator=(const RotatingFile&) = delete;

  // Opens the file when it is not open; rotates before the line when it is due. `line` ends with a
  // line feed. An empty line only opens.
  Status append(std::string_view line);
  // Everything appended since the last sync() is on the disk. After an error nothing is known of
  // it: it must be written again.
  Status sync();
  bool dirty() const noexcept { return dirty_; }
  const std::string& path() const noexcept { return path_; }

 private:
  Status open();
  void close() noexcept;
  bool rotation_due(std::size_t more) const noexcept;
  Status rotate();
  Status write_all(std::string_view bytes);

  const std::string path_;
  const RotationOptions options_;
  const bool durable_;
  FileOps& ops_;
  const Clock& clock_;
  const FileEvents& events_;
  int file_ = -1;
  std::uint64_t size_ = 0;
  SteadyTime opened_at_;
  bool torn_ = false;    // The last line has no end: begin the next one with a line feed.
  bool dirty_ = false;   // Appended and not synced.
  int failed_sync_ = 0;  // The errno of a sync that failed while rotating.
};

}  // namespace spanway::sinks
