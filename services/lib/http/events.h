// Metrics and logs of the server.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "services/lib/http/message.h"
#include "services/lib/telemetry/metrics.h"
#include "services/lib/telemetry/telemetry.h"

namespace spanway::http {

inline constexpr telemetry::MetricSpec kConnectionsOpen{
    "spanway_http_connections_open", telemetry::MetricKind::kGauge,
    "Connections that are open now.", "listener"};
inline constexpr telemetry::MetricSpec kConnectionsTotal{
    "spanway_http_connections_total", telemetry::MetricKind::kCounter,
    "Connections taken since the start.", "listener"};
inline constexpr telemetry::MetricSpec kConnectionsRefusedTotal{
    "spanway_http_connections_refused_total", telemetry::MetricKind::kCounter,
    "Connections closed before a request was read, or not taken at all.", "listener,reason"};
inline constexpr telemetry::MetricSpec kConnectionsAbortedTotal{
    "spanway_http_connections_cut_total", telemetry::MetricKind::kCounter,
    "Connections and streams ended by the server because of the peer's behaviour.",
    "listener,reason"};
inline constexpr telemetry::MetricSpec kStreamsOpen{
    "spanway_http_streams_open", telemetry::MetricKind::kGauge,
    "Requests that are being read, handled or answered now.", "listener"};
inline constexpr telemetry::MetricSpec kReceivedBytesTotal{
    "spanway_http_received_bytes_total", telemetry::MetricKind::kCounter,
    "Bytes read from connections, after TLS.", "listener"};
inline constexpr telemetry::MetricSpec kSentBytesTotal{
    "spanway_http_sent_bytes_total", telemetry::MetricKind::kCounter,
    "Bytes written to connections, before TLS.", "listener"};
inline constexpr telemetry::MetricSpec kRequestsTotal{
    "spanway_http_requests_total", telemetry::MetricKind::kCounter,
    "Requests answered, by protocol and class of the status.", "listener,protocol,status"};

// For METRICS.md.
std::span<const telemetry::MetricSpec> metric_specs() noexcept;

enum class RefusedReason : unsigned char {
  kConnectionsMax,
  kConnectionsPerPeer,
  kAcceptError,
  kHandshakeFailed,
  kHandshakeTimeout,
  kProtocol,  // Neither protocol that this port speaks.
};
inline constexpr std::size_t kRefusedReasons = 6;

enum class AbortReason : unsigned char {
  kHeaderTimeout,
  kRequestTimeout,
  kWriteStall,
  kProtocolError,
  kFlood,  // Frames or resets out of proportion to the requests.
  kHeadersTooBig,
  kRestTooBig,  // The rest of a body that was already answered.
  kDrain,       // Still open at the end of the grace.
  kEvicted,     // Idle; closed in favour of another at a limit of connections or of their memory.
  kStreamDeadline,  // A streamed answer was not finished by its deadline.
  kMemory,          // No memory for its state, or among the newest when memory was at its limit.
  kHandlerAborted,  // The handler gave up its streamed answer.
  kRefusedStream,   // Beyond the limit of streams, or of answers that wait for the peer.
};
inline constexpr std::size_t kAbortReasons = 13;

// Thread-safe.
class ServerEvents {
 public:
  ServerEvents(telemetry::Telemetry telemetry, const std::string& listener);

  void listening(const std::string& address, std::uint16_t port, bool tls) const;
  void connections_lowered(std::size_t configured, std::size_t allowed) const;
  void accept_failed(const std::string& error) const;
  void connection_opened() const noexcept;
  void connection_closed() const noexcept;
  // Counted, and logged at level debug.
  void connection_refused(std::string_view peer, RefusedReason reason) const;
  void handshake_failed(const std::string& peer, const std::string& error) const;
  // A client that uses TLS where this listener does not, or the reverse. `tls_section` is that of
  // the configuration; empty = this listener never has TLS.
  void tls_arrived(const std::string& peer, const std::string& tls_section) const;
  void plain_text_arrived(const std::string& peer, const std::string& tls_section) const;
  // A connection, or the stream of a request on it, was aborted: counted, and logged at level
  // debug.
  struct Place {
    std::string_view peer;
    std::uint64_t stream = 0;  // 0 = the whole connection.
  };
  void aborted(const Place& place, AbortReason reason) const;
  // The peer reset a stream with an HTTP/2 error code, closed the connection before the end of a
  // request or answer, or the connection was lost: logged only, at level debug.
  void reset_by_peer(const Place& place, std::uint32_t error) const;
  void closed_by_peer(const Place& place) const;
  void connection_lost(std::string_view peer, const std::string& error) const;
  void stream_opened() const noexcept { streams_open_.add(1); }
  void stream_closed() const noexcept { streams_open_.add(-1); }
  void received(std::size_t bytes) const noexcept {
    received_bytes_.add(static_cast<double>(bytes));
  }
  void sent(std::size_t bytes) const noexcept { sent_bytes_.add(static_cast<double>(bytes)); }
  void answered(Protocol protocol, int status) const noexcept;

 private:
  void count_refused(RefusedReason reason) const noexcept;

  const telemetry::Telemetry telemetry_;
  const std::string listener_;
  telemetry::Gauge connections_open_;
  telemetry::Counter connections_;
  std::array<telemetry::Counter, kRefusedReasons> refused_;
  std::array<telemetry::Counter, kAbortReasons> aborted_;
  telemetry::Gauge streams_open_;
  telemetry::Counter received_bytes_;
  telemetry::Counter sent_bytes_;
  std::array<std::array<telemetry::Counter, 5>, 2> requests_;
};

}  // namespace spanway::http
