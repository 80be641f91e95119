#include "services/lib/endpoint_config/listener_config.h"

#include <utility>

#include "services/lib/config/endpoint.h"

namespace spanway {
namespace {

constexpr double kMebi = 1024.0 * 1024.0;
constexpr double kSecond = 1000.0;

}  // namespace

void describe_connection_limits(config::Binder& b, ConnectionLimitsConfig& c) {
  b.key("header_bytes_max", c.header_bytes_max,
        {.doc = "Header bytes of a request.", .min = 1024, .max = kMebi});
  b.key("header_count_max", c.header_count_max,
        {.doc = "Header fields of a request.", .min = 8, .max = 1000});
  b.key("streams_max", c.streams_max,
        {.doc = "Requests at once on an HTTP/2 connection.", .min = 1, .max = 10'000});
  b.key("stream_window", c.stream_window,
        {.doc = "HTTP/2 flow-control window of a request.", .min = 16 * 1024, .max = 64 * kMebi});
  b.key(
      "connection_window", c.connection_window,
      {.doc = "HTTP/2 flow-control window of a connection.", .min = 64 * 1024, .max = 256 * kMebi});
  b.key(
      "connections_max", c.connections_max,
      {.doc = "Open connections of a listener; a third of the open files that the process may have "
              "is the most. At the limit the longest idle one makes room.",
       .min = 1,
       .max = 1'000'000});
  b.key("connections_per_peer_max", c.connections_per_peer_max,
        {.doc = "Open connections from one address; 0 = three quarters of connections_max. At the "
                "limit the longest idle one of that address makes room. Set it lower only where "
                "clients keep their own addresses.",
         .min = 0,
         .max = 1'000'000});
  b.key("handshake_timeout", c.handshake_timeout,
        {.doc = "For the TLS handshake.", .min = 100, .max = 300 * kSecond});
  b.key("header_timeout", c.header_timeout,
        {.doc = "For the headers of a request.", .min = 100, .max = 300 * kSecond});
  b.key("idle_timeout", c.idle_timeout,
        {.doc = "A connection without a request is closed after this.",
         .min = 1 * kSecond,
         .max = 3600 * kSecond});
  b.key("connection_age_max", c.connection_age_max,
        {.doc = "A connection is drained at this age (+-10 %), so that clients find new replicas.",
         .min = 1 * kSecond,
         .max = 86'400 * kSecond});
  b.key("connection_age_grace", c.connection_age_grace,
        {.doc = "After that, requests still running are given this long.",
         .min = 0,
         .max = 3600 * kSecond});
}

void validate(const ConnectionLimitsConfig& c, const std::string& path,
              config::Problems& problems) {
  if (c.stream_window > c.connection_window)
    problems.add(path + ".stream_window", "must not be above " + path + ".connection_window");
  if (c.connections_per_peer_max > c.connections_max)
    problems.add(path + ".connections_per_peer_max",
                 "must not be above " + path + ".connections_max");
}

void describe_listener(config::Binder& b, OtlpListenerConfig& c, const char* host_alias) {
  b.key("host", c.host,
        {.doc = "Address to listen on; 0.0.0.0 for all. The default is reachable from this machine "
                "only.",
         .alias = host_alias,
         .example = "0.0.0.0"});
  b.section("tls", c.tls, "TLS of the listeners.");
}

void validate(const OtlpListenerConfig& c, const std::string& path, config::Problems& problems) {
  if (std::string problem = config::listen_host_problem(c.host); !problem.empty())
    problems.add(path + ".host", std::move(problem));
  validate(c.tls, path + ".tls", problems);
}

}  // namespace spanway
