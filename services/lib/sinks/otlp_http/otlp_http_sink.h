// Sends batches as OTLP/HTTP requests.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "services/lib/otlp/signal.h"
#include "services/lib/otlp/status_map.h"
#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/http_poster.h"
#include "services/lib/sinks/in_flight_batch.h"

namespace spanway::sinks {

struct OtlpHttpSinkOptions {
  std::string endpoint;  // "http://host:4318"; "/v1/traces" and so on are appended to its path.
  // URLs for single signals, taken as they are; empty = from `endpoint`.
  std::array<std::string, 3> signal_endpoints;
  otlp::Encoding encoding = otlp::Encoding::kProtobuf;
  HttpOptions http;
};

// Thread-safe. An answer with partial_success acks with its counts. A 2xx whose body cannot be read
// is an ack: the destination has the batch, and sending it again would only double it.
class OtlpHttpSink final : public pipeline::Sink {
 public:
  static Result<std::unique_ptr<OtlpHttpSink>> create(const OtlpHttpSinkOptions& options,
                                                      const HttpSinkDeps& deps);
  ~OtlpHttpSink() override;
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

 private:
  struct Route {
    HttpPoster* poster = nullptr;
    std::string path;  // With the query.
  };
  OtlpHttpSink(otlp::Encoding encoding, std::size_t in_flight_max, const Clock& clock);
  Status add_route(otlp::Signal signal, const http::Url& url, const OtlpHttpSinkOptions& options,
                   const HttpSinkDeps& deps);
  Result<Bytes> encode(pipeline::Batch& batch) const;

  const otlp::Encoding encoding_;
  const std::shared_ptr<SinkState> state_;
  // One client per origin.
  std::array<std::unique_ptr<HttpPoster>, 3> posters_;
  std::array<http::Url, 3> origins_;
  std::array<Route, 3> routes_;
};

}  // namespace spanway::sinks
