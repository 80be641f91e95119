#include "services/lib/http/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "services/lib/http/credit.h"
#include "services/lib/http/http_date.h"
#include "services/lib/http/request_target.h"

namespace spanway::http {
namespace {

// The rest of a body whose answer was sent is read up to this, then the stream is reset.
constexpr std::uint64_t kDiscardBytesMax = 64 * 1024;
// Larger frames than the protocol's 16 KiB: fewer calls per body.
constexpr std::uint32_t kFrameBytesMax = 64 * 1024;
// A field counts as its name and value plus this (RFC 9113, 6.5.2).
constexpr std::size_t kFieldOverheadBytes = 32;
// Fields beyond the limit are dropped as they come, and the request is answered with 431, or what
// that is in gRPC; beyond this many times the limit the connection ends.
constexpr std::size_t kHeaderExcessMax = 16;
constexpr std::string_view kGrpcType = "application/grpc";
// Answers that the handler still owes for streams that are gone, in multiples of streams_max.
constexpr std::size_t kOrphansFactor = 2;
// Answers that wait for the peer: beyond this no new request of the connection is taken.
constexpr std::size_t kQueuedAnswerBytesMax = 16 * 1024 * 1024;
// What nghttp2 holds for a connection (tables, frame buffers), and both of us for a stream (its
// fields, its reader, its place in the tables).
constexpr std::size_t kSessionBytes = 14 * 1024;
constexpr std::size_t kStreamBytes = 1536;
constexpr Duration kDrainPingTimeout = std::chrono::seconds(1);
constexpr std::uint8_t kDrainPing[8] = {'s', 'p', 'a', 'n', 'w', 'a', 'y', 0};

std::string_view text_of(nghttp2_rcbuf* buffer) noexcept {
  const nghttp2_vec vec = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(vec.base), vec.len};
}

nghttp2_nv make_field(std::string_view name, std::string_view value) noexcept {
  // nghttp2 copies both; it only takes pointers to mutable bytes.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

// What arrives in a header block before the handler sees it.
struct Incoming {
  std::string method;
  std::string target;
  std::string authority;
  Headers headers;
  std::size_t bytes = 0;
  std::size_t count = 0;
  bool too_big = false;
  bool grpc = false;
};

struct Stream {
  std::int32_t id = 0;
  std::optional<Incoming> incoming;  // Until the handler was called.
  std::unique_ptr<BodyReader> reader;
  bool refused = false;  // Reset by us: whatever still arrives is dropped.
  bool head_request = false;
  bool headers_done = false;
  bool body_done = false;
  bool owed = false;  // Counted in owed_.
  bool answered = false;
  bool answer_sent = false;
  std::uint64_t discarded = 0;
  Response response;
  std::shared_ptr<StreamBody> body;  // Of an answer that is streamed, until its end.
  std::size_t body_sent = 0;
  SteadyTime deadline = SteadyTime::max();
};

class Http2Session final : public Session {
 public:
  Http2Session(SessionContext context, ResponderSource& responders);
  ~Http2Session() override;
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  void receive(std::string_view bytes) override;
  void receive_end() override { broken_ = true; }
  void answer(std::uint64_t id, Response response, std::shared_ptr<StreamBody> body) override;
  void resume(std::uint64_t id) override;
  void produce(Bytes& out, std::size_t bytes_max) override;
  bool wants_read() const override { return !broken_ && !terminated_; }
  std::size_t read_bytes_max() const override { return std::string_view::npos; }
  bool is_idle() const override { return owed_ == 0; }
  std::size_t memory() const override {
    return kSessionBytes + streams_.size() * kStreamBytes + header_bytes_ + queued_answer_bytes_;
  }
  SessionState state() const override;
  SteadyTime next_deadline() const override { return next_deadline_; }
  void on_time(SteadyTime now) override;
  void drain() override;

 private:
  friend struct Callbacks;

  int on_begin_frame(const nghttp2_frame_hd& frame);
  int on_begin_headers(const nghttp2_frame& frame);
  int on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  int on_frame(const nghttp2_frame& frame);
  int on_data(std::int32_t id, std::string_view bytes);
  int on_frame_sent(const nghttp2_frame& frame);
  int on_stream_close(std::int32_t id);
  ssize_t read_body(Stream& stream, std::span<std::uint8_t> into, std::uint32_t& flags);
  ssize_t read_stream(Stream& stream, std::span<std::uint8_t> into, std::uint32_t& flags);
  void cancel_body(Stream& stream, CancelReason reason);

  void submit_settings();
  Stream* find(std::int32_t id);
  void drop_incoming(Stream& stream);
  void headers_done(Stream& stream, bool end_stream);
  void call_handler(Stream& stream, RequestHead head, bool end_stream);
  void body_done(Stream& stream);
  void discard(Stream& stream, std::size_t bytes);
  void submit_answer(Stream& stream);
  void answer_self(Stream& stream, int status, std::string_view text);
  void refuse_grpc_headers(Stream& stream, std::size_t bytes);
  void add_fields(const Headers& headers);
  void submit_trailers(Stream& stream);
  void reset(Stream& stream, std::uint32_t error);
  void terminate(std::uint32_t error, CutReason reason);
  void cut_late(Stream& stream);
  void final_goaway();
  void set_deadline(Stream& stream, SteadyTime at);
  SteadyTime now() const noexcept { return context_.clock.now(); }

  const SessionContext context_;
  const ServerLimits& limits_;
  ResponderSource& responders_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
  std::vector<nghttp2_nv> fields_;  // Reused.
  std::size_t queued_answer_bytes_ = 0;
  std::size_t owed_ = 0;          // Streams whose request has arrived.
  std::size_t header_bytes_ = 0;  // Of requests whose header block is not complete.
  bool broken_ = false;           // nghttp2 cannot go on.
  bool terminated_ = false;       // GOAWAY with an error is on its way.
  bool draining_ = false;
  bool goaway_final_ = false;
  bool settings_seen_ = false;
  SteadyTime settings_deadline_;
  SteadyTime drain_deadline_ = SteadyTime::max();
  SteadyTime idle_deadline_;  // Counts while there is no stream.
  SteadyTime next_deadline_;
  // PING, SETTINGS, PRIORITY, unknown and empty DATA frames; earned by requests and data.
  Credit control_credit_;
  Credit window_update_credit_;
  // Streams reset by us because of what the peer did.
  Credit reset_credit_;
  // Streams reset by the peer.
  Credit peer_reset_credit_;
};

// nghttp2's C callbacks.
struct Callbacks {
  static Http2Session& self(void* user) noexcept { return *static_cast<Http2Session*>(user); }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* frame, void* user) noexcept {
    return self(user).on_begin_frame(*frame);
  }
  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    return self(user).on_begin_headers(*frame);
  }
  static int header(nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                    nghttp2_rcbuf* value, std::uint8_t, void* user) noexcept {
    return self(user).on_header(*frame, text_of(name), text_of(value));
  }
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*, nghttp2_rcbuf*,
                            std::uint8_t, void*) noexcept {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // Resets the stream: malformed.
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    return self(user).on_frame(*frame);
  }
  // Frames of types we do not know are taken only so that they are counted.
  static int extension_chunk(nghttp2_session*, const nghttp2_frame_hd*, const std::uint8_t*,
                             std::size_t, void*) noexcept {
    return 0;
  }
  static int extension(nghttp2_session*, void**, const nghttp2_frame_hd*, void*) noexcept {
    return NGHTTP2_ERR_CANCEL;
  }
  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                  std::size_t size, void* user) noexcept {
    return self(user).on_data(id, {reinterpret_cast<const char*>(data), size});
  }
  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    return self(user).on_frame_sent(*frame);
  }
  static int stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) noexcept {
    return self(user).on_stream_close(id);
  }
  static ssize_t read(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t size,
                      std::uint32_t* flags, nghttp2_data_source* source, void* user) noexcept {
    return self(user).read_body(*static_cast<Stream*>(source->ptr), {into, size}, *flags);
  }

  static nghttp2_session_callbacks* table() noexcept {
    static nghttp2_session_callbacks* const table = [] {
      nghttp2_session_callbacks* made = nullptr;
      SPANWAY_CHECK(nghttp2_session_callbacks_new(&made) == 0);
      nghttp2_session_callbacks_set_on_begin_frame_callback(made, begin_frame);
      nghttp2_session_callbacks_set_on_begin_headers_callback(made, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback2(made, header);
      nghttp2_session_callbacks_set_on_invalid_header_callback2(made, invalid_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, data);
      nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(made, extension_chunk);
      nghttp2_session_callbacks_set_unpack_extension_callback(made, extension);
      nghttp2_session_callbacks_set_on_frame_send_callback(made, frame_sent);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, stream_close);
      return made;
    }();
    return table;
  }

  static nghttp2_option* options() noexcept {
    static nghttp2_option* const options = [] {
      nghttp2_option* made = nullptr;
      SPANWAY_CHECK(nghttp2_option_new(&made) == 0);
      nghttp2_option_set_no_closed_streams(made, 1);
      nghttp2_option_set_max_outbound_ack(made, 1000);
      nghttp2_option_set_max_settings(made, 32);
      // Behind our own limit, which does not wait for the GOAWAY to be sent.
      nghttp2_option_set_stream_reset_rate_limit(made, 2000, 66);
      nghttp2_option_set_max_continuations(made, 8);
      for (int type = NGHTTP2_CONTINUATION + 1; type <= 0xff; ++type)
        nghttp2_option_set_user_recv_extension_type(made, static_cast<std::uint8_t>(type));
      return made;
    }();
    return options;
  }
};

