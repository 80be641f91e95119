// One HTTP/2 connection on libnghttp2. Its methods lie in http2_session.cc, http2_receive.cc
// (frames of the peer) and http2_send.cc (answers). For this module only.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/lib/http/server/session.h"
#include "services/lib/http/server/stream_body.h"
#include "services/lib/http/server/token_bucket.h"

namespace spanway::http {

// A header block until the handler is called.
struct Http2Incoming {
  std::string method;
  std::string target;
  std::string authority;
  Headers headers;
  std::size_t bytes = 0;
  std::size_t count = 0;
  bool too_big = false;
  bool grpc = false;
};

struct Http2Stream {
  std::int32_t id = 0;
  std::optional<Http2Incoming> incoming;  // Until the handler was called.
  std::unique_ptr<BodyReader> reader;
  bool reset = false;  // Reset by us: what still arrives is dropped.
  bool head_request = false;
  bool headers_done = false;
  bool body_done = false;
  bool owed = false;  // Counted in owed_.
  bool answered = false;
  std::function<void()> on_peer_gone;  // Until the answer.
  bool answer_sent = false;
  std::uint64_t discarded = 0;
  Response response;
  std::shared_ptr<StreamBody> body;  // The body of a streamed answer, until its end.
  std::size_t body_sent = 0;
  SteadyTime deadline = SteadyTime::max();
};

// Memory of a connection in nghttp2 (tables, frame buffers), and of a stream here and there (its
// fields, its reader, its place in the tables).
inline constexpr std::size_t kHttp2SessionBytes = 14 * 1024;
inline constexpr std::size_t kHttp2StreamBytes = 1536;
inline constexpr std::string_view kHttp2DrainPing{"spanway\0", 8};

class Http2Session final : public Session {
 public:
  Http2Session(SessionContext context, ResponderSource& responders);
  ~Http2Session() override;
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  void receive(std::string_view bytes) override;
  void receive_end() override;
  void answer(std::uint64_t id, Response response, std::shared_ptr<StreamBody> body) override;
  void resume(std::uint64_t id) override;
  void on_peer_gone(std::uint64_t id, std::function<void()> callback) override;
  void produce(Bytes& out, std::size_t bytes_max) override;
  bool wants_read() const override { return !broken_ && !terminated_; }
  std::size_t read_bytes_max() const override { return std::string_view::npos; }
  bool is_idle() const override { return owed_ == 0; }
  std::size_t memory() const override {
    return kHttp2SessionBytes + streams_.size() * kHttp2StreamBytes + header_bytes_ +
           queued_answer_bytes_;
  }
  SessionState state() const override;
  SteadyTime next_deadline() const override { return next_deadline_; }
  void on_time(SteadyTime now) override;
  void drain() override;

 private:
  friend struct Http2Callbacks;

  int on_begin_frame(const nghttp2_frame_hd& frame);
  int on_begin_headers(const nghttp2_frame& frame);
  int on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  int on_frame(const nghttp2_frame& frame);
  int on_data(std::int32_t id, std::string_view bytes);
  int on_frame_sent(const nghttp2_frame& frame);
  void report_sent_end(const nghttp2_frame& frame);
  int on_stream_close(std::int32_t id);
  ssize_t read_body(Http2Stream& stream, std::span<std::uint8_t> into, std::uint32_t& flags);
  ssize_t read_stream(Http2Stream& stream, std::span<std::uint8_t> into, std::uint32_t& flags);
  void cancel_body(Http2Stream& stream, CancelReason reason);
  static void peer_gone(Http2Stream& stream);

  void submit_settings();
  Http2Stream* find(std::int32_t id);
  void drop_incoming(Http2Stream& stream);
  void headers_done(Http2Stream& stream, bool end_stream);
  void call_handler(Http2Stream& stream, RequestHead head, bool end_stream);
  void body_done(Http2Stream& stream);
  void discard(Http2Stream& stream, std::size_t bytes);
  void submit_answer(Http2Stream& stream);
  void answer_self(Http2Stream& stream, int status, std::string_view text);
  void refuse_grpc_headers(Http2Stream& stream, std::size_t bytes);
  void add_fields(const Headers& headers);
  void submit_trailers(Http2Stream& stream);
  void reset(Http2Stream& stream, std::uint32_t error);
  void terminate(std::uint32_t error, AbortReason reason);
  void abort_late(Http2Stream& stream);
  void final_goaway();
  void set_deadline(Http2Stream& stream, SteadyTime at);
  ServerEvents::Place place(std::int32_t stream) const {
    return {context_.peer_address, static_cast<std::uint64_t>(stream)};
  }
  SteadyTime now() const noexcept { return context_.clock.now(); }

  const SessionContext context_;
  const ServerLimits& limits_;
  ResponderSource& responders_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<Http2Stream>> streams_;
  std::vector<nghttp2_nv> fields_;  // Reused.
  std::size_t queued_answer_bytes_ = 0;
  std::size_t owed_ = 0;          // Streams whose request has arrived.
  std::size_t header_bytes_ = 0;  // Bytes of header blocks that are not complete.
  bool broken_ = false;           // nghttp2 has failed: nothing more is parsed or sent.
  bool terminated_ = false;       // GOAWAY with an error is on its way.
  bool draining_ = false;
  bool goaway_final_ = false;
  bool settings_seen_ = false;
  SteadyTime settings_deadline_;
  SteadyTime drain_deadline_ = SteadyTime::max();
  SteadyTime idle_deadline_;  // Counts while there is no stream.
  SteadyTime next_deadline_;
  // PING, SETTINGS, PRIORITY, unknown and empty DATA frames; earned by requests and data.
  TokenBucket control_tokens_;
  TokenBucket window_update_tokens_;
  // Streams reset by us because of what the peer did.
  TokenBucket reset_tokens_;
  // Streams reset by the peer.
  TokenBucket peer_reset_tokens_;
};

// nghttp2 copies both; it only takes pointers to mutable bytes.
inline nghttp2_nv make_field(std::string_view name, std::string_view value) noexcept {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace spanway::http
