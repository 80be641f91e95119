// The socket of a client's connection, whatever it speaks: resolve, connect to one address after
// the other, TLS handshake, then bytes. For this module only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/lib/http/client.h"
#include "services/lib/http/net/io_thread.h"
#include "services/lib/http/net/tls_context.h"
#include "services/lib/http/net/transport.h"

namespace spanway::http {

// Where a client's connections go.
struct ClientOrigin {
  Url url;
  std::shared_ptr<TlsClientContextImpl> tls;  // Null for http.
  std::string verified_name;                  // The name that the server's certificate must have.
  std::string authority;                      // For "host" and ":authority".
};
// INVALID_ARGUMENT for https without TLS; `client` is for its message.
Result<ClientOrigin> make_origin(Url url, std::shared_ptr<TlsClientContext> tls,
                                 const std::string& client);

// Called on the io thread.
class ClientSocketOwner {
 public:
  virtual ~ClientSocketOwner() = default;
  // One of `count` addresses is being tried; the owner bounds the time.
  virtual void on_attempt(std::size_t count) = 0;
  // Bytes can be exchanged.
  virtual void on_connected() = 0;
  // No address is left, or the name has none. UNAVAILABLE.
  virtual void on_connect_failed(Error error) = 0;
  // Only once connected, after wait_readable() or wait_writable().
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;
};

// Single-thread: `thread`. The origin outlives it.
class ClientSocket final : public std::enable_shared_from_this<ClientSocket> {
 public:
  // `alpn` as in make_tls_client_transport().
  ClientSocket(std::weak_ptr<ClientSocketOwner> owner, const ClientOrigin& origin, IoThread& thread,
               std::string_view alpn);

  // `first_address`: which of the name's addresses is tried first.
  void open(std::size_t first_address);
  // Gives the current address up; nothing once connected.
  void try_next_address(std::string_view failure);
  bool connected() const noexcept { return phase_ == Phase::kConnected; }
  // Why the last address was given up; empty when none was.
  const std::string& last_failure() const noexcept { return last_failure_; }
  // Only once connected.
  Transport& transport() noexcept { return *transport_; }
  void wait_readable();
  void wait_writable();
  // Reads what TLS has buffered, or waits for more: on_readable() is called.
  void read_on();
  void close();

 private:
  using Endpoint = boost::asio::ip::tcp::endpoint;
  enum class Phase : unsigned char { kConnect, kHandshake, kConnected, kClosed };

  void resolved(const boost::system::error_code& error, std::size_t first_address);
  void connect_next();
  void connect_done(const boost::system::error_code& error);
  void continue_handshake();
  void established();
  void readable();
  void writable();

  const std::weak_ptr<ClientSocketOwner> owner_;
  const ClientOrigin& origin_;
  IoThread& thread_;
  const std::string alpn_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<Transport> transport_;
  Phase phase_ = Phase::kConnect;
  std::vector<Endpoint> endpoints_;
  std::size_t next_endpoint_ = 0;
  std::string last_failure_;
  bool read_waiting_ = false;
  bool write_waiting_ = false;
};

}  // namespace spanway::http
