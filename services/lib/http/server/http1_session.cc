#include "services/lib/http/server/http1_session.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>
#include <string>
#include <utility>

#include "services/lib/http/http1_parser.h"
#include "services/lib/http/request_target.h"
#include "services/lib/http/server/http1_exchange.h"
#include "services/lib/http/server/http1_rules.h"
#include "services/lib/http/server/http1_writer.h"

namespace spanway::http {
namespace {

// The rest of a body whose answer is known is read up to this, to keep the connection.
constexpr std::uint64_t kDiscardBytesMax = 64 * 1024;
constexpr int kSwitchingProtocols = 101;
constexpr std::uint16_t kAbnormalClosure = 1006;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
// Reads of a body without a length: bytes of the next request in the same read are kept.
constexpr std::size_t kChunkedReadBytes = 16 * 1024;
// The largest chunk of a streamed answer.
constexpr std::size_t kStreamPieceBytes = 16 * 1024;
// The parser and its fields.
constexpr std::size_t kSessionBytes = 4 * 1024;

class Http1Session final : public Session {
 public:
  Http1Session(SessionContext context, ResponderSource& responders)
      : context_(std::move(context)),
        limits_(context_.options.limits),
        responders_(responders),
        deadline_(context_.clock.now() + limits_.header_timeout) {
    begin_request();
  }
  ~Http1Session() override {
    if (web_socket_) web_socket_->end(kAbnormalClosure);
    if (!exchange_) return;
    cancel_stream(CancelReason::kConnectionEnded);
    exchange_->peer_gone();
    context_.events.stream_closed();
  }

  void receive(std::string_view bytes) override;
  void receive_end() override;
  void answer(std::uint64_t id, Response response, std::shared_ptr<StreamBody> stream) override;
  void on_peer_gone(std::uint64_t id, std::function<void()> callback) override;
  void upgrade(std::uint64_t id, std::shared_ptr<WebSocketChannel> channel) override;
  std::optional<Upgrade> take_upgrade() override;
  void resume(std::uint64_t) override {}  // produce() is called after each.
  void produce(Bytes& out, std::size_t bytes_max) override;
  bool wants_read() const override {
    return state_ == SessionState::kOpen && (can_parse() || watches_peer());
  }
  std::size_t read_bytes_max() const override;
  bool is_idle() const override { return !exchange_ || !exchange_->body_done; }
  std::size_t memory() const override {
    return kSessionBytes + in_.capacity() + head_.capacity() + body_.capacity();
  }
  SessionState state() const override {
    // Pending output is sent first.
    return state_ != SessionState::kAborted && has_output() ? SessionState::kOpen : state_;
  }
  SteadyTime next_deadline() const override { return deadline_; }
  void on_time(SteadyTime now) override;
  void drain() override;

 private:
  bool can_parse() const {
    return state_ == SessionState::kOpen && !(exchange_ && exchange_->body_done) && !abandoned_;
  }
  bool has_output() const {
    return head_sent_ < head_.size() || body_sent_ < body_.size() ||
           (exchange_ && exchange_->stream != nullptr);
  }
  // While an answer is streamed, or the handler has registered on_peer_gone, the socket is read, to
  // detect that the peer has gone: at most one head of a next request.
  bool watches_peer() const {
    return exchange_ && (exchange_->stream != nullptr || exchange_->on_peer_gone) && !abandoned_ &&
           in_.size() - in_used_ < limits_.header_bytes_max;
  }
  ServerEvents::Place place() const { return {context_.peer_address, next_id_ - 1}; }
  void begin_request();
  // Both return how much was used.
  std::size_t parse(std::string_view bytes);
  std::size_t parse_head(std::string_view bytes);
  std::size_t parse_body(std::string_view bytes);
  void parse_rest();
  void head_done();
  void call_handler(RequestHead head);
  void on_body(std::string_view bytes);
  void body_done();
  void fail(Http1Fault fault, AbortReason reason);
  void write_head(const Response& response, Http1Framing framing);
  void begin_stream(const Response& head, std::shared_ptr<StreamBody> stream);
  void produce_stream(Bytes& out, std::size_t bytes_max);
  void end_stream(Bytes& out);
  void cancel_stream(CancelReason reason);
  void exchange_done(SessionState end);

