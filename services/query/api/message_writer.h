// The answer to a gRPC call as a query worker writes it.
#pragma once

#include <memory>
#include <string_view>

#include "services/lib/base/clock.h"
#include "services/lib/base/result.h"
#include "services/lib/rpc/streaming_service.h"
#include "services/query/store/cancel_token.h"
#include "services/query/store/query_context.h"

namespace spanway::query {

class StreamPeer;

// Belongs to one worker, whom write() blocks while the client does not read. The answer begins with
// the first message. The token is cancelled when the client goes away or the deadline passes after
// that. Dropped unfinished: INTERNAL.
class MessageWriter {
 public:
  // `stall_max`: the longest wait for a client that does not read, as its worker waits with it.
  MessageWriter(rpc::StreamingCall call, CancelToken cancel, Duration stall_max);
  ~MessageWriter();
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;

  // The request's message.
  std::string_view request() const noexcept { return call_.request(); }
  // One message. CANCELLED when the client is gone, DEADLINE_EXCEEDED when the deadline has passed.
  Status write(std::string_view message);
  // OK; a search that ended early says so in the metadata spanway-coverage of the end.
  void finish(const Coverage& coverage);
  // The status of grpc_error(), after the messages that were written.
  void refuse(const Error& error);

 private:
  Status end_of_peer() const;

  rpc::StreamingCall call_;
  const CancelToken cancel_;
  const Duration stall_max_;
  const std::shared_ptr<StreamPeer> peer_;
  bool begun_ = false;
  rpc::MessageStream stream_;
};

// The error as a client of gRPC gets it: INVALID_ARGUMENT, RESOURCE_EXHAUSTED for too much,
// UNAVAILABLE for a store that is away, and so on; INTERNAL for what is Spanway's operator's to
// repair. Stateless.
Error grpc_error(Error error);

}  // namespace spanway::query
