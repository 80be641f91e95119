#include "services/lib/http/client/client_connection.h"

#include <boost/beast/http/error.hpp>
#include <utility>

namespace spanway::http {
namespace {

constexpr std::uint32_t kHeadBytesMax = 64 * 1024;
constexpr int kReadsInARow = 4;

}  // namespace

ClientConnection::ClientConnection(ClientConnectionOwner& owner, const ClientTarget& target,
                                   IoThread& thread, std::size_t first_address)
    : owner_(&owner),
      target_(target),
      thread_(thread),
      timer_(thread.context()),
      first_address_(first_address) {}

ClientConnection::~ClientConnection() = default;

std::string ClientConnection::where() const {
  return "http client: " + target_.url.host + ":" + std::to_string(target_.url.port);
}

// ---- Connecting.

void ClientConnection::open(std::shared_ptr<ClientCall> call) {
  call_ = std::move(call);
  set_timer(target_.options.connect_timeout);
  socket_ = std::make_shared<ClientSocket>(weak_from_this(), target_, thread_, "");
  socket_->open(first_address_);
}

// Each address has its share of the time.
void ClientConnection::on_attempt(std::size_t count) {
  set_timer(target_.options.connect_timeout / static_cast<Duration::rep>(count));
}

void ClientConnection::on_connected() { begin_exchange(); }

void ClientConnection::on_connect_failed(Error error) {
  fail(std::move(error).with_context(where()));
}

// ---- Exchanging.

bool ClientConnection::reuse(std::shared_ptr<ClientCall> call) {
  // The peer may have closed; TLS may have control records.
  const IoState state = socket_->transport().read(thread_.scratch()).state;
  if (state != IoState::kWantRead) {
    close(nullptr);
    return false;
  }
  call_ = std::move(call);
  reused_ = true;
  begin_exchange();
  return true;
}

void ClientConnection::begin_exchange() {
  phase_ = Phase::kExchange;
  timer_.cancel();
  answer_begun_ = false;
  too_large_ = false;
  head_sent_ = 0;
  body_sent_ = 0;
  begin_answer();
  socket_->wait_readable();
  write_request();
}

void ClientConnection::begin_answer() {
  answer_ = Bytes();
  head_reported_ = false;
  paused_ = false;
  done_paused_ = false;
  parser_.emplace([this](std::string_view bytes) { on_body(bytes); });
  parser_->header_limit(kHeadBytesMax);
  parser_->eager(true);
  if (call_->method == "HEAD") parser_->skip(true);
}

void ClientConnection::write_request() {
  while (phase_ == Phase::kExchange && call_ != nullptr) {
    const bool in_head = head_sent_ < call_->head.size();
    const std::string_view rest = in_head ? std::string_view(call_->head).substr(head_sent_)
                                          : call_->body.view().substr(body_sent_);
    if (rest.empty()) return;
    const IoResult result = socket_->transport().write(rest);
    switch (result.state) {
      case IoState::kOk:
        (in_head ? head_sent_ : body_sent_) += result.bytes;
        break;
      case IoState::kWantRead:
        return socket_->wait_readable();
      case IoState::kWantWrite:
        return socket_->wait_writable();
      case IoState::kEof:
      case IoState::kFailed:
        // The peer may have answered before it closed.
        return on_readable();
    }
  }
}

void ClientConnection::on_writable() {
  if (phase_ == Phase::kExchange) write_request();
}

void ClientConnection::on_readable() {
  if (phase_ == Phase::kClosed) return;
  // The answer's callback may close the connection and let go of it.
  const auto self = shared_from_this();
  for (int i = 0; i < kReadsInARow; ++i) {
    const IoResult result = socket_->transport().read(thread_.scratch());
    if (result.state != IoState::kOk) {
      input_ended(result.state);
      break;
    }
    if (phase_ == Phase::kIdle) return close(nullptr);  // Bytes without a request.
    on_bytes({thread_.scratch().data(), result.bytes});
    if (phase_ == Phase::kClosed || paused_ || !(result.bytes == thread_.scratch().size())) break;
  }
  if (phase_ == Phase::kClosed || paused_) return;
  socket_->read_on();
}

void ClientConnection::on_bytes(std::string_view bytes) {
  answer_begun_ = true;
  if (in_.empty()) {
    parse(bytes);
    return;
  }
  in_.append(bytes);
  const Bytes joined = std::move(in_);
  parse(joined.view());
}

// False when the exchange is over, well or badly.
bool ClientConnection::parse(std::string_view bytes) {
  while (!bytes.empty()) {
    boost::system::error_code error;
    const std::size_t used = parser_->put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(used);
    const bool need_more = error == boost::beast::http::error::need_more;
    if (error && !need_more) {
      fail(unavailable(where() + ": the answer is not valid HTTP: " + error.message())
               .with_reason("response_invalid"));
      return false;
    }
    if (call_->observer != nullptr && parser_->is_header_done()) report_head();
    const bool announced_too_large =
        parser_->is_header_done() && call_->method != "HEAD" && call_->observer == nullptr &&
        parser_->content_length().value_or(0) > target_.options.response_bytes_max;
    if (too_large_ || announced_too_large) {
      if (target_.options.truncate_large_responses) {
        answer_done(false);
        return false;
      }
      fail(unavailable(where() + ": the answer is larger than " +
                       std::to_string(target_.options.response_bytes_max) + " bytes")
               .with_reason("response_too_large"));
      return false;
    }
    if (parser_->is_done()) {
      const bool interim = parser_->head().status < 200 && parser_->head().status != 101;
      if (!interim && paused_ && !answer_.empty()) {
        done_paused_ = true;
        nothing_left_ = bytes.empty();
        return false;
      }
      if (!interim) {
        answer_done(bytes.empty());
        return false;
      }
      begin_answer();
    } else if (need_more && (used == 0 || bytes.empty())) {
      break;
    }
  }
  if (bytes.size() > kHeadBytesMax) {
    fail(unavailable(where() + ": the answer's head or a chunk's header is too big")
             .with_reason("response_invalid"));
    return false;
  }
  in_ = Bytes(bytes);
  return true;
}

void ClientConnection::report_head() {
  const int status = parser_->head().status;
  if (head_reported_ || status < 200) return;
  head_reported_ = true;
  call_->observer->on_head(status, parser_->head().headers);
}

bool ClientConnection::deliver(std::string_view bytes) {
  report_head();
  return call_->observer->on_data(bytes);
}

void ClientConnection::resume() {
  if (phase_ != Phase::kExchange || !paused_) return;
  paused_ = false;
  const Bytes held = std::exchange(answer_, Bytes());
  if (!held.empty()) paused_ = !deliver(held.view());
  if (done_paused_) {
    answer_done(nothing_left_);
  } else if (!paused_) {
    on_readable();
  }
}

void ClientConnection::on_body(std::string_view bytes) {
  if (call_->observer != nullptr) {
    if (paused_) {
      answer_.append(bytes);
    } else {
      paused_ = !deliver(bytes);
    }
    return;
  }
  if (answer_.size() + bytes.size() > target_.options.response_bytes_max) too_large_ = true;
  if (too_large_) return;
  answer_.append(bytes);
}

void ClientConnection::input_ended(IoState state) {
  if (state == IoState::kWantRead) return;
  if (state == IoState::kWantWrite) return socket_->wait_writable();
  if (phase_ == Phase::kIdle) return close(nullptr);
  if (state == IoState::kEof && parser_->got_some() && parser_->need_eof() &&
      parser_->is_header_done()) {
    boost::system::error_code error;
    parser_->put_eof(error);
    if (!error) return answer_done(false);
  }
  if (reused_ && !answer_begun_ && call_->idempotent && !call_->sent_again)
    return close(std::exchange(call_, nullptr));
  fail(unavailable(where() + ": the connection was closed before the answer was complete")
           .with_reason("connection_closed"));
}

void ClientConnection::answer_done(bool nothing_left) {
  Response response;
  response.status = parser_->head().status;
  response.headers = std::move(parser_->head().headers);
  response.body = std::move(answer_);
  const bool request_sent = head_sent_ == call_->head.size() && body_sent_ == call_->body.size();
  const bool keep = nothing_left && request_sent && parser_->keep_alive() && response.status != 101;
  const auto call = std::exchange(call_, nullptr);
  if (keep) {
    idle();
  } else {
    close(nullptr);
  }
  call->finish(std::move(response));
}

void ClientConnection::idle() {
  phase_ = Phase::kIdle;
  in_ = Bytes();
  set_timer(target_.options.idle_timeout);
  socket_->wait_readable();
  if (owner_ != nullptr) owner_->on_idle(shared_from_this());
}

// ---- The end.

void ClientConnection::set_timer(Duration wait) {
  timer_.expires_after(wait);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (const auto self = weak.lock(); self && self->phase_ != Phase::kClosed) self->on_timer();
  });
}

void ClientConnection::on_timer() {
  switch (phase_) {
    case Phase::kConnect:
      return socket_->try_next_address("no answer in time");
    case Phase::kIdle:
      return close(nullptr);
    case Phase::kExchange:
    case Phase::kClosed:
      return;
  }
}

void ClientConnection::abort(Error error) { fail(std::move(error)); }

void ClientConnection::detach() {
  owner_ = nullptr;
  close(nullptr);
}

void ClientConnection::fail(Error error) {
  const auto call = std::exchange(call_, nullptr);
  close(nullptr);
  if (call != nullptr) call->finish(std::move(error));
}

void ClientConnection::close(std::shared_ptr<ClientCall> unsent) {
  if (phase_ == Phase::kClosed) return;
  const auto self = shared_from_this();
  phase_ = Phase::kClosed;
  if (socket_ != nullptr) socket_->close();
  timer_.cancel();
  if (owner_ != nullptr) owner_->on_closed(self, std::move(unsent));
}

}  // namespace spanway::http
