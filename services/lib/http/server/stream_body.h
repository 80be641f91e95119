// The body of a streamed answer between its writer, on any thread, and the session that sends it,
// on the connection's io thread. For this module only.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <span>

#include "services/lib/base/mutex.h"
#include "services/lib/http/response_stream.h"

namespace spanway::http {

// Bytes that the streams of one connection may hold. Outlives none of them: shared.
using StreamAccount = std::shared_ptr<std::atomic<std::size_t>>;

// Thread-safe. Holds at most StreamOptions::buffer_bytes_max, or one chunk.
class StreamBody {
 public:
  enum class State : unsigned char {
    kOpen,      // More may come: resume() will be called.
    kComplete,  // Everything has been read.
    kAborted,   // The writer has given up, or the stream was cancelled.
  };

  // `resume` is called, from any thread, when a session that has found nothing can read on.
  StreamBody(std::shared_ptr<StreamObserver> observer, StreamOptions options, StreamAccount account,
             std::function<void()> resume);
  ~StreamBody();
  StreamBody(const StreamBody&) = delete;
  StreamBody& operator=(const StreamBody&) = delete;

  // --- The writer's side.
  ResponseStream::Write write(std::string_view chunk, Bytes* owned);
  void finish(Headers trailers);
  void abort() noexcept;
  bool cancelled() const;

  // --- The session's side.
  // Moves up to `into.size()` bytes; `state` says what comes after them. 0 bytes and kOpen:
  // resume() will be called once.
  std::size_t read(std::span<char> into, State& state);
  // The trailers, once `read` has returned kComplete.
  Headers take_trailers();
  // None once expire() has ended the body.
  SteadyTime deadline() const;
  // The deadline has passed: ends the body with the trailers of the options, behind the chunk that
  // has begun, and reports to the observer. False, and nothing has happened, when there are none.
  bool expire();
  // Drops what is left and reports to the observer, unless the writer has ended the stream.
  void cancel(CancelReason reason);
  // The same without a report: there has never been a session.
  void abandon();

 private:
  // For the writer.
  bool is_over() const SPANWAY_REQUIRES(mutex_) {
    return cancelled_ || aborted_ || finished_ || expired_;
  }
  void account(std::size_t bytes) SPANWAY_REQUIRES(mutex_);
  void resume_reader();
  std::shared_ptr<StreamObserver> end();

  const StreamOptions options_;
  const StreamAccount account_;
  mutable Mutex mutex_;
  std::function<void()> resume_ SPANWAY_GUARDED_BY(mutex_);
  // Null once the stream is over for it.
  std::shared_ptr<StreamObserver> observer_ SPANWAY_GUARDED_BY(mutex_);
  std::deque<Bytes> chunks_ SPANWAY_GUARDED_BY(mutex_);
  std::size_t first_read_ SPANWAY_GUARDED_BY(mutex_) = 0;  // Bytes read of the first chunk.
  std::size_t pending_bytes_ SPANWAY_GUARDED_BY(mutex_) = 0;
  std::size_t accounted_ SPANWAY_GUARDED_BY(mutex_) = 0;
  Headers trailers_ SPANWAY_GUARDED_BY(mutex_);
  bool finished_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool aborted_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool expired_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool cancelled_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool writer_waits_ SPANWAY_GUARDED_BY(mutex_) = false;
  bool reader_waits_ SPANWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spanway::http
