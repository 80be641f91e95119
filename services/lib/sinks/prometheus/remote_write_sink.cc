#include "services/lib/sinks/prometheus/remote_write_sink.h"

#include <utility>

#include "services/lib/sinks/prometheus/remote_write_upload.h"

namespace spanway::sinks {

RemoteWriteSink::RemoteWriteSink(const RemoteWriteSinkOptions& options, const Clock& clock)
    : batch_options_(options.batch),
      clock_(clock),
      state_(std::make_shared<SinkState>(options.http.in_flight_max, clock)),
      choice_(std::make_shared<ProtocolChoice>(options.protocol)) {}
RemoteWriteSink::~RemoteWriteSink() = default;

Result<std::unique_ptr<RemoteWriteSink>> RemoteWriteSink::create(
    const RemoteWriteSinkOptions& options, const HttpSinkDeps& deps) {
  SPANWAY_ASSIGN(http::Url url, http::Url::parse(options.endpoint));
  HttpOptions http = options.http;
  http.compression = http::ContentCoding::kIdentity;
  std::unique_ptr<RemoteWriteSink> sink(new RemoteWriteSink(options, deps.clock));
  SPANWAY_ASSIGN(sink->poster_, HttpPoster::create(std::move(url), http, deps));
  return sink;
}

void RemoteWriteSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  auto delivery = start_batch(batch, std::move(token), state_);
  if (!delivery) return;
  if (batch.signal != otlp::Signal::kMetrics) {
    return delivery->finish(
        configuration_error(Code::kUnimplemented, "Remote write takes metrics only, and was sent " +
                                                      std::string(otlp::to_string(batch.signal)) +
                                                      "; take this signal off this destination")
            .with_reason("signal_not_supported"),
        /*from_destination=*/false);
  }
  if (batch.deadline.passed(clock_.now()))
    return delivery->finish(deadline_passed(poster_->endpoint()), /*from_destination=*/false);
  auto encoded = remote_write_batch(batch, batch_options_, choice_->current());
  if (!encoded.ok())
    return delivery->finish(std::move(encoded).error(), /*from_destination=*/false);
  if (encoded->requests.empty())
    return delivery->finish(std::move(encoded->outcome), /*from_destination=*/false);
  std::make_shared<RemoteWriteUpload>(std::move(delivery), poster_, choice_,
                                      std::move(encoded).value(), std::move(batch))
      ->start();
}

bool RemoteWriteSink::drain(Deadline deadline) { return state_->drain(deadline); }
pipeline::SinkHealth RemoteWriteSink::health() const { return state_->health(); }

}  // namespace spanway::sinks
