#include "services/lib/http/server/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "services/lib/http/server/http1_session.h"
#include "services/lib/http/server/http2_session.h"
#include "services/lib/http/server/web_socket_session.h"

namespace spanway::http {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// The first byte of a TLS connection, and of no request: methods are capital letters.
constexpr char kTlsHandshake = 0x16;
constexpr std::size_t kWriteBatchBytes = 64 * 1024;
// A connection that is over keeps its output buffer up to this size.
constexpr std::size_t kIdleOutputBytes = 16 * 1024;
// Reads in a row before other connections get their turn.
constexpr int kReadsInARow = 4;
// After the last answer the peer's remaining bytes are read and thrown away, so that the answer is
// not lost to a TCP reset.
constexpr std::size_t kLingerBytesMax = 64 * 1024;
constexpr Duration kLingerTimeout = std::chrono::seconds(1);
// While the server drains: for the first bytes of a peer, which may be under way.
constexpr Duration kDrainSilenceMax = std::chrono::seconds(1);
// The object, its socket, timer and queue; OpenSSL's state and buffers.
constexpr std::size_t kConnectionBytes = 3 * 1024;
constexpr std::size_t kTlsBytes = 40 * 1024;
// Memory is acquired and released in steps.
constexpr std::size_t kChargeStep = 1024;
constexpr std::size_t kChargeSlack = 16 * 1024;

}  // namespace

Connection::Connection(ConnectionDeps deps, boost::asio::ip::tcp::socket socket,
                       std::unique_ptr<Transport> transport, bool tls, std::string peer_address,
                       Duration age)
    : deps_(deps),
      socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      transport_(std::move(transport)),
      tls_(tls),
      peer_address_(std::move(peer_address)),
      responses_(std::make_shared<ResponseQueue>([this] { wake(); })),
      age_deadline_(now() + age) {}

Connection::~Connection() { responses_->close(); }

void Connection::start(std::weak_ptr<ConnectionOwner> owner) {
  owner_ = std::move(owner);
  deps_.events.connection_opened();
  if (deps_.options.connection_memory != nullptr)
    permit_ = deps_.options.connection_memory->empty_permit();
  if (!charge_or_make_room()) return abort(AbortReason::kMemory);
  if (tls_) {
    phase_deadline_ = now() + first_bytes_within(deps_.options.limits.handshake_timeout);
    continue_handshake();
  } else {
    handshake_done();
  }
}

// Any thread.
void Connection::wake() {
  if (deps_.thread.on_thread() && busy_) return;
  boost::asio::post(deps_.thread.context(), [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && self->phase_ == Phase::kServe) self->step();
  });
}

void Connection::wait_readable() {
  if (read_waiting_ || read_ended_ || phase_ == Phase::kClosed) return;
  read_waiting_ = true;
  socket_.async_wait(boost::asio::socket_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->read_waiting_ = false;
                       if (self->phase_ == Phase::kClosed) return;
                       if (error) return self->lose(error.message());
                       self->on_readable();
                     });
}

void Connection::wait_writable() {
  if (write_waiting_ || phase_ == Phase::kClosed) return;
  write_waiting_ = true;
  socket_.async_wait(boost::asio::socket_base::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->write_waiting_ = false;
                       if (self->phase_ == Phase::kClosed) return;
                       if (error) return self->lose(error.message());
                       self->on_writable();
                     });
}

void Connection::on_writable() {
  if (phase_ == Phase::kHandshake) return continue_handshake();
  if (phase_ == Phase::kServe) step();
}

// The client begins. Its first byte is peeked at, before OpenSSL reads it.
bool Connection::begin_handshake() {
  char first = kTlsHandshake;
  const ssize_t peeked = ::recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  if (peeked < 0 && (errno == EAGAIN || errno == EINTR)) {
    wait_readable();
    arm_timer();
    return false;
  }
  handshake_begun_ = true;
  if (first < 'A' || first > 'Z') return true;
  deps_.events.plain_text_arrived(peer_address_, deps_.options.tls_section);
  abort();
  return false;
}

