#include "services/lib/sinks/prometheus/remote_write_upload.h"

#include <algorithm>
#include <array>
#include <utility>

#include "services/lib/http/snappy.h"
#include "services/lib/prometheus_write/request_halves.h"

namespace spanway::sinks {
namespace {

using prometheus_write::Protocol;
using prometheus_write::WriteRequest;

// More than request_bytes_max and one data point.
constexpr std::size_t kRequestBytesMax = 64u << 20;

http::Headers headers_of(Protocol protocol) {
  http::Headers headers;
  headers.add("x-prometheus-remote-write-version", protocol == Protocol::kV1 ? "0.1.0" : "2.0.0");
  return headers;
}

const char* content_type_of(Protocol protocol) {
  return protocol == Protocol::kV1 ? "application/x-protobuf"
                                   : "application/x-protobuf;proto=io.prometheus.write.v2.Request";
}

// A data point has several entries when it is a histogram: as many points as the refused entries
// are of all, at least one.
std::uint64_t refused_points(std::uint64_t refused_entries, const WriteRequest& request) {
  const std::uint64_t entries = std::max<std::uint64_t>(request.entries(), 1);
  return (refused_entries * request.points + entries - 1) / entries;
}

}  // namespace

RemoteWriteUpload::RemoteWriteUpload(std::shared_ptr<InFlightBatch> delivery,
                                     const std::shared_ptr<HttpPoster>& poster,
                                     std::shared_ptr<ProtocolChoice> choice,
                                     RemoteWriteBatch encoded, pipeline::Batch batch)
    : delivery_(std::move(delivery)),
      poster_(poster),
      choice_(std::move(choice)),
      metadata_(std::move(batch.metadata)),
      deadline_(batch.deadline),
      protocol_(encoded.protocol),
      points_(encoded.points),
      permit_(std::move(batch.permit)),
      requests_(std::move(encoded.requests)),
      outcome_(std::move(encoded.outcome)) {}

void RemoteWriteUpload::send_next() {
  if (pieces_.empty()) {
    if (next_request_ == requests_.size()) return finish(std::move(outcome_), true);
    WriteRequest& request = requests_[next_request_];
    pieces_.push_back({std::move(request.body), request.samples, request.histograms});
  }
  const auto poster = poster_.lock();
  if (poster) post(*poster);
  // Otherwise the sink is gone; the delivery says so.
}

void RemoteWriteUpload::post(HttpPoster& poster) {
  Piece& piece = pieces_.back();
  const bool may_be_divided = protocol_ == Protocol::kV1 && piece.samples + piece.histograms > 1;
  const Status sent =
      poster.post({.path = {},
                   .content_type = content_type_of(protocol_),
                   .body = may_be_divided ? piece.block.clone() : std::move(piece.block),
                   .content_encoding = "snappy",
                   .headers = headers_of(protocol_),
                   .passes = is_remote_write_answer},
                  metadata_, permit_, deadline_,
                  [self = shared_from_this(), endpoint = poster.endpoint()](
                      Result<http::Response> answer) { self->on_answer(std::move(answer)); });
  if (!sent.ok()) fail(sent.error(), /*from_destination=*/false);
}

void RemoteWriteUpload::refuse(Error error) {
  const auto poster = poster_.lock();
  fail(poster ? std::move(error).with_context(poster->endpoint()) : std::move(error));
}

void RemoteWriteUpload::on_answer(Result<http::Response> response) {
  if (!response.ok()) return fail(std::move(response).error());
  const Piece& piece = pieces_.back();
  RemoteWriteAnswer answer =
      read_remote_write_answer(*response, {protocol_, piece.samples, piece.histograms});
  switch (answer.kind) {
    case RemoteWriteAnswer::Kind::kRefused:
      return refuse(std::move(answer.error));
    case RemoteWriteAnswer::Kind::kOtherProtocol:
      return refuse(choice_->refused(protocol_, std::move(answer.error)));
    case RemoteWriteAnswer::Kind::kNothingStored:
      return divide(std::move(answer.error));
    case RemoteWriteAnswer::Kind::kStored:
      break;
  }
  choice_->accepted();
  refused_entries_ += answer.refused_entries;
  if (response->status >= 300 || answer.refused_entries > 0) {
    if (outcome_.message.empty()) outcome_.message = std::move(answer.error.message);
  }
  pieces_.pop_back();
  if (pieces_.empty()) end_request();
  send_next();
}

void RemoteWriteUpload::end_request() {
  outcome_.rejected += refused_points(std::exchange(refused_entries_, 0), requests_[next_request_]);
  outcome_.rejected = std::min(outcome_.rejected, points_);
  ++next_request_;
}

// The receiver has stored nothing of a request that holds good entries, too.
void RemoteWriteUpload::divide(Error why) {
  choice_->accepted();
  if (divisions_ == kDivisionsMax) return refuse(std::move(why));
  ++divisions_;
  const Piece undivided = std::move(pieces_.back());
  pieces_.pop_back();
  const auto body = http::snappy_decode(undivided.block.view(), kRequestBytesMax);
  if (!body.ok()) return fail(body.error(), /*from_destination=*/false);
  const std::size_t held = permit_.bytes();
  if (!permit_.grow_to(held + 3 * body->size()))
    return fail(no_memory("divide a request of remote write"), /*from_destination=*/false);
  auto halves = prometheus_write::halves_of(body->view());
  if (!halves.ok()) return fail(std::move(halves).error(), /*from_destination=*/false);
  const std::uint64_t entries = undivided.samples + undivided.histograms;
  // The kind of an entry makes no difference with 1.0.
  const std::array<std::uint64_t, 2> counts = {entries / 2, entries - entries / 2};
  for (const std::size_t i : {std::size_t{1}, std::size_t{0}})
    pieces_.push_back({http::snappy_encode((*halves)[i].view()), counts[i], 0});
  permit_.shrink_to(held);
  send_next();
}

// A batch whose refused entries are not found in time comes in halves, not as it is: it would take
// as long again.
void RemoteWriteUpload::fail(Error error, bool from_destination) {
  if (divisions_ > 0 && error.code == Code::kDeadlineExceeded)
    error = data_error(Code::kOutOfRange,
                       "The receiver refuses samples that are out of order, too many to find by "
                       "the deadline: " +
                           error.message)
                .with_reason("rw_out_of_order");
  finish(std::move(error), from_destination);
}

void RemoteWriteUpload::finish(Result<pipeline::Outcome> result, bool from_destination) {
  permit_.release();
  delivery_->finish(std::move(result), from_destination);
}

}  // namespace spanway::sinks
