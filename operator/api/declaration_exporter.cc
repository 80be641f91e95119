// Exporters: a destination, and the consumer that reads Kafka for it.
#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

#include "operator/api/authority.h"
#include "operator/api/declaration_parts.h"
#include "services/lib/base/ascii.h"
#include "services/lib/config/endpoint.h"
#include "services/lib/config/scalar.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/sinks/destination.h"

namespace spanway::api {
namespace {

using Type = Destination::Type;

bool takes_url(sinks::EndpointKind kind) {
  return kind == sinks::EndpointKind::kUrl || kind == sinks::EndpointKind::kOptionalUrl;
}

bool is_http(const Destination& d) { return takes_url(sinks::descriptor_of(d.type).endpoint); }

bool needs_endpoint(sinks::EndpointKind kind) {
  return kind != sinks::EndpointKind::kNone && kind != sinks::EndpointKind::kOptionalUrl;
}

// "'OtlpHttp', 'Zipkin'": the types whose endpoint is of such a kind, for CEL.
std::string types_in_cel(bool (*has)(sinks::EndpointKind kind)) {
  std::string list;
  for (const sinks::Descriptor& d : sinks::destinations()) {
    if (!has(d.endpoint)) continue;
    list += (list.empty() ? "'" : ", '") + std::string(d.crd_name) + "'";
  }
  return "[" + list + "]";
}

// `spec.exporters[].destination.type`, in the order of DestinationType.
EnumNames destination_types() {
  EnumNames names;
  for (const sinks::Descriptor& d : sinks::destinations()) names.push_back(d.crd_name);
  return names;
}

// AWS, the S3 without an endpoint, is reached by https:// only.
bool is_https(const Destination& d) {
  return d.endpoint.starts_with("https://") || (d.type == Type::kS3 && d.endpoint.empty());
}

std::string_view without_scheme(std::string_view endpoint) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (endpoint.starts_with(scheme)) return endpoint.substr(scheme.size());
  return endpoint;
}

// Another rule refuses these; report an endpoint once.
bool has_user(const Destination& d) { return d.endpoint.find('@') != std::string::npos; }

void rule_on_endpoint(Fields& f, Destination& c) {
  static const std::string kNeeded =
      "!(self.type in " + types_in_cel(needs_endpoint) + ") || has(self.endpoint)";
  static const std::string kUrl = "!has(self.endpoint) || !(self.type in " +
                                  types_in_cel(takes_url) +
                                  ") || self.endpoint.contains('@') || "
                                  "self.endpoint.matches('^https?://" SPANWAY_HOST_PATTERN
                                  "(:" SPANWAY_PORT_PATTERN ")?([/?].*)?$')";
  f.rule(c, {.field = "endpoint", .cel = kNeeded.c_str(), .message = "is needed with this type"},
         [](const Destination& d) {
           return !needs_endpoint(sinks::descriptor_of(d.type).endpoint) || !d.endpoint.empty();
         });
  f.rule(c,
         {.field = "endpoint",
          .cel = kUrl.c_str(),
          .message = "must be a URL: http:// or https://, a host, and perhaps a port and a path"},
         [](const Destination& d) {
           if (d.endpoint.empty() || !is_http(d) || has_user(d)) return true;
           const std::string_view rest = without_scheme(d.endpoint);
           return rest.size() < d.endpoint.size() &&
                  is_authority(rest.substr(0, rest.find_first_of("/?")), Port::kOptional);
         });
  f.rule(c,
         {.field = "endpoint",
          .cel = "!has(self.endpoint) || self.type != 'OtlpGrpc' || "
                 "self.endpoint.contains('@') || "
                 "self.endpoint.matches('^(https?://)?" SPANWAY_HOST_PATTERN
                 ":" SPANWAY_PORT_PATTERN "/?$')",
          .message = "must be host:port, with or without http:// or https:// before it"},
         [](const Destination& d) {
           if (d.endpoint.empty() || d.type != Type::kOtlpGrpc || has_user(d)) return true;
           std::string_view target = without_scheme(d.endpoint);
           if (target.ends_with('/')) target.remove_suffix(1);
           return is_authority(target, Port::kRequired);
         });
  f.rule(c,
         {.field = "endpoint",
          .cel = "!has(self.endpoint) || self.type == 'File' || !self.endpoint.contains('@')",
          .message = "must not hold a user or password: use basicAuth or headers with a "
                     "secretKeyRef"},
         [](const Destination& d) { return d.type == Type::kFile || !has_user(d); });
  f.rule(
      c,
      {.field = "endpoint",
       .cel = "!has(self.endpoint) || self.type != 'File' || "
              "(self.endpoint.startsWith('/var/lib/spanway/') && !self.endpoint.endsWith('/') "
              "&& !(self.endpoint + '/').contains('/../'))",
       .message = "must be a file below /var/lib/spanway/, the only folder that the pod can write; "
                  "without .."},
      [](const Destination& d) {
        return d.endpoint.empty() || d.type != Type::kFile ||
               (d.endpoint.starts_with(std::string(kDataFolder) + "/") &&
                !d.endpoint.ends_with('/') && (d.endpoint + "/").find("/../") == std::string::npos);
      });
}

void rule_on_transport(Fields& f, Destination& c) {
  static const std::string kByScheme = "!self.tls.enabled || !(self.type in " +
                                       types_in_cel(takes_url) +
                                       ") || !has(self.endpoint) || "
                                       "self.endpoint.startsWith('https://')";
  f.rule(c,
         {.field = "tls.enabled",
          .cel = kByScheme.c_str(),
          .message = "does not turn on TLS with this type: begin the endpoint with https://"},
         [](const Destination& d) {
           return !d.tls.enabled || !is_http(d) || d.endpoint.empty() || is_https(d);
         });
  f.rule(c,
         {.field = "tls",
          .cel = "self.tls.enabled || (has(self.endpoint) ? self.endpoint.startsWith('https://') : "
                 "self.type == 'S3') || (!has(self.tls.caSecretName) && "
                 "!has(self.tls.clientCertificateSecretName) && "
                 "!has(self.tls.serverName))",
          .message = "is not used without TLS: set enabled, or begin the endpoint with https://"},
         [](const Destination& d) {
           return d.tls.enabled || is_https(d) ||
                  (d.tls.ca_secret_name.empty() && d.tls.client_certificate_secret_name.empty() &&
                   d.tls.server_name.empty());
         });
  f.rule(c,
         {.field = "compression",
          .cel = "self.type != 'OtlpGrpc' || self.compression != 'Zstd'",
          .message = "Zstd is not for OtlpGrpc: use Gzip or None"},
         [](const Destination& d) {
           return d.type != Type::kOtlpGrpc || d.compression != Destination::Compression::kZstd;
         });
}

bool takes_basic_auth(const Destination& d) {
  return is_http(d) && d.type != Type::kClickHouse && d.type != Type::kS3;
}

bool has_authorization_header(const Destination& d) {
  return std::any_of(d.headers.begin(), d.headers.end(),
                     [](const Header& h) { return to_lower(h.name) == "authorization"; });
}

void rule_on_authorization(Fields& f, Destination& c) {
  f.rule(c,
         {.field = "basicAuth",
          .cel = "!has(self.basicAuth) || self.type in ['OtlpHttp', 'Zipkin', 'Loki', "
                 "'PrometheusRemoteWrite']",
          .message = "is not for this type: ClickHouse has clickhouse.username, OtlpGrpc has "
                     "headers and bearerTokenSecretKeyRef"},
         [](const Destination& d) { return !d.basic_auth || takes_basic_auth(d); });
  f.rule(c,
         {.field = "bearerTokenSecretKeyRef",
          .cel = "!has(self.bearerTokenSecretKeyRef) || self.type in ['OtlpGrpc', 'OtlpHttp', "
                 "'Zipkin', 'Loki', 'PrometheusRemoteWrite']",
          .message = "is not sent to this type"},
         [](const Destination& d) {
           return d.bearer_token.name.empty() || d.type == Type::kOtlpGrpc || takes_basic_auth(d);
         });
  f.rule(c,
         {.field = "basicAuth",
          .cel = "(has(self.basicAuth) ? 1 : 0) + (has(self.bearerTokenSecretKeyRef) ? 1 : 0) + "
                 "(has(self.headers) && self.headers.exists(h, h.name.lowerAscii() == "
                 "'authorization') ? 1 : 0) <= 1",
          .message = "and bearerTokenSecretKeyRef and the header authorization are one header: "
                     "use one of them"},
         [](const Destination& d) {
           return static_cast<int>(d.basic_auth.has_value()) +
                      static_cast<int>(!d.bearer_token.name.empty()) +
                      static_cast<int>(has_authorization_header(d)) <=
                  1;
         });
}

constexpr std::array<std::string_view, 5> kOwnHeaders = {
    "content-type", "content-encoding", "content-length", "host", "transfer-encoding"};

// Reserved suffixes of object names. With these reserved and no "--" in a name, the name of an
// object identifies its Pipeline and exporter.
constexpr std::array<std::string_view, 10> kReservedSuffixes = {
    "ingress", "bridge",   "topics", "consumer", "canary",
    "admin",   "headless", "query",  "migrate",  "compact"};

bool has_reserved_suffix(const std::string& name) {
  const std::string dashed = "-" + name;
  return std::any_of(
      kReservedSuffixes.begin(), kReservedSuffixes.end(),
      [&dashed](std::string_view suffix) { return dashed.ends_with("-" + std::string(suffix)); });
}

// "Traces"
std::string signal_word(otlp::Signal signal) {
  std::string word(otlp::to_string(signal));
  word.front() = static_cast<char>(word.front() - 'a' + 'A');
  return word;
}

// For each type that does not take all: "self.destination.type != 'Zipkin' || self.signals.all(s,
// s in ['Traces'])".
std::string signals_in_cel() {
  std::string rules;
  for (const sinks::Descriptor& d : sinks::destinations()) {
    std::string taken;
    std::size_t count = 0;
    for (const otlp::Signal signal : otlp::kSignals) {
      if (!d.signals[otlp::index_of(signal)]) continue;
      taken += (count++ == 0 ? "'" : ", '") + signal_word(signal) + "'";
    }
    if (count == otlp::kSignals.size()) continue;
    rules +=
        (rules.empty() ? "" : " && ") + ("(self.destination.type != '" + std::string(d.crd_name) +
                                         "' || self.signals.all(s, s in [" + taken + "]))");
  }
  return "!has(self.signals) || (" + rules + ")";
}

void rule_on_exporter(Fields& f, Exporter& c) {
  f.rule(c,
         {.field = "name",
          .cel = "!('-' + self.name).matches('-(ingress|bridge|topics|consumer|canary|admin|"
                 "headless|query|migrate|compact)$')",
          .message = "must not be or end in ingress, bridge, topics, consumer, canary, admin, "
                     "headless, query, migrate or compact: names of other objects do"},
         [](const Exporter& e) { return !has_reserved_suffix(e.name); });
  f.rule(c,
         {.field = "name",
          .cel = "!self.name.contains('--')",
          .message = "must not hold two dashes in a row: they separate the names of Pipeline and "
                     "exporter"},
         [](const Exporter& e) { return e.name.find("--") == std::string::npos; });
  static const std::string kTaken = signals_in_cel();
  f.rule(c,
         {.field = "signals",
          .cel = kTaken.c_str(),
          .message = "names a signal that this type does not take"},
         [](const Exporter& e) {
           const auto& takes = sinks::descriptor_of(e.destination.type).signals;
           return std::all_of(otlp::kSignals.begin(), otlp::kSignals.end(), [&](otlp::Signal s) {
             return takes[otlp::index_of(s)] || std::find(e.signals.begin(), e.signals.end(),
                                                          signal_word(s)) == e.signals.end();
           });
         });
}

}  // namespace

