// Writes what it receives to the log, and accepts everything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "services/lib/base/clock.h"
#include "services/lib/base/mutex.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/in_flight_batch.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::sinks {

enum class Verbosity {
  kBasic,     // One line a batch: signal, items, bytes, resources, scopes, tenant.
  kDetailed,  // And the batch as OTLP/JSON, cut at `detail_bytes_max`. Shows telemetry content.
};

struct DebugSinkOptions {
  Verbosity verbosity = Verbosity::kBasic;
  std::size_t detail_bytes_max = 4096;
  // More are not written, and counted in the next line; 0 = no limit.
  std::size_t lines_per_second_max = 20;
};

// Thread-safe. Answers before send() returns. Empty batches leave no line.
class DebugSink final : public pipeline::Sink {
 public:
  DebugSink(DebugSinkOptions options, const Clock& clock, telemetry::Telemetry telemetry);
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

 private:
  Status write(pipeline::Batch& batch);
  void write_detail(pipeline::Batch& batch) const;
  // True when this line may be written; then `skipped` says how many were not since the last one.
  bool take_line(std::uint64_t& skipped);

  const DebugSinkOptions options_;
  const Clock& clock_;
  const telemetry::Logger& log_;
  const std::shared_ptr<SinkState> state_;
  Mutex mutex_;
  SteadyTime second_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t lines_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::uint64_t skipped_ SPANWAY_GUARDED_BY(mutex_) = 0;
};

}  // namespace spanway::sinks
