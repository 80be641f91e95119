// The last resort of dead letters: a file of JSON lines, one per letter, on the disk before a
// letter counts as written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/kafka-bridge/consume/dead_letter_parts.h"
#include "services/lib/base/result.h"
#include "services/lib/sinks/file_ops.h"

namespace spanway::kafka_bridge {

// Single-thread; blocks while it writes. A line:
//   {"topic":"otel.traces.dlq","headers":{"spanway-error":"..."},"value":"<base64>"}
// Opened for each letter, so that the file can be moved away at any time. What was written half is
// truncated; a line that a crash has left without an end is closed by a line feed.
class DeadLetterFile {
 public:
  DeadLetterFile(std::string path, std::uint64_t bytes_max, sinks::FileOps& files)
      : path_(std::move(path)), bytes_max_(bytes_max), files_(files) {}

  // Configuration error when the file has reached its bound, or may not be written; transient when
  // the disk is full.
  Status append(std::string_view topic, const RecordHeaders& headers, std::string_view payload);
  const std::string& path() const noexcept { return path_; }

 private:
  Status write_line(int file, std::string_view topic, const RecordHeaders& headers,
                    std::string_view payload);
  Status write_all(int file, std::string_view bytes);

  const std::string path_;
  const std::uint64_t bytes_max_;
  sinks::FileOps& files_;
};

}  // namespace spanway::kafka_bridge