void Connection::continue_handshake() {
  if (!handshake_begun_ && !begin_handshake()) return;
  const IoResult result = transport_->handshake();
  switch (result.state) {
    case IoState::kOk:
      return handshake_done();
    case IoState::kWantRead:
      wait_readable();
      break;
    case IoState::kWantWrite:
      wait_writable();
      break;
    case IoState::kEof:
    case IoState::kFailed:
      deps_.events.handshake_failed(peer_address_, transport_->failure());
      return abort();
  }
  arm_timer();
}

void Connection::handshake_done() {
  phase_ = Phase::kDetect;
  phase_deadline_ = now() + first_bytes_within(deps_.options.limits.header_timeout);
  if (transport_->alpn() == "h2") {
    serve(Protocol::kHttp2);
  } else if (transport_->alpn() == "http/1.1") {
    serve(Protocol::kHttp11);
  }
  on_readable();
}

bool Connection::detect(std::string_view bytes) {
  if (!tls_ && detected_.empty() && bytes.front() == kTlsHandshake) {
    deps_.events.tls_arrived(peer_address_, deps_.options.tls_section);
    abort();
    return false;
  }
  detected_.append(bytes.substr(0, kHttp2Preface.size() - detected_.size()));
  const std::string_view expected = kHttp2Preface.substr(0, detected_.size());
  if (detected_ == expected && detected_.size() < kHttp2Preface.size()) return false;
  const Protocol protocol = detected_ == expected ? Protocol::kHttp2 : Protocol::kHttp11;
  const bool spoken = protocol == Protocol::kHttp2 ? deps_.options.http2 : deps_.options.http1;
  if (!spoken) {
    refuse(RefusedReason::kProtocol);
    return false;
  }
  serve(protocol);
  return true;
}

void Connection::serve(Protocol protocol) {
  phase_ = Phase::kServe;
  phase_deadline_ = SteadyTime::max();
  SessionContext context{.options = deps_.options,
                         .handler = deps_.handler,
                         .events = deps_.events,
                         .clock = deps_.thread.clock(),
                         .peer_address = peer_address_,
                         .tls = tls_,
                         .peer_certificate_cn = transport_->peer_cn()};
  if (protocol == Protocol::kHttp2) {
    session_ = make_http2_session(std::move(context), *this);
  } else {
    session_ = make_http1_session(std::move(context), *this);
  }
  if (draining_) session_->drain();
}

void Connection::on_readable() {
  if (phase_ == Phase::kHandshake) return continue_handshake();
  bool more = true;
  for (int i = 0; more && i < kReadsInARow; ++i) {
    if (session_ && !session_->wants_read() && phase_ == Phase::kServe) break;
    more = read_once();
  }
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kServe) {
    step();
  } else {
    wait_readable();
    arm_timer();
  }
  // Bytes inside TLS do not make the socket readable.
  if (more && transport_->has_buffered() && phase_ != Phase::kClosed)
    boost::asio::post(deps_.thread.context(), [self = shared_from_this()] {
      if (self->phase_ != Phase::kClosed) self->on_readable();
    });
}

bool Connection::read_once() {
  std::span<char> scratch = deps_.thread.scratch();
  const std::size_t bytes_max =
      phase_ == Phase::kServe ? session_->read_bytes_max() : deps_.options.limits.header_bytes_max;
  scratch = scratch.first(std::min(scratch.size(), bytes_max));
  const IoResult result = transport_->read(scratch);
  if (result.state != IoState::kOk) {
    read_ended(result.state);
    return false;
  }
  deps_.events.received(result.bytes);
  active_ = true;
  const std::string_view bytes(scratch.data(), result.bytes);
  if (phase_ == Phase::kLinger) {
    linger_bytes(bytes.size());
  } else if (phase_ == Phase::kServe) {
    serve_bytes(bytes);
  } else {
    const std::size_t before = detected_.size();
    if (detect(bytes)) {
      // The bytes of earlier reads, then this one: the session gets the connection from its start.
      const std::string head = std::exchange(detected_, {});
      if (before > 0) serve_bytes(std::string_view(head).substr(0, before));
      serve_bytes(bytes);
    }
  }
  return phase_ != Phase::kClosed && (bytes.size() == scratch.size() || transport_->has_buffered());
}

