#include "services/lib/sinks/zipkin/zipkin_sink.h"

#include <utility>

namespace spanway::sinks {
namespace {

constexpr const char* kSpansPath = "/api/v2/spans";

pipeline::Outcome outcome_of(std::uint64_t rejected) {
  if (rejected == 0) return {};
  return {.rejected = rejected,
          .message = std::to_string(rejected) +
                     " spans have no valid trace and span id, or attributes nested too deep"};
}

}  // namespace

// One batch on its way. Used by one thread at a time: send()'s, then that of each answer.
struct ZipkinSink::Upload {
  std::shared_ptr<InFlightBatch> delivery;
  // Weak: an upload must not keep the client alive on the client's own thread.
  std::weak_ptr<HttpPoster> poster;
  ZipkinRequests requests;
  std::size_t next = 0;
  pipeline::Metadata metadata;
  Deadline deadline = Deadline::never();
  Permit permit;
};

ZipkinSink::ZipkinSink(ZipkinJsonOptions json, std::size_t in_flight_max, const Clock& clock)
    : json_(std::move(json)), state_(std::make_shared<SinkState>(in_flight_max, clock)) {}
ZipkinSink::~ZipkinSink() = default;

Result<std::unique_ptr<ZipkinSink>> ZipkinSink::create(const ZipkinSinkOptions& options,
                                                       const HttpSinkDeps& deps) {
  SPANWAY_ASSIGN(http::Url url, http::Url::parse(options.endpoint));
  if (url.path == "/") url.path = kSpansPath;
  std::unique_ptr<ZipkinSink> sink(
      new ZipkinSink(options.json, options.http.in_flight_max, deps.clock));
  SPANWAY_ASSIGN(sink->poster_, HttpPoster::create(std::move(url), options.http, deps));
  return sink;
}

// The payload is given back once it is converted; the permit then covers the JSON.
Result<ZipkinRequests> ZipkinSink::convert(pipeline::Batch& batch) const {
  const std::size_t held = batch.permit.bytes();
  SPANWAY_ASSIGN(ZipkinRequests requests,
                 to_zipkin_json(batch.payload.view(), json_, [&](std::size_t total) {
                   return batch.permit.grow_to(held + total);
                 }));
  batch.payload = Bytes();
  batch.permit.shrink_to(requests.total_bytes());
  return requests;
}

void ZipkinSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  auto delivery = start_batch(batch, std::move(token), state_);
  if (!delivery) return;
  if (batch.signal != otlp::Signal::kTraces) {
    return delivery->finish(
        configuration_error(Code::kUnimplemented, "Zipkin takes traces only, and was sent " +
                                                      std::string(otlp::to_string(batch.signal)) +
                                                      "; take this signal off this destination")
            .with_reason("signal_not_supported"),
        /*from_destination=*/false);
  }
  auto requests = convert(batch);
  if (!requests.ok())
    return delivery->finish(std::move(requests).error(), /*from_destination=*/false);
  // Nothing that Zipkin could take: reported like every span that it cannot take.
  if (requests->spans == 0 && requests->rejected > 0)
    return delivery->finish(outcome_of(requests->rejected), /*from_destination=*/false);
  auto upload = std::make_shared<Upload>();
  upload->delivery = std::move(delivery);
  upload->poster = poster_;
  upload->requests = std::move(requests).value();
  upload->metadata = std::move(batch.metadata);
  upload->deadline = batch.deadline;
  upload->permit = std::move(batch.permit);
  post_next(std::move(upload));
}

void ZipkinSink::post_next(std::shared_ptr<Upload> upload) {
  const auto poster = upload->poster.lock();
  if (!poster) return;  // The sink is gone; the delivery says so.
  HttpPoster::Request request{.path = "",
                              .content_type = "application/json",
                              .body = std::move(upload->requests.bodies[upload->next++])};
  auto sent = poster->post(std::move(request), upload->metadata, upload->permit, upload->deadline,
                           [upload](Result<http::Response> answer) {
                             if (!answer.ok()) {
                               upload->permit.release();
                               return upload->delivery->finish(std::move(answer).error());
                             }
                             if (upload->next < upload->requests.bodies.size())
                               return post_next(upload);
                             upload->permit.release();
                             upload->delivery->finish(outcome_of(upload->requests.rejected));
                           });
  if (!sent.ok()) upload->delivery->finish(std::move(sent).error(), /*from_destination=*/false);
}

bool ZipkinSink::drain(Deadline deadline) { return state_->drain(deadline); }
pipeline::SinkHealth ZipkinSink::health() const { return state_->health(); }

}  // namespace spanway::sinks
