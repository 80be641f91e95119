#include "services/query/api/message_writer.h"

#include <utility>

#include "services/query/api/answer_headers.h"
#include "services/query/api/http_status.h"
#include "services/query/api/stream_peer.h"

namespace spanway::query {

MessageWriter::MessageWriter(rpc::StreamingCall call, CancelToken cancel, Duration stall_max)
    : call_(std::move(call)),
      cancel_(std::move(cancel)),
      stall_max_(stall_max),
      peer_(std::make_shared<StreamPeer>(cancel_)) {}

MessageWriter::~MessageWriter() = default;

Status MessageWriter::end_of_peer() const {
  if (peer_->is_late())
    return transient_error(Code::kDeadlineExceeded, "the deadline of the call has passed")
        .with_reason("deadline_exceeded");
  return transient_error(Code::kCancelled, "the client has closed its request")
      .with_reason("cancelled");
}

Status MessageWriter::write(std::string_view message) {
  if (!begun_) {
    begun_ = true;
    stream_ = call_.start(peer_);
  }
  Bytes framed = rpc::MessageStream::framed(message);
  while (true) {
    peer_->expect_room();
    switch (stream_.write_framed(framed)) {
      case rpc::MessageStream::Write::kTaken:
        return {};
      case rpc::MessageStream::Write::kCancelled:
        cancel_.cancel();
        return end_of_peer();
      case rpc::MessageStream::Write::kFull:
        if (peer_->wait_for_room(stall_max_)) break;
        cancel_.cancel();
        return end_of_peer();
    }
  }
}

void MessageWriter::finish(const Coverage& coverage) {
  http::Headers trailers;
  if (!coverage.complete) trailers.add(kCoverageHeader, coverage_text(coverage));
  if (!begun_) stream_ = call_.start(peer_);
  begun_ = true;
  stream_.finish(std::move(trailers));
}

void MessageWriter::refuse(const Error& error) {
  if (begun_) return stream_.finish(grpc_error(error));
  begun_ = true;
  call_.refuse(grpc_error(error));
}

Error grpc_error(Error error) {
  constexpr int kInternal = 500, kUnavailable = 503;
  const int status = http_status_of(error);
  if (status == kInternal) error.code = Code::kInternal;
  if (status == kUnavailable && error.code != Code::kDeadlineExceeded &&
      error.code != Code::kCancelled)
    error.code = Code::kUnavailable;
  return error;
}

}  // namespace spanway::query