// Not in the unnamed namespace: Fields finds them next to their types.
static void describe(Fields& f, Header& c) {
  f.field("name", c.name,
          {.doc = "Its name, in any case; sent in lower case.",
           .pattern = "[A-Za-z0-9_.-]+",
           .length_max = 100,
           .required = true});
  f.field("value", c.value,
          {.doc = "Its value, in clear text.", .pattern = "[ -~]*", .length_max = 1024});
  f.optional("secretKeyRef", c.secret, {.doc = "The key with its value, when that is a secret."});
  f.rule(c,
         {.cel = "has(self.value) != has(self.secretKeyRef)",
          .message = "needs exactly one of value and secretKeyRef"},
         [](const Header& h) { return h.value.empty() == h.secret.has_value(); });
  f.rule(c,
         {.field = "name",
          .cel = "!(self.name.lowerAscii() in ['content-type', 'content-encoding', "
                 "'content-length', 'host', 'transfer-encoding'])",
          .message = "is set by the exporter itself"},
         [](const Header& h) {
           return std::find(kOwnHeaders.begin(), kOwnHeaders.end(), to_lower(h.name)) ==
                  kOwnHeaders.end();
         });
}

void describe_client_tls(Fields& f, std::string& ca_secret_name,
                         std::string& client_certificate_secret_name, std::string& server_name) {
  describe_secret_name(f, "caSecretName", ca_secret_name, Presence::kOptional,
                       "Secret with ca.crt. Unset = the system's authorities.");
  describe_secret_name(f, "clientCertificateSecretName", client_certificate_secret_name,
                       Presence::kOptional, "Secret with tls.crt and tls.key, for mutual TLS.");
  f.field(
      "serverName", server_name,
      {.doc = "The name that the server's certificate must have, when it differs from the host.",
       .pattern = "[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?"});
}