void Connection::serve_bytes(std::string_view bytes) {
  busy_ = true;
  session_->receive(bytes);
  busy_ = false;
  take_answers();
}

void Connection::linger_bytes(std::size_t bytes) {
  lingered_bytes_ += bytes;
  if (lingered_bytes_ > kLingerBytesMax) abort(AbortReason::kRestTooBig);
}

void Connection::read_ended(IoState state) {
  if (state == IoState::kWantRead) return;
  if (state == IoState::kWantWrite) return wait_writable();
  read_ended_ = true;
  if (state == IoState::kFailed) return lose(transport_->failure());
  if (phase_ != Phase::kServe) return abort();
  busy_ = true;
  session_->receive_end();
  busy_ = false;
}

bool Connection::take_answers() {
  // An answer may let a session read on in what it has, and that may lead to the next answer.
  bool taken = false;
  while (true) {
    responses_->take(answers_);
    if (answers_.empty()) return taken;
    taken = true;
    busy_ = true;
    for (auto& answer : answers_) {
      if (answer.resumes) {
        session_->resume(answer.id);
      } else if (answer.on_peer_gone) {
        session_->on_peer_gone(answer.id, std::move(answer.on_peer_gone));
      } else if (answer.web_socket) {
        session_->upgrade(answer.id, std::move(answer.web_socket));
      } else {
        session_->answer(answer.id, std::move(answer.response), std::move(answer.stream));
      }
    }
    busy_ = false;
    upgrade();
  }
}

void Connection::upgrade() {
  auto upgrade = session_->take_upgrade();
  if (!upgrade) return;
  // Beast's operations complete outside of calls to the session.
  session_ = make_web_socket_session(deps_.thread.context(), upgrade->head,
                                     std::move(upgrade->channel), [weak = weak_from_this()] {
                                       if (const auto self = weak.lock();
                                           self && self->phase_ == Phase::kServe)
                                         self->step();
                                     });
  busy_ = true;
  session_->receive(upgrade->rest);
  busy_ = false;
}

void Connection::step() {
  take_answers();
  flush();
  account();
  if (phase_ != Phase::kServe) return;
  if (session_->wants_read()) wait_readable();
  arm_timer();
}

void Connection::flush() {
  while (phase_ == Phase::kServe) {
    if (session_->state() == SessionState::kAborted) return abort();
    if (out_sent_ == out_.size()) {
      out_.clear();
      out_sent_ = 0;
      busy_ = true;
      session_->produce(out_, kWriteBatchBytes);
      busy_ = false;
      if (out_.empty()) {
        // Producing may have ended streams, and those their readers, and those answered.
        if (take_answers()) continue;
        break;
      }
    }
    const IoResult result = transport_->write(out_.view().substr(out_sent_));
    if (result.state == IoState::kOk) {
      out_sent_ += result.bytes;
      write_deadline_ = SteadyTime::max();
      deps_.events.sent(result.bytes);
      continue;
    }
    if (result.state != IoState::kWantWrite && result.state != IoState::kWantRead)
      return lose(transport_->failure());
    if (write_deadline_ == SteadyTime::max())
      write_deadline_ = now() + deps_.options.limits.idle_timeout;
    if (result.state == IoState::kWantWrite) {
      wait_writable();
    } else {
      wait_readable();
    }
    return;
  }
  if (phase_ != Phase::kServe) return;
  if (session_->state() == SessionState::kAborted) return abort();
  if (out_.capacity() > kIdleOutputBytes) out_ = Bytes();
  if (session_->state() == SessionState::kFinished) return finish();
  if (session_->state() == SessionState::kDone) {
    transport_->shutdown();
    abort();
  }
}

std::size_t Connection::memory() const noexcept {
  return kConnectionBytes + (tls_ ? kTlsBytes : 0) + out_.capacity() + responses_->stream_bytes() +
         (session_ ? session_->memory() : 0);
}

