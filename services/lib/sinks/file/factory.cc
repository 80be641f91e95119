#include "services/lib/sinks/file/factory.h"

#include <utility>

#include "services/lib/sinks/file/file_sink.h"

namespace spanway::sinks {

SinkResult create_file(const DestinationConfig& config, const DestinationDeps& deps) {
  const FileConfig& c = config.file;
  for (const otlp::Signal signal : otlp::kSignals) {
    if (!deps.signals[otlp::index_of(signal)]) continue;
    const std::string path = file_path_for(c.path, signal);
    if (const int error = posix_file_ops().check(path); error != 0)
      return file_error(error, "append to", path).with_context("path");
  }
  FileSinkOptions options;
  options.path = c.path;
  options.fsync = c.fsync;
  options.fsync_interval = c.fsync_interval;
  options.rotation = {.bytes_max = c.rotate.bytes_max.bytes,
                      .age_max = c.rotate.age_max,
                      .files_max = static_cast<std::size_t>(c.rotate.files_max)};
  options.queue_batches_max = static_cast<std::size_t>(config.in_flight_max);
  options.queue_bytes_max = c.queue_bytes_max.bytes;
  const FileSinkDeps file_deps{posix_file_ops(), deps.io.executor(0), deps.clock, deps.telemetry};
  return std::unique_ptr<pipeline::Sink>(std::make_unique<FileSink>(std::move(options), file_deps));
}

}  // namespace spanway::sinks
