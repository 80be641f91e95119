#include "services/lib/http/events.h"

#include <algorithm>

namespace spanway::http {
namespace {

constexpr std::array kSpecs{kConnectionsOpen,         kConnectionsTotal, kConnectionsRefusedTotal,
                            kConnectionsAbortedTotal, kStreamsOpen,      kReceivedBytesTotal,
                            kSentBytesTotal,          kRequestsTotal};

constexpr std::array<const char*, kRefusedReasons> kRefusedNames{
    "connections_max",  "connections_per_peer", "accept_error",
    "handshake_failed", "handshake_timeout",    "protocol"};
constexpr std::array<const char*, kAbortReasons> kAbortNames{
    "header_timeout",  "request_timeout", "write_stall",   "protocol_error", "flood",
    "headers_too_big", "rest_too_big",    "drain",         "evicted",        "stream_deadline",
    "memory",          "handler_aborted", "refused_stream"};
constexpr std::array<const char*, 5> kStatusClasses{"1xx", "2xx", "3xx", "4xx", "5xx"};
constexpr std::array<const char*, 2> kProtocols{"http1", "http2"};

}  // namespace

std::span<const telemetry::MetricSpec> metric_specs() noexcept { return kSpecs; }

ServerEvents::ServerEvents(telemetry::Telemetry telemetry, const std::string& listener)
    : telemetry_(telemetry), listener_(listener) {
  auto& metrics = telemetry_.metrics;
  connections_open_ = metrics.gauge(kConnectionsOpen, {{"listener", listener}});
  connections_ = metrics.counter(kConnectionsTotal, {{"listener", listener}});
  for (std::size_t i = 0; i < kRefusedReasons; ++i)
    refused_[i] = metrics.counter(kConnectionsRefusedTotal,
                                  {{"listener", listener}, {"reason", kRefusedNames[i]}});
  for (std::size_t i = 0; i < kAbortReasons; ++i)
    aborted_[i] = metrics.counter(kConnectionsAbortedTotal,
                                  {{"listener", listener}, {"reason", kAbortNames[i]}});
  streams_open_ = metrics.gauge(kStreamsOpen, {{"listener", listener}});
  received_bytes_ = metrics.counter(kReceivedBytesTotal, {{"listener", listener}});
  sent_bytes_ = metrics.counter(kSentBytesTotal, {{"listener", listener}});
  for (std::size_t protocol = 0; protocol < kProtocols.size(); ++protocol)
    for (std::size_t status = 0; status < kStatusClasses.size(); ++status)
      requests_[protocol][status] =
          metrics.counter(kRequestsTotal, {{"listener", listener},
                                           {"protocol", kProtocols[protocol]},
                                           {"status", kStatusClasses[status]}});
}

void ServerEvents::listening(const std::string& address, std::uint16_t port, bool tls) const {
  telemetry_.log.info("Listening", {{"listener", listener_},
                                    {"address", address},
                                    {"port", static_cast<unsigned>(port)},
                                    {"tls", tls}});
}

void ServerEvents::connections_lowered(std::size_t configured, std::size_t allowed) const {
  telemetry_.log.warn("Fewer connections than configured: the process may not open as many files",
                      {{"listener", listener_},
                       {"connections_max", configured},
                       {"allowed", allowed},
                       {"hint", "raise its limit of open files (ulimit -n, LimitNOFILE)"}});
}

void ServerEvents::accept_failed(const std::string& error) const {
  count_refused(RefusedReason::kAcceptError);
  telemetry_.log.limited(telemetry::LogLevel::kError, "http_accept",
                         "Cannot take connections; trying again in 100 ms",
                         {{"listener", listener_}, {"error", error}});
}

void ServerEvents::connection_opened() const noexcept {
  connections_open_.add(1);
  connections_.add();
}

void ServerEvents::connection_closed() const noexcept { connections_open_.add(-1); }

void ServerEvents::count_refused(RefusedReason reason) const noexcept {
  refused_[static_cast<std::size_t>(reason)].add();
}

void ServerEvents::connection_refused(std::string_view peer, RefusedReason reason) const {
  count_refused(reason);
  if (!telemetry_.log.enabled(telemetry::LogLevel::kDebug)) return;
  telemetry_.log.limited(telemetry::LogLevel::kDebug, "http_connection_refused",
                         "Connection refused",
                         {{"listener", listener_},
                          {"peer", peer},
                          {"reason", kRefusedNames[static_cast<std::size_t>(reason)]}});
}

void ServerEvents::handshake_failed(const std::string& peer, const std::string& error) const {
  count_refused(RefusedReason::kHandshakeFailed);
  telemetry_.log.limited(telemetry::LogLevel::kWarn, "http_handshake", "TLS handshake failed",
                         {{"listener", listener_}, {"peer", peer}, {"error", error}});
}

void ServerEvents::tls_arrived(const std::string& peer, const std::string& tls_section) const {
  count_refused(RefusedReason::kProtocol);
  const std::string client = "let the client use http:// (gRPC: no TLS)";
  telemetry_.log.limited(
      telemetry::LogLevel::kWarn, "http_tls_arrived",
      "Connection refused: the client speaks TLS, and this port does not",
      {{"listener", listener_},
       {"peer", peer},
       {"hint", tls_section.empty() ? client
                                    : "set " + tls_section + ".certificate_file and " +
                                          tls_section + ".key_file, or " + client}});
}

void ServerEvents::plain_text_arrived(const std::string& peer,
                                      const std::string& tls_section) const {
  count_refused(RefusedReason::kHandshakeFailed);
  telemetry_.log.limited(telemetry::LogLevel::kWarn, "http_plain_text_arrived",
                         "Connection refused: the client speaks plain text, and this port is TLS",
                         {{"listener", listener_},
                          {"peer", peer},
                          {"hint", "let the client use https:// (gRPC: TLS), or remove " +
                                       tls_section + ".certificate_file to serve plain text"}});
}

void ServerEvents::aborted(const Place& place, AbortReason reason) const {
  const auto index = static_cast<std::size_t>(reason);
  aborted_[index].add();
  if (!telemetry_.log.enabled(telemetry::LogLevel::kDebug)) return;
  telemetry_.log.limited(telemetry::LogLevel::kDebug, kAbortNames[index],
                         place.stream == 0 ? "Connection aborted" : "Stream aborted",
                         {{"listener", listener_},
                          {"peer", place.peer},
                          {"stream", place.stream},
                          {"reason", kAbortNames[index]}});
}

void ServerEvents::reset_by_peer(const Place& place, std::uint32_t error) const {
  if (!telemetry_.log.enabled(telemetry::LogLevel::kDebug)) return;
  telemetry_.log.limited(telemetry::LogLevel::kDebug, "http_stream_reset",
                         "Stream reset by the peer",
                         {{"listener", listener_},
                          {"peer", place.peer},
                          {"stream", place.stream},
                          {"error_code", error}});
}

void ServerEvents::closed_by_peer(const Place& place) const {
  if (!telemetry_.log.enabled(telemetry::LogLevel::kDebug)) return;
  telemetry_.log.limited(telemetry::LogLevel::kDebug, "http_closed_by_peer",
                         "Peer closed the connection before the end of its request or answer",
                         {{"listener", listener_}, {"peer", place.peer}, {"stream", place.stream}});
}

void ServerEvents::connection_lost(std::string_view peer, const std::string& error) const {
  if (!telemetry_.log.enabled(telemetry::LogLevel::kDebug)) return;
  telemetry_.log.limited(telemetry::LogLevel::kDebug, "http_connection_lost", "Connection lost",
                         {{"listener", listener_}, {"peer", peer}, {"error", error}});
}

void ServerEvents::answered(Protocol protocol, int status) const noexcept {
  const int status_class = std::clamp(status / 100, 1, 5) - 1;
  requests_[protocol == Protocol::kHttp2 ? 1 : 0][static_cast<std::size_t>(status_class)].add();
}

}  // namespace spanway::http