Http2Session::Http2Session(SessionContext context, ResponderSource& responders)
    : context_(std::move(context)),
      limits_(context_.options.limits),
      responders_(responders),
      settings_deadline_(now() + limits_.header_timeout),
      idle_deadline_(now() + limits_.idle_timeout),
      next_deadline_(std::min(settings_deadline_, idle_deadline_)),
      control_credit_(1000, 100, now()),
      window_update_credit_(10'000, 5'000, now()),
      reset_credit_(200, 20, now()),
      peer_reset_credit_(1000, 33, now()) {
  SPANWAY_CHECK(
      nghttp2_session_server_new2(&session_, Callbacks::table(), this, Callbacks::options()) == 0);
  submit_settings();
}

Http2Session::~Http2Session() {
  for (const auto& [id, stream] : streams_) {
    cancel_body(*stream, CancelReason::kConnectionEnded);
    context_.events.stream_closed();
  }
  streams_.clear();
  nghttp2_session_del(session_);
}

void Http2Session::submit_settings() {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits_.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameBytesMax},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits_.header_bytes_max)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(limits_.connection_window_bytes));
}

void Http2Session::receive(std::string_view bytes) {
  if (!wants_read()) return;
  const ssize_t used = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (used >= 0) return;
  context_.events.cut(used == NGHTTP2_ERR_FLOODED ? CutReason::kFlood : CutReason::kProtocolError);
  broken_ = true;
}

