// Sends metrics to a receiver of Prometheus's remote write.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/http_poster.h"
#include "services/lib/sinks/in_flight_batch.h"
#include "services/lib/sinks/prometheus/protocol_choice.h"
#include "services/lib/sinks/prometheus/remote_write_batch.h"

namespace spanway::sinks {

struct RemoteWriteSinkOptions {
  std::string endpoint;                                // "http://host:9090/api/v1/write"
  std::optional<prometheus_write::Protocol> protocol;  // Nothing = as the receiver's answers show.
  RemoteWriteBatchOptions batch;
  HttpOptions http;  // Its compression is not used: requests are blocks of snappy.
};

// Thread-safe. Takes metrics only: other signals are refused as UNIMPLEMENTED, configuration. A
// batch becomes requests that are sent one after the other, and is acknowledged after the last
// answer; the first that is refused refuses the batch. Batches are sent at the same time: who needs
// the samples of a series in order waits for the answer.
class RemoteWriteSink final : public pipeline::Sink {
 public:
  static Result<std::unique_ptr<RemoteWriteSink>> create(const RemoteWriteSinkOptions& options,
                                                         const HttpSinkDeps& deps);
  ~RemoteWriteSink() override;
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

 private:
  RemoteWriteSink(const RemoteWriteSinkOptions& options, const Clock& clock);

  const RemoteWriteBatchOptions batch_options_;
  const Clock& clock_;
  const std::shared_ptr<SinkState> state_;
  const std::shared_ptr<ProtocolChoice> choice_;
  // Shared with the uploads: the next request is sent from the answer to another.
  std::shared_ptr<HttpPoster> poster_;
};

}  // namespace spanway::sinks