  const SessionContext context_;
  const ServerLimits& limits_;
  ResponderSource& responders_;
  SessionState state_ = SessionState::kOpen;
  bool draining_ = false;
  bool abandoned_ = false;  // The rest of the body is not read any more.
  bool head_begun_ = false;
  std::uint64_t next_id_ = 1;
  std::optional<Http1Parser<true>> parser_;
  std::optional<Http1Exchange> exchange_;
  std::shared_ptr<WebSocketChannel> web_socket_;  // Until take_upgrade().

  // Input not used yet: a header block, and less than read_bytes_max() behind a body.
  Bytes in_;
  std::size_t in_used_ = 0;
  // Output: interim answers and the head, then the body.
  std::string head_;
  std::size_t head_sent_ = 0;
  Bytes body_;
  std::size_t body_sent_ = 0;
  SteadyTime deadline_;
};

void Http1Session::begin_request() {
  head_begun_ = false;
  parser_.emplace([this](std::string_view bytes) { on_body(bytes); });
  parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max + kHeadEnd.size()));
}

void Http1Session::receive(std::string_view bytes) {
  if (in_used_ == in_.size()) {
    in_ = Bytes();
    in_used_ = 0;
    bytes.remove_prefix(parse(bytes));
    in_.append(bytes);
    return;
  }
  in_.append(bytes);
  parse_rest();
}

void Http1Session::parse_rest() {
  in_used_ += parse(in_.view().substr(in_used_));
  if (in_used_ == in_.size()) {
    in_ = Bytes();
    in_used_ = 0;
  } else if (in_used_ > in_.size() / 2) {
    in_ = Bytes(in_.view().substr(in_used_));
    in_used_ = 0;
  }
}

std::size_t Http1Session::read_bytes_max() const {
  if (!exchange_) return limits_.header_bytes_max + kHeadEnd.size();
  if (!exchange_->length) return kChunkedReadBytes;
  const std::uint64_t left = *exchange_->length - std::min(*exchange_->length, exchange_->received);
  return static_cast<std::size_t>(std::max<std::uint64_t>(left, 1));
}

std::size_t Http1Session::parse(std::string_view bytes) {
  const std::size_t size = bytes.size();
  while (!bytes.empty() && can_parse()) {
    const std::size_t used = exchange_ ? parse_body(bytes) : parse_head(bytes);
    if (used == 0) break;
    bytes.remove_prefix(used);
  }
  // After the end nothing is read any more.
  return state_ == SessionState::kOpen && !abandoned_ ? size - bytes.size() : size;
}

std::size_t Http1Session::parse_head(std::string_view bytes) {
  // One empty line before a request is allowed.
  if (!head_begun_ && bytes.starts_with("\r\n")) return 2;
  if (!head_begun_ && bytes == "\r") return 0;
  if (!head_begun_) {
    head_begun_ = true;
    deadline_ = context_.clock.now() + limits_.header_timeout;
  }
  const std::size_t end =
      bytes.substr(0, limits_.header_bytes_max + kHeadEnd.size()).find(kHeadEnd);
  const bool complete = end != std::string_view::npos;
  const std::string_view block =
      bytes.substr(0, complete ? end + kHeadEnd.size() : limits_.header_bytes_max);
  if (const auto fault = check_head_bytes(block)) {
    fail(*fault, AbortReason::kProtocolError);
    return 0;
  }
  if (!complete) {
    if (bytes.size() >= limits_.header_bytes_max + kHeadEnd.size())
      fail({431, "the request's head is too big"}, AbortReason::kHeadersTooBig);
    return 0;
  }
  boost::system::error_code error;
  const std::size_t used = parser_->put(boost::asio::buffer(block.data(), block.size()), error);
  if (error || used != block.size() || !parser_->is_header_done()) {
    fail({400, "the request's head is malformed"}, AbortReason::kProtocolError);
    return 0;
  }
  head_done();
  return used;
}

