// Sends log records to Grafana Loki.
#pragma once

#include <memory>
#include <string>

#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/http_poster.h"
#include "services/lib/sinks/in_flight_batch.h"
#include "services/lib/sinks/loki/loki_requests.h"
#include "services/lib/sinks/loki/stored_requests.h"

namespace spanway::sinks {

struct LokiSinkOptions {
  std::string endpoint;         // "http://host:3100"; the path of the protocol is appended.
  LokiRequestOptions requests;  // Its compression is that of `http`.
  HttpOptions http;
};

// Thread-safe. Takes logs only: other signals are refused as UNIMPLEMENTED, configuration. A batch
// becomes requests of one stream each, those of a stream one after the other, of at most
// kLokiRequestsMax streams at once; it is acknowledged after the last answer. One that is refused
// refuses the batch, and what waits is not sent. What Loki has stored of it is left out when it
// comes again (StoredRequests), and what is sent again nevertheless Loki shows once.
class LokiSink final : public pipeline::Sink {
 public:
  static Result<std::unique_ptr<LokiSink>> create(const LokiSinkOptions& options,
                                                  const HttpSinkDeps& deps);
  ~LokiSink() override;
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

 private:
  LokiSink(LokiRequestOptions requests, std::size_t in_flight_max, const Clock& clock);

  const LokiRequestOptions requests_;
  const Clock& clock_;
  const std::shared_ptr<SinkState> state_;
  const std::shared_ptr<StoredRequests> stored_;
  // Shared with the uploads: the next request is sent from the answer to another.
  std::shared_ptr<HttpPoster> poster_;
};

}  // namespace spanway::sinks
