// One HTTP/2 connection of a stream client. For this module only.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "services/lib/http/client/client_socket.h"
#include "services/lib/http/client/http2_call.h"

struct nghttp2_session;

namespace spanway::http {

// Outlives the connections.
struct StreamTarget : ClientOrigin {
  Http2ClientOptions options;
};

class Http2ClientConnection;

// Called on the io thread, never from inside a call of the connection by the owner.
class Http2ClientConnectionOwner {
 public:
  virtual ~Http2ClientConnectionOwner() = default;
  // Streams can be submitted, or more than before.
  virtual void on_room() = 0;
  // The connection is closed, its streams have ended. `before_ready`: it never took a stream.
  virtual void on_closed(const std::shared_ptr<Http2ClientConnection>& connection,
                         bool before_ready, const Error& why) = 0;
};

// Single-thread: `thread`.
class Http2ClientConnection final : public std::enable_shared_from_this<Http2ClientConnection>,
                                    public ClientSocketOwner {
 public:
  Http2ClientConnection(std::weak_ptr<Http2ClientConnectionOwner> owner, const StreamTarget& target,
                        IoThread& thread);
  ~Http2ClientConnection() override;
  Http2ClientConnection(const Http2ClientConnection&) = delete;
  Http2ClientConnection& operator=(const Http2ClientConnection&) = delete;

  void open();
  bool ready() const noexcept { return phase_ == Phase::kReady; }
  bool connecting() const noexcept { return phase_ < Phase::kReady; }
  // Streams that can be submitted now.
  std::size_t room() const noexcept;
  // False when the server takes no more streams on this connection.
  bool submit(const std::shared_ptr<Http2Call>& call);
  // Resets the stream of a call that has ended, if it is on this connection.
  void reset(Http2Client::StreamId id);
  // Deadlines of the connection itself.
  void on_time(SteadyTime now);
  // Ends now, without a call of the owner; its streams end with `why`.
  void close(const Error& why);

 private:
  friend struct StreamCallbacksOfNghttp2;
  enum class Phase : unsigned char { kConnect, kSettings, kReady, kClosed };

  void on_attempt(std::size_t count) override;
  void on_connected() override;
  void on_connect_failed(Error error) override;
  void on_readable() override;
  void on_writable() override;
  void begin_session();
  void receive(std::string_view bytes);
  void flush();
  void on_time_connecting(SteadyTime now);
  void fail(Error error);
  void end_streams(const Error& why);
  // From nghttp2.
  void settings_received();
  void announce_room();
  void header(std::int32_t stream, std::string_view name, std::string_view value);
  void data(std::int32_t stream, std::string_view bytes);
  void stream_complete(std::int32_t stream);
  void stream_closed(std::int32_t stream, std::uint32_t error);
  Http2Call* find(std::int32_t stream);

  std::weak_ptr<Http2ClientConnectionOwner> owner_;
  const StreamTarget& target_;
  IoThread& thread_;
  std::shared_ptr<ClientSocket> socket_;  // From open() on.
  nghttp2_session* session_ = nullptr;
  Phase phase_ = Phase::kConnect;
  std::size_t addresses_ = 0;  // The name has so many.
  std::size_t attempts_ = 0;   // Addresses that were tried.
  std::unordered_map<std::int32_t, std::shared_ptr<Http2Call>> streams_;
  std::unordered_map<Http2Client::StreamId, std::int32_t> stream_of_;
  std::string out_;
  bool draining_ = false;  // The server has announced its end (GOAWAY).
  bool pinged_ = false;
  SteadyTime opened_at_;
  SteadyTime tried_at_;  // The current address.
  SteadyTime received_at_;
  SteadyTime used_at_;  // The last moment with a stream.
};

}  // namespace spanway::http