void Http1Session::head_done() {
  const Http1Head& head = parser_->head();
  if (const auto fault = check_head(head, limits_.header_count_max))
    return fail(*fault,
                fault->status == 431 ? AbortReason::kHeadersTooBig : AbortReason::kProtocolError);
  auto target = parse_request_target(head.target);
  if (!target.ok())
    return fail({400, "the request target is malformed"}, AbortReason::kProtocolError);
  RequestHead request{.method = std::move(parser_->head().method),
                      .path = std::move(target->path),
                      .query = std::move(target->query),
                      .headers = std::move(parser_->head().headers),
                      .protocol = Protocol::kHttp11,
                      .content_length = std::nullopt,
                      .peer_address = context_.peer_address,
                      .tls = context_.tls,
                      .peer_certificate_cn = context_.peer_certificate_cn};
  if (!parser_->chunked()) request.content_length = parser_->content_length().value_or(0);
  call_handler(std::move(request));
}

void Http1Session::call_handler(RequestHead head) {
  const bool has_body = !parser_->is_done();
  const bool expects_continue =
      has_body && parser_->head().version >= 11 && head.headers.find("expect");
  exchange_.emplace();
  context_.events.stream_opened();
  exchange_->id = next_id_++;
  exchange_->head_request = head.method == "HEAD";
  exchange_->keep_alive = parser_->keep_alive();
  exchange_->http10 = parser_->head().version < 11;
  exchange_->length = head.content_length;
  if (is_web_socket_request(head)) exchange_->upgrade_head = head;
  deadline_ = context_.clock.now() + limits_.request_timeout;
  parser_->eager(true);
  exchange_->reader = context_.handler.on_request(head, responders_.make_responder(exchange_->id));
  if (!has_body) return body_done();
  if (!expects_continue) return;
  if (exchange_->reader) {
    head_.append("HTTP/1.1 100 Continue\r\n\r\n");
  } else {
    // The peer may or may not send the body that was not requested.
    exchange_->keep_alive = false;
    abandoned_ = true;
  }
}

std::size_t Http1Session::parse_body(std::string_view bytes) {
  boost::system::error_code error;
  const std::size_t used = parser_->put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  const bool need_more = error == boost::beast::http::error::need_more;
  if (error && !need_more) {
    fail({400, "the request's body is malformed"}, AbortReason::kProtocolError);
    return used;
  }
  // Chunk headers, extensions and trailers share the limit of the head.
  if (need_more && bytes.size() - used > limits_.header_bytes_max) {
    fail({400, "a chunk's header or the trailers are too big"}, AbortReason::kHeadersTooBig);
    return used;
  }
  if (parser_->is_done() && !abandoned_) body_done();
  return used;
}

void Http1Session::on_body(std::string_view bytes) {
  exchange_->received += bytes.size();
  if (exchange_->reader) {
    if (!exchange_->reader->on_data(bytes)) exchange_->reader.reset();
    return;
  }
  exchange_->discarded += bytes.size();
  if (exchange_->discarded <= kDiscardBytesMax || abandoned_) return;
  context_.events.aborted(place(), AbortReason::kRestTooBig);
  exchange_->keep_alive = false;
  abandoned_ = true;
}

void Http1Session::body_done() {
  exchange_->body_done = true;
  deadline_ = exchange_->stream != nullptr ? exchange_->stream->deadline() : SteadyTime::max();
  if (const auto reader = std::move(exchange_->reader)) reader->on_end();
  if (exchange_->answered && !has_output()) exchange_done(SessionState::kFinished);
}

void Http1Session::receive_end() {
  if (exchange_ && (exchange_->stream != nullptr || exchange_->on_peer_gone)) {
    cancel_stream(CancelReason::kPeerGone);
    exchange_->peer_gone();
    state_ = SessionState::kAborted;
  } else if (exchange_ && exchange_->body_done) {
    // A half-closed connection still gets its answer.
    exchange_->keep_alive = false;
    draining_ = true;
  } else if (!exchange_ && !head_begun_) {
    state_ = SessionState::kDone;
  } else {
    state_ = SessionState::kAborted;
  }
  if (state_ == SessionState::kAborted) context_.events.closed_by_peer(place());
}

