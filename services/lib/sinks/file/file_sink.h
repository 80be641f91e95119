// Writes batches as lines of OTLP/JSON, one Export request a line.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "services/lib/base/clock.h"
#include "services/lib/base/executor.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/file/config.h"
#include "services/lib/sinks/file/rotating_file.h"
#include "services/lib/sinks/file_ops.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::sinks {

// `pattern` with the signal's name in place of "{signal}".
std::string file_path_for(const std::string& pattern, otlp::Signal signal);

struct FileSinkOptions {
  // "{signal}" becomes traces, metrics or logs; without it all share one file.
  std::string path = {};
  Fsync fsync = Fsync::kAlways;
  Duration fsync_interval = std::chrono::seconds(1);
  RotationOptions rotation = {};
  std::size_t queue_batches_max = 256;      // Waiting or being written; more are refused.
  std::size_t queue_bytes_max = 64u << 20;  // JSON.
};

struct FileSinkDeps {
  FileOps& files;
  // Answers batches whose deadline passes while the disk hangs. Not the writer's own thread.
  Executor& timers;
  const Clock& clock;
  telemetry::Telemetry telemetry;
};

// Thread-safe; one thread of its own writes. A file that is moved away while it is open
// continues to grow where it was moved to: let this sink rotate.
class FileSink final : public pipeline::Sink {
 public:
  FileSink(FileSinkOptions options, const FileSinkDeps& deps);
  // Waits for the write that is under way. What was not written yet is refused.
  ~FileSink() override;
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

 private:
  class Writer;
  std::unique_ptr<Writer> writer_;
};

}  // namespace spanway::sinks
