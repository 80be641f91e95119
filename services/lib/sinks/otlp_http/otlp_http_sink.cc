#include "services/lib/sinks/otlp_http/otlp_http_sink.h"

#include <charconv>
#include <utility>

#include "services/lib/sinks/batch_json.h"

namespace spanway::sinks {
namespace {

constexpr std::string_view content_type(otlp::Encoding encoding) {
  return encoding == otlp::Encoding::kJson ? "application/json" : "application/x-protobuf";
}

// An answer that is too long to be kept counts by its status: everything was accepted.
bool is_cut(const http::Response& response) {
  std::uint64_t announced = 0;
  const std::string_view length = response.headers.get("content-length");
  const auto [end, error] =
      std::from_chars(length.data(), length.data() + length.size(), announced);
  return error == std::errc() && announced > response.body.size();
}

// An empty body is a full success: many backends send none. Any other body must be an Export
// response; a login page answered with 200 is not, and what was sent is not taken.
Result<pipeline::Outcome> read_answer(otlp::Signal signal, const http::Response& response,
                                      const HttpEvents& events) {
  if (response.body.empty()) return pipeline::Outcome{};
  const std::string_view type = response.headers.get("content-type");
  const bool is_json = type.starts_with("application/json");
  if (!is_json && !type.starts_with("application/x-protobuf")) return not_the_api(response);
  if (is_cut(response)) return pipeline::Outcome{};
  auto parsed = otlp::parse_export_response(
      signal, response.body.view(), is_json ? otlp::Encoding::kJson : otlp::Encoding::kProtobuf);
  if (!parsed.ok()) {
    events.unreadable_answer(parsed.error());
    return not_the_api(response);
  }
  return pipeline::Outcome{.rejected = parsed->rejected, .message = std::move(parsed->message)};
}

// Kept until the answer.
struct Pending {
  std::shared_ptr<InFlightBatch> delivery;
  Permit permit;
  otlp::Signal signal;
};

}  // namespace

OtlpHttpSink::OtlpHttpSink(otlp::Encoding encoding, std::size_t in_flight_max, const Clock& clock)
    : encoding_(encoding), state_(std::make_shared<SinkState>(in_flight_max, clock)) {}
OtlpHttpSink::~OtlpHttpSink() = default;

Result<std::unique_ptr<OtlpHttpSink>> OtlpHttpSink::create(const OtlpHttpSinkOptions& options,
                                                           const HttpSinkDeps& deps) {
  std::unique_ptr<OtlpHttpSink> sink(
      new OtlpHttpSink(options.encoding, options.http.in_flight_max, deps.clock));
  for (const otlp::Signal signal : otlp::kSignals) {
    const std::string& own = options.signal_endpoints[otlp::index_of(signal)];
    SPANWAY_ASSIGN(http::Url url, http::Url::parse(own.empty() ? options.endpoint : own));
    if (own.empty()) url.path = append_path(url.path, otlp::http_path(signal));
    SPANWAY_TRY(sink->add_route(signal, url, options, deps));
  }
  return sink;
}

Status OtlpHttpSink::add_route(otlp::Signal signal, const http::Url& url,
                               const OtlpHttpSinkOptions& options, const HttpSinkDeps& deps) {
  Route& route = routes_[otlp::index_of(signal)];
  route.path = url.path;
  for (std::size_t i = 0; i < posters_.size(); ++i) {
    if (!posters_[i]) {
      http::Url origin = url;
      origin.path = "/";
      origins_[i] = origin;
      SPANWAY_ASSIGN(posters_[i], HttpPoster::create(std::move(origin), options.http, deps));
    } else if (origins_[i].https != url.https || origins_[i].host != url.host ||
               origins_[i].port != url.port) {
      continue;
    }
    route.poster = posters_[i].get();
    return {};
  }
  return {};  // Not reached: there are as many places as signals.
}

Result<Bytes> OtlpHttpSink::encode(pipeline::Batch& batch) const {
  if (encoding_ == otlp::Encoding::kProtobuf) return std::move(batch.payload);
  SPANWAY_ASSIGN(const std::string json, batch_to_json(batch));
  if (!batch.permit.grow_to(batch.permit.bytes() + json.size()))
    return no_memory("convert a batch to JSON");
  Bytes body(json);
  batch.payload = Bytes();
  batch.permit.shrink_to(body.size());
  return body;
}

void OtlpHttpSink::send(pipeline::Batch batch, pipeline::AckToken token) noexcept {
  auto delivery = start_batch(batch, std::move(token), state_);
  if (!delivery) return;
  auto body = encode(batch);
  if (!body.ok()) return delivery->finish(std::move(body).error(), /*from_destination=*/false);

  const Route& route = routes_[otlp::index_of(batch.signal)];
  HttpPoster::Request request{.path = route.path,
                              .content_type = std::string(content_type(encoding_)),
                              .body = std::move(body).value()};
  auto pending = std::make_shared<Pending>(
      Pending{std::move(delivery), std::move(batch.permit), batch.signal});
  auto sent = route.poster->post(
      std::move(request), batch.metadata, pending->permit, batch.deadline,
      [pending, events = route.poster->shared_events(),
       endpoint = route.poster->endpoint()](Result<http::Response> answer) {
        pending->permit.release();
        if (!answer.ok()) return pending->delivery->finish(std::move(answer).error());
        auto read = read_answer(pending->signal, answer.value(), *events);
        if (!read.ok())
          return pending->delivery->finish(std::move(read).error().with_context(endpoint));
        pending->delivery->finish(std::move(read));
      });
  if (!sent.ok()) pending->delivery->finish(std::move(sent).error(), /*from_destination=*/false);
}

bool OtlpHttpSink::drain(Deadline deadline) { return state_->drain(deadline); }
pipeline::SinkHealth OtlpHttpSink::health() const { return state_->health(); }

}  // namespace spanway::sinks