void Http1Session::fail(Http1Fault fault, AbortReason reason) {
  context_.events.aborted(place(), reason);
  state_ = SessionState::kFinished;
  deadline_ = SteadyTime::max();
  const bool answered = exchange_ && exchange_->answered;
  if (exchange_) exchange_->reader.reset();
  if (exchange_) exchange_->peer_gone();
  if (exchange_ && exchange_->stream != nullptr) {
    cancel_stream(CancelReason::kConnectionEnded);
    state_ = SessionState::kAborted;
  }
  if (answered) return;
  Response response{
      .status = fault.status, .headers = {}, .body = Bytes(fault.text), .trailers = {}};
  response.headers.add("content-type", "text/plain; charset=utf-8");
  context_.events.answered(Protocol::kHttp11, fault.status);
  if (!exchange_) {
    exchange_.emplace();
    context_.events.stream_opened();
  }
  exchange_->answered = true;
  exchange_->keep_alive = false;
  write_head(response, Http1Framing::kLength);
  body_ = std::move(response.body);
  body_sent_ = 0;
}

void Http1Session::answer(std::uint64_t id, Response response, std::shared_ptr<StreamBody> stream) {
  if (!exchange_ || exchange_->id != id || exchange_->answered) {
    if (stream) stream->cancel(CancelReason::kPeerGone);
    return;
  }
  exchange_->answered = true;
  exchange_->on_peer_gone = nullptr;
  if (response.status < 200 || response.status > 599) response.status = 500;
  context_.events.answered(Protocol::kHttp11, response.status);
  if (draining_) exchange_->keep_alive = false;
  if (!exchange_->body_done) {
    const bool short_rest =
        exchange_->length && *exchange_->length - exchange_->received <= kDiscardBytesMax;
    if (!short_rest) exchange_->keep_alive = false;
  }
  if (stream) return begin_stream(response, std::move(stream));
  const bool bodiless = response.status == 204 || response.status == 304;
  write_head(response, bodiless ? Http1Framing::kNone : Http1Framing::kLength);
  if (!exchange_->head_request && !bodiless) body_ = std::move(response.body);
  body_sent_ = 0;
}

void Http1Session::on_peer_gone(std::uint64_t id, std::function<void()> callback) {
  const bool is_open = exchange_ && exchange_->id == id && !exchange_->answered;
  if (!is_open || state_ != SessionState::kOpen) return callback();
  exchange_->on_peer_gone = std::move(callback);
}

void Http1Session::upgrade(std::uint64_t id, std::shared_ptr<WebSocketChannel> channel) {
  const bool possible = exchange_ && exchange_->id == id && !exchange_->answered &&
                        exchange_->body_done && exchange_->upgrade_head && !draining_;
  if (!possible) return Session::upgrade(id, std::move(channel));
  exchange_->answered = true;
  context_.events.answered(Protocol::kHttp11, kSwitchingProtocols);
  web_socket_ = std::move(channel);
}

std::optional<Session::Upgrade> Http1Session::take_upgrade() {
  if (!web_socket_) return std::nullopt;
  return Upgrade{.head = std::move(*exchange_->upgrade_head),
                 .channel = std::exchange(web_socket_, nullptr),
                 .rest = std::string(in_.view().substr(in_used_))};
}

void Http1Session::begin_stream(const Response& head, std::shared_ptr<StreamBody> stream) {
  const bool bodiless = exchange_->head_request || head.status == 204 || head.status == 304;
  if (bodiless) {
    stream->cancel(CancelReason::kNoBody);
    return write_head(head, Http1Framing::kNone);
  }
  exchange_->chunked = !exchange_->http10;
  if (exchange_->http10) exchange_->keep_alive = false;
  write_head(head, exchange_->chunked ? Http1Framing::kChunked : Http1Framing::kUntilClose);
  deadline_ = std::min(deadline_, stream->deadline());
  exchange_->stream = std::move(stream);
}

