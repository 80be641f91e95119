// An answer whose body is sent as it is written, over HTTP/1.1 and HTTP/2 alike: with back-pressure
// to the writer, and with the peer's cancellation reported to it. Responder::start_stream() makes
// it.
#pragma once

#include <cstddef>
#include <memory>

#include "services/lib/base/bytes.h"
#include "services/lib/base/clock.h"
#include "services/lib/http/message.h"

namespace spanway::http {

// Why a streamed answer ended before its writer had finished it.
enum class CancelReason : unsigned char {
  kPeerGone,         // The peer reset the stream or closed the connection.
  kConnectionEnded,  // The server ended the connection: its age, its memory, a stall, the shutdown.
  kDeadline,         // StreamOptions::deadline has passed.
  kNoBody,           // The request is HEAD, or the status has no body.
};

// Implemented by the writer of a streamed answer. Both are called on the connection's io thread
// and must not block; they may call the ResponseStream.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  // There is room again after write() has returned kFull.
  virtual void on_writable() = 0;
  // At most once, and neither after finish() nor after abort().
  virtual void on_cancelled(CancelReason reason) = 0;
};

struct StreamOptions {
  // Written and not yet sent. The bound of each stream, charged to the connection's memory for as
  // long as the stream is open; one chunk that is larger is taken alone.
  std::size_t buffer_bytes_max = 64 * 1024;
  Deadline deadline = Deadline::never();
  // How the answer ends at the deadline over HTTP/2, for protocols that have their status in
  // trailers: chunks that have not begun are dropped, and these trailers follow. Empty, or when the
  // peer does not read on for some seconds: RST_STREAM CANCEL. HTTP/1.1 ends the connection.
  Headers deadline_trailers = {};
};

class StreamBody;

// The writer's end. Thread-safe against the connection; external lock between writers. Move-only.
// Dropped unfinished = abort(). May outlive the connection and the server.
class ResponseStream {
 public:
  enum class Write : unsigned char {
    kTaken,
    kFull,       // Not taken: write it again after on_writable().
    kCancelled,  // Not taken: nothing more will be sent.
  };
  ResponseStream() = default;
  explicit ResponseStream(std::shared_ptr<StreamBody> body) : body_(std::move(body)) {}
  ResponseStream(ResponseStream&&) noexcept = default;
  ResponseStream& operator=(ResponseStream&& other) noexcept;
  ~ResponseStream();

  // Takes all of the chunk or nothing; `chunk` is left as it is when it was not taken.
  Write write(Bytes& chunk);
  Write write(std::string_view chunk);
  // The body is complete. Trailers are sent over HTTP/2 and in the chunked coding of HTTP/1.1.
  void finish(Headers trailers = {});
  // The peer must not take the body for complete: RST_STREAM INTERNAL_ERROR, or the connection is
  // closed without the last chunk.
  void abort() noexcept;
  // True from on_cancelled() on; also right after start_stream() when the connection has gone,
  // which is reported to no observer.
  bool cancelled() const;
  explicit operator bool() const noexcept { return body_ != nullptr; }

 private:
  std::shared_ptr<StreamBody> body_;
};

}  // namespace spanway::http
