// One batch on its way to a receiver of remote write.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "services/lib/http/message.h"
#include "services/lib/pipeline/batch.h"
#include "services/lib/sinks/http_poster.h"
#include "services/lib/sinks/in_flight_batch.h"
#include "services/lib/sinks/prometheus/protocol_choice.h"
#include "services/lib/sinks/prometheus/remote_write_answer.h"
#include "services/lib/sinks/prometheus/remote_write_batch.h"

namespace spanway::sinks {

// Sends one request after the other, so that the samples of a series stay in order. Has no lock:
// the answer to a request hands the state over to the next one. Owned by the request that is under
// way.
class RemoteWriteUpload : public std::enable_shared_from_this<RemoteWriteUpload> {
 public:
  // Requests of one batch beyond those it was divided into at first.
  static constexpr std::size_t kDivisionsMax = 512;

  RemoteWriteUpload(std::shared_ptr<InFlightBatch> delivery,
                    const std::shared_ptr<HttpPoster>& poster,
                    std::shared_ptr<ProtocolChoice> choice, RemoteWriteBatch encoded,
                    pipeline::Batch batch);
  void start() { send_next(); }

 private:
  // A request, or what was divided off it.
  struct Piece {
    Bytes block;
    std::uint64_t samples = 0;
    std::uint64_t histograms = 0;
  };

  void send_next();
  void post(HttpPoster& poster);
  void on_answer(Result<http::Response> answer);
  void divide(Error why);
  void end_request();
  // The receiver's refusal, and any.
  void refuse(Error error);
  void fail(Error error, bool from_destination = true);
  void finish(Result<pipeline::Outcome> result, bool from_destination);

  const std::shared_ptr<InFlightBatch> delivery_;
  // Weak: an upload must not keep the client alive on the client's own thread.
  const std::weak_ptr<HttpPoster> poster_;
  const std::shared_ptr<ProtocolChoice> choice_;
  const pipeline::Metadata metadata_;
  const Deadline deadline_;
  const prometheus_write::Protocol protocol_;
  const std::uint64_t points_;
  Permit permit_;
  std::vector<prometheus_write::WriteRequest> requests_;
  std::size_t next_request_ = 0;
  // Pieces of the request that is sent; the last one is next.
  std::vector<Piece> pieces_;
  std::uint64_t refused_entries_ = 0;
  std::size_t divisions_ = 0;
  pipeline::Outcome outcome_;
};

}  // namespace spanway::sinks