bool Connection::charge() {
  const std::size_t held = memory();
  if (held > permit_.bytes())
    return permit_.grow_to((held + kChargeStep - 1) / kChargeStep * kChargeStep);
  if (permit_.bytes() - held > kChargeSlack) permit_.shrink_to(held + kChargeStep);
  return true;
}

void Connection::account() {
  if (phase_ == Phase::kClosed) return;
  const bool idle = session_ == nullptr || (session_->is_idle() && out_.empty());
  const bool active = std::exchange(active_, false);
  if (idle != idle_ || (idle && active)) {
    idle_ = idle;
    if (const auto owner = owner_.lock()) owner->on_idle(*this, idle);
  }
  if (!charge_or_make_room()) abort(AbortReason::kMemory);
}

bool Connection::charge_or_make_room() {
  if (charge()) return true;
  const auto owner = owner_.lock();
  while (owner && owner->make_room(*this)) {
    if (charge()) return true;
  }
  return false;
}

void Connection::finish() {
  if (read_ended_) return abort();
  // The session and what its readers hold are given back now; the linger needs neither.
  responses_->close();
  session_.reset();
  transport_->shutdown();
  phase_ = Phase::kLinger;
  phase_deadline_ = now() + kLingerTimeout;
  write_deadline_ = SteadyTime::max();
  wait_readable();
  arm_timer();
}

void Connection::refuse(RefusedReason reason) {
  deps_.events.connection_refused(peer_address_, reason);
  abort();
}

void Connection::drain(SteadyTime abort_at) {
  if (phase_ == Phase::kClosed || draining_) return;
  draining_ = true;
  age_deadline_ = abort_at;
  if (phase_ == Phase::kServe) {
    session_->drain();
    step();
  } else if (phase_ != Phase::kLinger) {
    phase_deadline_ = std::min(phase_deadline_, now() + kDrainSilenceMax);
    arm_timer();
  }
}

Duration Connection::first_bytes_within(Duration configured) const {
  return draining_ ? std::min(configured, kDrainSilenceMax) : configured;
}

void Connection::lose(const std::string& error) {
  deps_.events.connection_lost(peer_address_, error);
  abort();
}

void Connection::abort(AbortReason reason) {
  if (phase_ != Phase::kClosed) deps_.events.aborted({peer_address_, 0}, reason);
  abort();
}

void Connection::abort() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  responses_->close();
  session_.reset();
  timer_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  permit_.release();
  deps_.events.connection_closed();
  if (const auto owner = owner_.lock()) owner->on_closed(*this);
}

void Connection::arm_timer() {
  if (phase_ == Phase::kClosed) return;
  SteadyTime next = std::min({phase_deadline_, write_deadline_, age_deadline_});
  if (session_) next = std::min(next, session_->next_deadline());
  // A timer that fires too early is harmless; so it is only ever moved forward in time.
  if (next >= armed_for_) return;
  armed_for_ = next;
  timer_.expires_after(std::max(next - now(), Duration::zero()));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (const auto self = weak.lock(); self && self->phase_ != Phase::kClosed) self->on_timer();
  });
}

void Connection::on_timer() {
  armed_for_ = SteadyTime::max();
  const SteadyTime time = now();
  if (time >= phase_deadline_) {
    if (draining_ && phase_ != Phase::kLinger)
      deps_.events.aborted({peer_address_, 0}, AbortReason::kDrain);
    else if (phase_ == Phase::kHandshake)
      deps_.events.connection_refused(peer_address_, RefusedReason::kHandshakeTimeout);
    else if (phase_ == Phase::kDetect)
      deps_.events.aborted({peer_address_, 0}, AbortReason::kHeaderTimeout);
    return abort();
  }
  if (time >= write_deadline_) {
    deps_.events.aborted({peer_address_, 0}, AbortReason::kWriteStall);
    return abort();
  }
  if (time >= age_deadline_) {
    if (draining_) {
      deps_.events.aborted({peer_address_, 0}, AbortReason::kDrain);
      return abort();
    }
    drain(time + deps_.options.limits.connection_age_grace);
  } else if (session_) {
    busy_ = true;
    session_->on_time(time);
    busy_ = false;
    step();
  }
  arm_timer();
}

}  // namespace spanway::http
