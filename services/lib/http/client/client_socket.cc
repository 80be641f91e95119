#include "services/lib/http/client/client_socket.h"

#include <algorithm>
#include <utility>

namespace spanway::http {
namespace {

using boost::asio::ip::tcp;

// At most this many addresses of a name are tried.
constexpr std::size_t kAddressesMax = 4;

std::string authority_of(const Url& url) {
  const std::string host =
      url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  const std::uint16_t usual = url.https ? 443 : 80;
  return url.port == usual ? host : host + ":" + std::to_string(url.port);
}

}  // namespace

Result<ClientOrigin> make_origin(Url url, std::shared_ptr<TlsClientContext> tls,
                                 const std::string& client) {
  if (url.https && tls == nullptr)
    return configuration_error(Code::kInvalidArgument,
                               client + ": https needs TLS settings, and there are none");
  ClientOrigin origin{.url = std::move(url), .tls = nullptr, .verified_name = {}, .authority = {}};
  origin.authority = authority_of(origin.url);
  if (origin.url.https) {
    // There is no other implementation.
    origin.tls = std::static_pointer_cast<TlsClientContextImpl>(std::move(tls));
    const std::string& name = origin.tls->server_name();
    origin.verified_name = name.empty() ? origin.url.host : name;
  }
  return origin;
}

ClientSocket::ClientSocket(std::weak_ptr<ClientSocketOwner> owner, const ClientOrigin& origin,
                           IoThread& thread, std::string_view alpn)
    : owner_(std::move(owner)),
      origin_(origin),
      thread_(thread),
      alpn_(alpn),
      resolver_(thread.context()),
      socket_(thread.context()) {}

void ClientSocket::open(std::size_t first_address) {
  resolver_.async_resolve(
      origin_.url.host, std::to_string(origin_.url.port), tcp::resolver::numeric_service,
      [self = shared_from_this(), first_address](const boost::system::error_code& error,
                                                 const tcp::resolver::results_type& found) {
        if (self->phase_ != Phase::kConnect) return;
        for (const auto& entry : found) self->endpoints_.push_back(entry.endpoint());
        self->resolved(error, first_address);
      });
}

void ClientSocket::resolved(const boost::system::error_code& error, std::size_t first_address) {
  const auto owner = owner_.lock();
  if (owner == nullptr) return close();
  if (error || endpoints_.empty())
    return owner->on_connect_failed(unavailable("the name cannot be resolved: " + error.message())
                                        .with_reason("resolve_failed"));
  std::rotate(endpoints_.begin(),
              endpoints_.begin() + static_cast<std::ptrdiff_t>(first_address % endpoints_.size()),
              endpoints_.end());
  endpoints_.resize(std::min(endpoints_.size(), kAddressesMax));
  connect_next();
}

void ClientSocket::connect_next() {
  const auto owner = owner_.lock();
  if (owner == nullptr) return close();
  if (next_endpoint_ == endpoints_.size())
    return owner->on_connect_failed(
        unavailable("cannot connect: " + last_failure_).with_reason("connect_failed"));
  phase_ = Phase::kConnect;
  transport_.reset();
  boost::system::error_code ignored;
  socket_.close(ignored);
  owner->on_attempt(endpoints_.size());
  const std::size_t attempt = ++next_endpoint_;
  socket_.async_connect(endpoints_[attempt - 1], [self = shared_from_this(),
                                                  attempt](const boost::system::error_code& error) {
    // An attempt that was given up is not the current one.
    if (self->phase_ == Phase::kConnect && attempt == self->next_endpoint_)
      self->connect_done(error);
  });
}

void ClientSocket::try_next_address(std::string_view failure) {
  if (phase_ > Phase::kHandshake) return;
  last_failure_ = failure;
  connect_next();
}

void ClientSocket::connect_done(const boost::system::error_code& error) {
  if (error) return try_next_address(error.message());
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  if (origin_.tls == nullptr) {
    transport_ = make_plain_transport(socket_.native_handle());
    return established();
  }
  transport_ = make_tls_client_transport(socket_.native_handle(), origin_.tls->current(),
                                         origin_.verified_name, alpn_);
  if (transport_ == nullptr) return try_next_address("TLS cannot be set up for this host name");
  phase_ = Phase::kHandshake;
  continue_handshake();
}

void ClientSocket::continue_handshake() {
  switch (transport_->handshake().state) {
    case IoState::kOk:
      return established();
    case IoState::kWantRead:
      return wait_readable();
    case IoState::kWantWrite:
      return wait_writable();
    case IoState::kEof:
    case IoState::kFailed:
      return try_next_address("TLS: " + transport_->failure());
  }
}

void ClientSocket::established() {
  phase_ = Phase::kConnected;
  if (const auto owner = owner_.lock()) return owner->on_connected();
  close();
}

void ClientSocket::wait_readable() {
  if (read_waiting_ || phase_ == Phase::kClosed) return;
  read_waiting_ = true;
  socket_.async_wait(tcp::socket::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->read_waiting_ = false;
                       if (!error) self->readable();
                     });
}

void ClientSocket::wait_writable() {
  if (write_waiting_ || phase_ == Phase::kClosed) return;
  write_waiting_ = true;
  socket_.async_wait(tcp::socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->write_waiting_ = false;
                       if (!error) self->writable();
                     });
}

void ClientSocket::read_on() {
  if (phase_ != Phase::kConnected) return;
  if (transport_->has_buffered()) thread_.post([self = shared_from_this()] { self->readable(); });
  wait_readable();
}

void ClientSocket::readable() {
  if (phase_ == Phase::kHandshake) return continue_handshake();
  if (phase_ != Phase::kConnected) return;
  if (const auto owner = owner_.lock()) owner->on_readable();
}

void ClientSocket::writable() {
  if (phase_ == Phase::kHandshake) return continue_handshake();
  if (phase_ != Phase::kConnected) return;
  if (const auto owner = owner_.lock()) owner->on_writable();
}

void ClientSocket::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  if (transport_ != nullptr) transport_->shutdown();
  resolver_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace spanway::http