void Http2Session::produce(Bytes& out, std::size_t bytes_max) {
  while (!broken_ && out.size() < bytes_max) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size == 0) return;
    if (size < 0) {
      broken_ = true;
      return;
    }
    out.append({reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)});
  }
}

SessionState Http2Session::state() const {
  if (broken_) return SessionState::kCut;
  if (nghttp2_session_want_read(session_) || nghttp2_session_want_write(session_))
    return SessionState::kOpen;
  return SessionState::kFinished;
}

Stream* Http2Session::find(std::int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Session::set_deadline(Stream& stream, SteadyTime at) {
  stream.deadline = at;
  next_deadline_ = std::min(next_deadline_, at);
}

// ---- What arrives.

int Http2Session::on_begin_frame(const nghttp2_frame_hd& frame) {
  bool within = true;
  switch (frame.type) {
    case NGHTTP2_DATA:
      if (frame.length > 0) {
        control_credit_.earn(1);
      } else if ((frame.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        within = control_credit_.spend(now());
      }
      break;
    case NGHTTP2_RST_STREAM:
      within = peer_reset_credit_.spend(now());
      break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
      break;
    case NGHTTP2_WINDOW_UPDATE:
      within = window_update_credit_.spend(now());
      break;
    default:
      within = control_credit_.spend(now());
  }
  if (!within) terminate(NGHTTP2_ENHANCE_YOUR_CALM, CutReason::kFlood);
  return 0;
}

int Http2Session::on_begin_headers(const nghttp2_frame& frame) {
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;  // Trailers.
  // What is left of the input is read to its end; nobody hears of it any more.
  if (terminated_) return 0;
  auto made = std::make_unique<Stream>();
  Stream& stream = *made;
  stream.id = frame.hd.stream_id;
  stream.incoming.emplace();
  streams_.emplace(stream.id, std::move(made));
  context_.events.stream_opened();
  control_credit_.earn(4);
  set_deadline(stream, now() + limits_.header_timeout);
  if (responders_.unanswered() > kOrphansFactor * limits_.streams_max ||
      queued_answer_bytes_ > kQueuedAnswerBytesMax)
    reset(stream, NGHTTP2_REFUSED_STREAM);
  return 0;
}

int Http2Session::on_header(const nghttp2_frame& frame, std::string_view name,
                            std::string_view value) {
  Stream* const stream = find(frame.hd.stream_id);
  if (stream == nullptr || stream->refused || !stream->incoming) return 0;
  Incoming& incoming = *stream->incoming;
  incoming.bytes += name.size() + value.size() + kFieldOverheadBytes;
  header_bytes_ += name.size() + value.size() + kFieldOverheadBytes;
  incoming.count += 1;
  if (incoming.bytes > kHeaderExcessMax * limits_.header_bytes_max ||
      incoming.count > kHeaderExcessMax * limits_.header_count_max) {
    terminate(NGHTTP2_ENHANCE_YOUR_CALM, CutReason::kHeadersTooBig);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  // The count is of regular fields; the bytes are of all.
  const std::size_t pseudo_fields = 4;
  incoming.too_big = incoming.too_big || incoming.bytes > limits_.header_bytes_max ||
                     incoming.count > limits_.header_count_max + pseudo_fields;
  if (name == "content-type") incoming.grpc = value.starts_with(kGrpcType);
  if (incoming.too_big) return 0;
  if (name == ":method") {
    incoming.method = value;
  } else if (name == ":path") {
    incoming.target = value;
  } else if (name == ":authority") {
    incoming.authority = value;
  } else if (name.front() != ':') {
    incoming.headers.add(std::string(name), std::string(value));
  }
  return 0;
}

int Http2Session::on_frame(const nghttp2_frame& frame) {
  const bool end_stream = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame.hd.type == NGHTTP2_SETTINGS) settings_seen_ = true;
  if (frame.hd.type == NGHTTP2_PING && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 && draining_ &&
      std::memcmp(frame.ping.opaque_data, kDrainPing, sizeof(kDrainPing)) == 0)
    final_goaway();
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return 0;
  Stream* const stream = find(frame.hd.stream_id);
  if (stream == nullptr || stream->refused || terminated_) return 0;
  if (frame.hd.type == NGHTTP2_HEADERS && !stream->headers_done) {
    headers_done(*stream, end_stream);
  } else if (end_stream) {
    body_done(*stream);
  }
  return 0;
}

void Http2Session::drop_incoming(Stream& stream) {
  if (!stream.incoming) return;
  header_bytes_ -= stream.incoming->bytes;
  stream.incoming.reset();
}

void Http2Session::headers_done(Stream& stream, bool end_stream) {
  stream.headers_done = true;
  set_deadline(stream, now() + limits_.request_timeout);
  Incoming incoming = std::move(*stream.incoming);
  drop_incoming(stream);
  stream.head_request = incoming.method == "HEAD";
  stream.body_done = end_stream;
  if (incoming.too_big) {
    context_.events.cut(CutReason::kHeadersTooBig);
    return incoming.grpc ? refuse_grpc_headers(stream, incoming.bytes)
                         : answer_self(stream, 431, "the request's headers are too big");
  }
  if (incoming.method == "CONNECT") return answer_self(stream, 501, "CONNECT is not supported");
  auto target = parse_request_target(incoming.target);
  const auto host = incoming.headers.find("host");
  const bool one_host = incoming.headers.count("host") <= 1 &&
                        (!host || incoming.authority.empty() || *host == incoming.authority);
  if (!target.ok() || !one_host)
    return answer_self(stream, 400, "the request's path or host is malformed");
  if (!host && !incoming.authority.empty()) incoming.headers.add("host", incoming.authority);

  RequestHead head{.method = std::move(incoming.method),
                   .path = std::move(target->path),
                   .query = std::move(target->query),
                   .headers = std::move(incoming.headers),
                   .protocol = Protocol::kHttp2,
                   .content_length = std::nullopt,
                   .peer_address = context_.peer_address,
                   .tls = context_.tls,
                   .peer_certificate_cn = context_.peer_certificate_cn};
  call_handler(stream, std::move(head), end_stream);
}

void Http2Session::call_handler(Stream& stream, RequestHead head, bool end_stream) {
  // nghttp2 has checked that it is one number and will check it against the body.
  if (const auto length = head.headers.find("content-length")) {
    std::uint64_t value = 0;
    for (const char c : *length) value = value * 10 + static_cast<std::uint64_t>(c - '0');
    head.content_length = value;
  } else if (end_stream) {
    head.content_length = 0;
  }
  const bool expects_continue = !end_stream && head.headers.get("expect") == "100-continue";
  stream.reader = context_.handler.on_request(
      head, responders_.make_responder(static_cast<std::uint64_t>(stream.id)));
  if (stream.reader && expects_continue) {
    const nghttp2_nv interim = make_field(":status", "100");
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, &interim, 1, nullptr);
  }
  if (end_stream) body_done(stream);
}

int Http2Session::on_data(std::int32_t id, std::string_view bytes) {
  Stream* const stream = find(id);
  if (stream == nullptr || stream->refused) return 0;
  if (!stream->reader) {
    discard(*stream, bytes.size());
  } else if (!stream->reader->on_data(bytes)) {
    stream->reader.reset();
  }
  return 0;
}

void Http2Session::discard(Stream& stream, std::size_t bytes) {
  stream.discarded += bytes;
  if (stream.discarded <= kDiscardBytesMax || !stream.answer_sent) return;
  context_.events.cut(CutReason::kRestTooBig);
  reset(stream, NGHTTP2_NO_ERROR);
}

void Http2Session::body_done(Stream& stream) {
  stream.body_done = true;
  if (!std::exchange(stream.owed, true)) ++owed_;
  if (!stream.answered) stream.deadline = SteadyTime::max();
  if (const auto reader = std::move(stream.reader)) reader->on_end();
}

int Http2Session::on_stream_close(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return 0;
  // Out of the map first: the reader's end may reach far.
  const std::unique_ptr<Stream> stream = std::move(found->second);
  streams_.erase(found);
  queued_answer_bytes_ -= stream->response.body.size() - stream->body_sent;
  drop_incoming(*stream);
  cancel_body(*stream, CancelReason::kPeerGone);
  if (stream->owed) --owed_;
  context_.events.stream_closed();
  if (!streams_.empty()) return 0;
  idle_deadline_ = now() + limits_.idle_timeout;
  next_deadline_ = std::min(next_deadline_, idle_deadline_);
  return 0;
}

// ---- What is sent.

void Http2Session::answer(std::uint64_t id, Response response, std::shared_ptr<StreamBody> body) {
  Stream* const stream = find(static_cast<std::int32_t>(id));
  if (stream == nullptr || stream->answered || stream->refused) {
    if (body) body->cancel(CancelReason::kPeerGone);
    return;
  }
  stream->response = std::move(response);
  stream->body = std::move(body);
  submit_answer(*stream);
}

void Http2Session::resume(std::uint64_t id) {
  const Stream* const stream = find(static_cast<std::int32_t>(id));
  if (stream != nullptr && stream->body) nghttp2_session_resume_data(session_, stream->id);
}

void Http2Session::cancel_body(Stream& stream, CancelReason reason) {
  if (const auto body = std::exchange(stream.body, nullptr)) body->cancel(reason);
}

void Http2Session::answer_self(Stream& stream, int status, std::string_view text) {
  stream.response.status = status;
  stream.response.headers.add("content-type", "text/plain; charset=utf-8");
  stream.response.body = Bytes(text);
  submit_answer(stream);
}

// gRPC clients take any HTTP status for a fault of a proxy and do not show its text.
void Http2Session::refuse_grpc_headers(Stream& stream, std::size_t bytes) {
  constexpr std::string_view kResourceExhausted = "8";
  Headers& headers = stream.response.headers;
  stream.response.status = 200;
  headers.add("content-type", std::string(kGrpcType));
  headers.add("grpc-status", std::string(kResourceExhausted));
  headers.add("grpc-message", "the request's metadata of " + std::to_string(bytes) +
                                  " bytes is above the limit of " +
                                  std::to_string(limits_.header_bytes_max) + " bytes or " +
                                  std::to_string(limits_.header_count_max) +
                                  " entries: send less metadata");
  submit_answer(stream);
}

void Http2Session::add_fields(const Headers& headers) {
  for (const auto& [name, value] : headers.fields()) {
    const bool ours = name == "content-length" || name == "transfer-encoding" ||
                      name == "connection" || name == "date";
    if (ours) continue;
    if (is_sendable_field(name, value)) {
      fields_.push_back(make_field(name, value));
    } else {
      count_bug("http2_unsendable_field");
    }
  }
}

void Http2Session::submit_answer(Stream& stream) {
  Response& response = stream.response;
  stream.answered = true;
  if (response.status < 200 || response.status > 599) response.status = 500;
  context_.events.answered(Protocol::kHttp2, response.status);
  const std::string status = std::to_string(response.status);
  const std::string length = std::to_string(response.body.size());
  const bool grpc = response.headers.get("content-type").starts_with(kGrpcType);
  const bool bodiless = response.status == 204 || response.status == 304;
  fields_.clear();
  fields_.push_back(make_field(":status", status));
  add_fields(response.headers);
  // gRPC clients want neither, and they are many.
  if (!grpc) fields_.push_back(make_field("date", http_date(context_.clock)));
  if (!grpc && !bodiless && !stream.body) fields_.push_back(make_field("content-length", length));
  if (bodiless || stream.head_request) {
    response.body = Bytes();
    cancel_body(stream, CancelReason::kNoBody);
  }
  if (stream.head_request) response.trailers = Headers();
  queued_answer_bytes_ += response.body.size();

  // A write that does not move is cut; the connection's own stalls are the connection's business.
  const SteadyTime stall = now() + limits_.idle_timeout;
  if (stream.body_done || stall < stream.deadline) set_deadline(stream, stall);
  if (stream.body) set_deadline(stream, std::min(stream.deadline, stream.body->deadline()));
  const bool has_trailers = !response.trailers.fields().empty();
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = Callbacks::read;
  if (response.body.empty() && has_trailers && !stream.body) {
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id, nullptr, fields_.data(),
                           fields_.size(), nullptr);
    submit_trailers(stream);
  } else {
    nghttp2_submit_response(session_, stream.id, fields_.data(), fields_.size(),
                            response.body.empty() && !stream.body ? nullptr : &provider);
  }
}

