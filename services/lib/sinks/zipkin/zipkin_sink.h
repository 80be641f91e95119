// Sends spans to a Zipkin server: POST /api/v2/spans, JSON.
#pragma once

#include <memory>
#include <string>

#include "services/lib/pipeline/sink.h"
#include "services/lib/sinks/http_poster.h"
#include "services/lib/sinks/in_flight_batch.h"
#include "services/lib/sinks/zipkin/zipkin_json.h"

namespace spanway::sinks {

struct ZipkinSinkOptions {
  std::string endpoint;  // "http://host:9411"; a URL without a path gets "/api/v2/spans".
  ZipkinJsonOptions json;
  HttpOptions http;
};

// Thread-safe. Takes traces only: other signals are refused as UNIMPLEMENTED, configuration. A
// batch of several bodies is posted one body after the other and acknowledged after the last; when
// one is refused, the whole batch is (Zipkin merges spans that come twice).
class ZipkinSink final : public pipeline::Sink {
 public:
  static Result<std::unique_ptr<ZipkinSink>> create(const ZipkinSinkOptions& options,
                                                    const HttpSinkDeps& deps);
  ~ZipkinSink() override;
  void send(pipeline::Batch batch, pipeline::AckToken token) noexcept override;
  bool drain(Deadline deadline) override;
  pipeline::SinkHealth health() const override;

 private:
  struct Upload;
  ZipkinSink(ZipkinJsonOptions json, std::size_t in_flight_max, const Clock& clock);
  Result<ZipkinRequests> convert(pipeline::Batch& batch) const;
  static void post_next(std::shared_ptr<Upload> upload);

  const ZipkinJsonOptions json_;
  const std::shared_ptr<SinkState> state_;
  // Shared with the uploads: the next body is posted from the answer to the last one.
  std::shared_ptr<HttpPoster> poster_;
};

}  // namespace spanway::sinks