void Http1Session::produce_stream(Bytes& out, std::size_t bytes_max) {
  while (exchange_->stream != nullptr && out.size() < bytes_max) {
    std::array<char, kStreamPieceBytes> piece;
    StreamBody::State after = StreamBody::State::kOpen;
    const std::size_t size = exchange_->stream->read(
        std::span(piece).first(std::min(piece.size(), bytes_max - out.size())), after);
    if (exchange_->chunked) {
      append_http1_chunk(out, {piece.data(), size});
    } else {
      out.append({piece.data(), size});
    }
    if (after == StreamBody::State::kAborted) {
      context_.events.aborted(place(), AbortReason::kHandlerAborted);
      cancel_stream(CancelReason::kConnectionEnded);
      state_ = SessionState::kAborted;
    } else if (after == StreamBody::State::kComplete) {
      end_stream(out);
    } else if (size == 0) {
      return;
    }
  }
}

void Http1Session::end_stream(Bytes& out) {
  if (exchange_->chunked) append_http1_last_chunk(out, exchange_->stream->take_trailers());
  exchange_->stream.reset();
  if (exchange_->body_done) deadline_ = SteadyTime::max();
}

void Http1Session::cancel_stream(CancelReason reason) {
  if (const auto stream = std::exchange(exchange_->stream, nullptr)) stream->cancel(reason);
}

void Http1Session::write_head(const Response& response, Http1Framing framing) {
  append_http1_head(
      head_, response,
      {.framing = framing, .keep_alive = exchange_->keep_alive, .http10 = exchange_->http10},
      context_.clock);
}

void Http1Session::produce(Bytes& out, std::size_t bytes_max) {
  if (state_ == SessionState::kAborted) return;
  if (head_sent_ < head_.size()) {
    out.append(std::string_view(head_).substr(head_sent_));
    head_.clear();
    head_sent_ = 0;
  }
  if (body_sent_ < body_.size() && out.size() < bytes_max) {
    const std::size_t size = std::min(bytes_max - out.size(), body_.size() - body_sent_);
    out.append(body_.slice(body_sent_, size));
    body_sent_ += size;
  }
  if (exchange_) produce_stream(out, bytes_max);
  if (state_ == SessionState::kAborted || web_socket_ || !exchange_ || !exchange_->answered ||
      has_output())
    return;
  const bool all_read = exchange_->body_done && in_used_ == in_.size();
  exchange_done(all_read ? SessionState::kDone : SessionState::kFinished);
  if (!exchange_) parse_rest();
}

// The answer has been handed over; the body may still be coming. `end` is how the connection ends
// if it is not kept.
void Http1Session::exchange_done(SessionState end) {
  body_ = Bytes();
  body_sent_ = 0;
  if (state_ != SessionState::kOpen) return;
  if (!exchange_->keep_alive) {
    state_ = end;
    deadline_ = SteadyTime::max();
    return;
  }
  if (!exchange_->body_done) return;
  exchange_.reset();
  context_.events.stream_closed();
  begin_request();
  deadline_ = context_.clock.now() + limits_.idle_timeout;
  if (draining_ && in_used_ == in_.size()) state_ = end;
}

void Http1Session::on_time(SteadyTime now) {
  if (now < deadline_ || state_ != SessionState::kOpen) return;
  deadline_ = SteadyTime::max();
  if (exchange_ && exchange_->stream != nullptr && now >= exchange_->stream->deadline()) {
    cancel_stream(CancelReason::kDeadline);
    context_.events.aborted(place(), AbortReason::kStreamDeadline);
    state_ = SessionState::kAborted;
  } else if (exchange_) {
    fail({408, "the request's body did not arrive in time"}, AbortReason::kRequestTimeout);
  } else if (head_begun_) {
    fail({408, "the request's head did not arrive in time"}, AbortReason::kHeaderTimeout);
  } else {
    state_ = SessionState::kDone;
  }
}

void Http1Session::drain() {
  draining_ = true;
  if (!exchange_ && !head_begun_ && state_ == SessionState::kOpen) state_ = SessionState::kDone;
}

}  // namespace

std::unique_ptr<Session> make_http1_session(SessionContext context, ResponderSource& responders) {
  return std::make_unique<Http1Session>(std::move(context), responders);
}

}  // namespace spanway::http