void Http2Session::submit_trailers(Stream& stream) {
  fields_.clear();
  add_fields(stream.response.trailers);
  nghttp2_submit_trailer(session_, stream.id, fields_.data(), fields_.size());
}

ssize_t Http2Session::read_body(Stream& stream, std::span<std::uint8_t> into,
                                std::uint32_t& flags) {
  if (stream.body) return read_stream(stream, into, flags);
  const Bytes& body = stream.response.body;
  const std::size_t size = std::min(into.size(), body.size() - stream.body_sent);
  std::memcpy(into.data(), body.data() + stream.body_sent, size);
  stream.body_sent += size;
  queued_answer_bytes_ -= size;
  control_credit_.earn(2);
  if (stream.body_done) set_deadline(stream, now() + limits_.idle_timeout);
  if (stream.body_sent == body.size()) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.response.trailers.fields().empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      submit_trailers(stream);
    }
  }
  return static_cast<ssize_t>(size);
}

ssize_t Http2Session::read_stream(Stream& stream, std::span<std::uint8_t> into,
                                  std::uint32_t& flags) {
  StreamBody::State after = StreamBody::State::kOpen;
  const std::size_t size =
      stream.body->read({reinterpret_cast<char*>(into.data()), into.size()}, after);
  if (after == StreamBody::State::kAborted) {
    cancel_body(stream, CancelReason::kConnectionEnded);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // RST_STREAM INTERNAL_ERROR.
  }
  // While there is nothing to send the peer owes nothing.
  const bool waits = size == 0 && after == StreamBody::State::kOpen;
  if (stream.body_done)
    set_deadline(stream, std::min(stream.body->deadline(),
                                  waits ? SteadyTime::max() : now() + limits_.idle_timeout));
  if (waits) return NGHTTP2_ERR_DEFERRED;
  control_credit_.earn(2);
  if (after == StreamBody::State::kComplete) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    stream.response.trailers = stream.body->take_trailers();
    stream.body.reset();
    if (!stream.response.trailers.fields().empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      submit_trailers(stream);
    }
  }
  return static_cast<ssize_t>(size);
}