static void describe(Fields& f, Destination::BasicAuth& c) {
  f.field("username", c.username,
          {.doc = "User name.",
           .pattern = "[^:\\x00-\\x1f\\x7f]+",
           .length_max = 256,
           .required = true});
  f.object("passwordSecretKeyRef", c.password,
           {.doc = "The key with its password.", .required = true});
}

static void describe(Fields& f, Destination::Tls& c) {
  f.field("enabled", c.enabled,
          {.doc = "Speak TLS. For OtlpGrpc; with other types the endpoint begins with https://."});
  describe_client_tls(f, c.ca_secret_name, c.client_certificate_secret_name, c.server_name);
}

static void describe(Fields& f, Destination& c) {
  f.field("type", c.type, destination_types(),
          {.doc = "Protocol of the destination. Debug writes what arrives to the exporter's log.",
           .required = true});
  f.field("endpoint", c.endpoint,
          {.doc = "OtlpGrpc: host:port. OtlpHttp: base URL, /v1/traces and so on are appended. "
                  "ClickHouse, Loki, PrometheusRemoteWrite, Zipkin: URL. S3: URL of a server, "
                  "unset = AWS. File: a path below "
                  "/var/lib/spanway/, with {signal} for the signal.",
           .example = "tempo.observability:4317",
           .pattern = "[!-~]+",
           .length_max = 1024});
  f.list("headers", c.headers, {.doc = "Sent with each request."});
  f.optional("basicAuth", c.basic_auth,
             {.doc = "Basic authentication, for types that speak HTTP."});
  describe_optional_key(f, "bearerTokenSecretKeyRef", c.bearer_token,
                        "The key with a token that is sent as `authorization: Bearer <token>`.");
  f.object("tls", c.tls, {.doc = "TLS to the destination."});
  f.field("compression", c.compression, {"Default", "None", "Gzip", "Zstd"},
          {.doc = "Compression of requests. Default: by the type."});
  f.field("timeout", c.timeout, {.doc = "Deadline of one request.", .min = 100, .max = 300'000});
  describe_storage(f, c);
  rule_on_endpoint(f, c);
  rule_on_transport(f, c);
  rule_on_authorization(f, c);
  f.rule(c,
         {.field = "headers",
          .cel = "!has(self.headers) || self.headers.all(h, self.headers.exists_one(o, "
                 "o.name.lowerAscii() == h.name.lowerAscii()))",
          .message = "must not name a header twice: the case of its name makes no difference"},
         [](const Destination& d) {
           std::set<std::string> names;
           return std::all_of(d.headers.begin(), d.headers.end(), [&names](const Header& h) {
             return names.insert(to_lower(h.name)).second;
           });
         });
}

static void describe(Fields& f, Consumer& c) {
  describe_replicas(
      f, c.replicas,
      "Pods; not applied with `autoscaling`. Pods beyond the number of partitions would be idle.");
  f.field("startFrom", c.start_from, {"Latest", "Earliest"},
          {.doc = "Where an exporter without committed offsets starts."});
  f.optional("autoscaling", c.autoscaling, {.doc = "By the operator, from lag in seconds."});
  describe_pods(f, c.pods, c.config,
                "Settings of spanway-kafka-bridge that have no field here, in its own keys "
                "(CONFIG.md).");
}

void describe(Fields& f, Exporter& c) {
  f.field("name", c.name,
          {.doc = "Names its objects, its consumer group and its dead letters: another name is "
                  "another exporter, which starts without committed offsets.",
           .pattern = kLabelPattern,
           .length_max = 38,
           .required = true});
  f.field("paused", c.paused, {.doc = "Send nothing; the data stays in Kafka."});
  f.words("signals", c.signals, {"Traces", "Metrics", "Logs"},
          {.doc = "Signals to send. Unset = all that the type supports."});
  f.object("destination", c.destination, {.doc = "Where the data is sent.", .required = true});
  describe_replicas(f, c.replicas, "Exporter pods; not applied with `autoscaling`.");
  f.optional("autoscaling", c.autoscaling, {.doc = "A HorizontalPodAutoscaler by CPU."});
  describe_pods(
      f, c.pods, c.config,
      "Settings of spanway-exporter that have no field here, in its own keys (CONFIG.md).");
  f.object("consumer", c.consumer, {.doc = "The bridge that reads Kafka for this exporter."});
  rule_on_exporter(f, c);
}

}  // namespace spanway::api