int Http2Session::on_frame_sent(const nghttp2_frame& frame) {
  const bool provoked = frame.hd.type == NGHTTP2_RST_STREAM &&
                        frame.rst_stream.error_code != NGHTTP2_NO_ERROR &&
                        frame.rst_stream.error_code != NGHTTP2_REFUSED_STREAM;
  if (provoked && !reset_credit_.spend(now()))
    terminate(NGHTTP2_ENHANCE_YOUR_CALM, CutReason::kFlood);
  const bool ends = (frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA) &&
                    (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (!ends) return 0;
  Stream* const stream = find(frame.hd.stream_id);
  if (stream == nullptr) return 0;
  stream->answer_sent = true;
  if (!stream->body_done) {
    stream->reader.reset();
    discard(*stream, 0);
  }
  return 0;
}

void Http2Session::reset(Stream& stream, std::uint32_t error) {
  if (stream.refused) return;
  stream.refused = true;
  stream.deadline = SteadyTime::max();
  drop_incoming(stream);
  stream.reader.reset();
  cancel_body(stream, CancelReason::kConnectionEnded);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, error);
}

// ---- The end.

void Http2Session::terminate(std::uint32_t error, CutReason reason) {
  if (terminated_) return;
  terminated_ = true;
  context_.events.cut(reason);
  nghttp2_session_terminate_session(session_, error);
}

void Http2Session::on_time(SteadyTime time) {
  next_deadline_ = SteadyTime::max();
  if (!settings_seen_) {
    if (time >= settings_deadline_)
      return terminate(NGHTTP2_SETTINGS_TIMEOUT, CutReason::kHeaderTimeout);
    next_deadline_ = settings_deadline_;
  }
  if (streams_.empty() && time >= idle_deadline_ && !draining_) drain();
  if (streams_.empty() && !draining_) next_deadline_ = std::min(next_deadline_, idle_deadline_);
  if (time >= drain_deadline_) final_goaway();
  next_deadline_ = std::min(next_deadline_, drain_deadline_);
  for (auto& [id, stream] : streams_) {
    if (time >= stream->deadline) {
      cut_late(*stream);
    } else {
      next_deadline_ = std::min(next_deadline_, stream->deadline);
    }
  }
}

void Http2Session::cut_late(Stream& stream) {
  // An unfinished header block blocks the whole connection.
  if (!stream.headers_done) return terminate(NGHTTP2_ENHANCE_YOUR_CALM, CutReason::kHeaderTimeout);
  if (stream.body && now() >= stream.body->deadline()) {
    context_.events.cut(CutReason::kStreamDeadline);
    cancel_body(stream, CancelReason::kDeadline);
    return reset(stream, NGHTTP2_CANCEL);
  }
  context_.events.cut(stream.body_done ? CutReason::kWriteStall : CutReason::kRequestTimeout);
  reset(stream, stream.answer_sent ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
}

void Http2Session::drain() {
  if (draining_) return;
  draining_ = true;
  // First "no new ones soon", then, once that has surely arrived, what was the last one.
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kDrainPing);
  drain_deadline_ = now() + kDrainPingTimeout;
  next_deadline_ = std::min(next_deadline_, drain_deadline_);
}

void Http2Session::final_goaway() {
  drain_deadline_ = SteadyTime::max();
  if (goaway_final_ || terminated_) return;
  goaway_final_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

}  // namespace

std::unique_ptr<Session> make_http2_session(SessionContext context, ResponderSource& responders) {
  return std::make_unique<Http2Session>(std::move(context), responders);
}

}  // namespace spanway::http
