// Exporters: a destination, and the consumer that reads Kafka for it.
#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/api/authority.h"
#include "operator/api/declaration_parts.h"
#include "operator/api/destination_fields.h"
#include "services/lib/base/ascii.h"
#include "services/lib/config/endpoint.h"
#include "services/lib/config/scalar.h"
#include "services/lib/otlp/signal.h"
#include "services/lib/sinks/destination.h"

namespace spanway::api {
namespace {

using Traits = sinks::Descriptor;
using sinks::Compressions;
using sinks::EndpointKind;

const Traits& traits_of(const Destination& d) { return sinks::descriptor_of(d.type); }

// Sets of types, by their traits.
bool takes_url(const Traits& t) {
  return t.endpoint == EndpointKind::kUrl || t.endpoint == EndpointKind::kOptionalUrl;
}
bool takes_host_port(const Traits& t) { return t.endpoint == EndpointKind::kHostPort; }
bool takes_path(const Traits& t) { return t.endpoint == EndpointKind::kPath; }
bool may_lack_url(const Traits& t) { return t.endpoint == EndpointKind::kOptionalUrl; }
bool needs_endpoint(const Traits& t) {
  return t.endpoint != EndpointKind::kNone && t.endpoint != EndpointKind::kOptionalUrl;
}
bool has_own_authentication(const Traits& t) { return t.own_authentication; }
bool takes_basic_auth(const Traits& t) { return takes_url(t) && !t.own_authentication; }
bool takes_bearer_token(const Traits& t) { return takes_host_port(t) || takes_basic_auth(t); }
bool lacks_zstd(const Traits& t) { return t.compressions == Compressions::kNoneAndGzip; }
bool lacks_gzip(const Traits& t) { return t.compressions == Compressions::kNoneAndZstd; }
bool has_own_compression(const Traits& t) { return t.compressions == Compressions::kOwn; }

// "'OtlpHttp', 'Zipkin'": the types of the set, for CEL; and how many they are.
std::pair<std::string, int> types_in_cel(bool (*has)(const Traits&)) {
  std::pair<std::string, int> list;
  for (const Traits& t : sinks::destinations()) {
    if (!has(t)) continue;
    list.first += (list.second++ == 0 ? "'" : ", '") + std::string(t.crd_name) + "'";
  }
  return list;
}
// "self.type in ['OtlpHttp', 'Zipkin']" or "self.type == 'File'"
std::string is_in_cel(bool (*has)(const Traits&)) {
  const auto [list, count] = types_in_cel(has);
  return count == 1 ? "self.type == " + list : "self.type in [" + list + "]";
}
std::string is_not_in_cel(bool (*has)(const Traits&)) {
  const auto [list, count] = types_in_cel(has);
  return count == 1 ? "self.type != " + list : "!(self.type in [" + list + "])";
}

// `spec.exporters[].destination.type`, in the order of DestinationType.
EnumNames destination_types() {
  EnumNames names;
  for (const sinks::Descriptor& d : sinks::destinations()) names.push_back(d.crd_name);
  return names;
}

// AWS, the S3 without an endpoint, is reached by https:// only.
bool is_https(const Destination& d) {
  return d.endpoint.starts_with("https://") || (may_lack_url(traits_of(d)) && d.endpoint.empty());
}

std::string_view without_scheme(std::string_view endpoint) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (endpoint.starts_with(scheme)) return endpoint.substr(scheme.size());
  return endpoint;
}

// Another rule refuses these; report an endpoint once.
bool has_user(const Destination& d) { return d.endpoint.find('@') != std::string::npos; }

void rule_on_endpoint(Fields& f, Destination& c) {
  static const std::string kNeeded = is_not_in_cel(needs_endpoint) + " || has(self.endpoint)";
  static const std::string kUrl = "!has(self.endpoint) || " + is_not_in_cel(takes_url) +
                                  " || self.endpoint.contains('@') || "
                                  "self.endpoint.matches('^https?://" SPANWAY_HOST_PATTERN
                                  "(:" SPANWAY_PORT_PATTERN ")?([/?].*)?$')";
  static const std::string kHostPort = "!has(self.endpoint) || " + is_not_in_cel(takes_host_port) +
                                       " || self.endpoint.contains('@') || "
                                       "self.endpoint.matches('^(https?://)?" SPANWAY_HOST_PATTERN
                                       ":" SPANWAY_PORT_PATTERN "/?$')";
  static const std::string kNoUser =
      "!has(self.endpoint) || " + is_in_cel(takes_path) + " || !self.endpoint.contains('@')";
  static const std::string kPath =
      "!has(self.endpoint) || " + is_not_in_cel(takes_path) +
      " || (self.endpoint.startsWith('/var/lib/spanway/') && !self.endpoint.endsWith('/') "
      "&& !(self.endpoint + '/').contains('/../'))";
  f.rule(c, {.field = "endpoint", .cel = kNeeded.c_str(), .message = "is needed with this type"},
         [](const Destination& d) { return !needs_endpoint(traits_of(d)) || !d.endpoint.empty(); });
  f.rule(c,
         {.field = "endpoint",
          .cel = kUrl.c_str(),
          .message = "must be a URL: http:// or https://, a host, and perhaps a port and a path"},
         [](const Destination& d) {
           if (d.endpoint.empty() || !takes_url(traits_of(d)) || has_user(d)) return true;
           const std::string_view rest = without_scheme(d.endpoint);
           return rest.size() < d.endpoint.size() &&
                  is_authority(rest.substr(0, rest.find_first_of("/?")), Port::kOptional);
         });
  f.rule(c,
         {.field = "endpoint",
          .cel = kHostPort.c_str(),
          .message = "must be host:port, with or without http:// or https:// before it"},
         [](const Destination& d) {
           if (d.endpoint.empty() || !takes_host_port(traits_of(d)) || has_user(d)) return true;
           std::string_view target = without_scheme(d.endpoint);
           if (target.ends_with('/')) target.remove_suffix(1);
           return is_authority(target, Port::kRequired);
         });
  f.rule(c,
         {.field = "endpoint",
          .cel = kNoUser.c_str(),
          .message = "must not hold a user or password: use basicAuth or headers with a "
                     "secretKeyRef"},
         [](const Destination& d) { return takes_path(traits_of(d)) || !has_user(d); });
  f.rule(
      c,
      {.field = "endpoint",
       .cel = kPath.c_str(),
       .message = "must be a file below /var/lib/spanway/, the only folder that the pod can write; "
                  "without .."},
      [](const Destination& d) {
        return d.endpoint.empty() || !takes_path(traits_of(d)) ||
               (d.endpoint.starts_with(std::string(kDataFolder) + "/") &&
                !d.endpoint.ends_with('/') && (d.endpoint + "/").find("/../") == std::string::npos);
      });
}

void rule_on_transport(Fields& f, Destination& c) {
  static const std::string kByScheme = "!self.tls.enabled || " + is_not_in_cel(takes_url) +
                                       " || !has(self.endpoint) || "
                                       "self.endpoint.startsWith('https://')";
  static const std::string kUsed =
      "self.tls.enabled || (has(self.endpoint) ? self.endpoint.startsWith('https://') : " +
      is_in_cel(may_lack_url) +
      ") || (!has(self.tls.caSecretName) && !has(self.tls.clientCertificateSecretName) && "
      "!has(self.tls.serverName))";
  static const std::string kZstd = is_not_in_cel(lacks_zstd) + " || self.compression != 'Zstd'";
  f.rule(c,
         {.field = "tls.enabled",
          .cel = kByScheme.c_str(),
          .message = "does not turn on TLS with this type: begin the endpoint with https://"},
         [](const Destination& d) {
           return !d.tls.enabled || !takes_url(traits_of(d)) || d.endpoint.empty() || is_https(d);
         });
  f.rule(c,
         {.field = "tls",
          .cel = kUsed.c_str(),
          .message = "is not used without TLS: set enabled, or begin the endpoint with https://"},
         [](const Destination& d) {
           return d.tls.enabled || is_https(d) ||
                  (d.tls.ca_secret_name.empty() && d.tls.client_certificate_secret_name.empty() &&
                   d.tls.server_name.empty());
         });
  f.rule(c, {.field = "compression", .cel = kZstd.c_str(), .message = kNoZstdMessage},
         [](const Destination& d) {
           return !lacks_zstd(traits_of(d)) || d.compression != Destination::Compression::kZstd;
         });
}

bool has_authorization_header(const Destination& d) {
  return std::any_of(d.headers.begin(), d.headers.end(),
                     [](const Header& h) { return to_lower(h.name) == "authorization"; });
}

void rule_on_authorization(Fields& f, Destination& c) {
  static const std::string kBasicAuth = "!has(self.basicAuth) || " + is_in_cel(takes_basic_auth);
  static const std::string kBearer =
      "!has(self.bearerTokenSecretKeyRef) || " + is_in_cel(takes_bearer_token);
  f.rule(c, {.field = "basicAuth", .cel = kBasicAuth.c_str(), .message = kBasicAuthMessage},
         [](const Destination& d) { return !d.basic_auth || takes_basic_auth(traits_of(d)); });
  f.rule(c,
         {.field = "bearerTokenSecretKeyRef",
          .cel = kBearer.c_str(),
          .message = "is not sent to this type"},
         [](const Destination& d) {
           return d.bearer_token.name.empty() || takes_bearer_token(traits_of(d));
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

// Texts of the rules on the section of a type. Readers keep pointers to them.
struct SectionRules {
  std::string section;
  std::string only_cel;
  std::string only_message;
  std::string needed_cel;
  std::string needed_message;
};

std::vector<SectionRules> section_rules() {
  std::vector<SectionRules> all;
  for (const DestinationFields& row : destination_fields()) {
    std::string type;
    for (const Traits& t : sinks::destinations())
      if (t.name == row.name) type = t.crd_name;
    const std::string section(row.section);
    all.push_back({section, "self.type == '" + type + "' || !has(self." + section + ")",
                   "is for type " + type,
                   "self.type != '" + type + "' || has(self." + section + ")",
                   "is needed with type " + type + ": " + row.needed_because});
  }
  return all;
}

// A section is for its type only, and needed where it has no defaults.
void rule_on_sections(Fields& f, const Destination& c) {
  static const std::vector<SectionRules> kRules = section_rules();
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    const SectionRules& texts = kRules[i];
    const DestinationFields& row = destination_fields()[i];
    const auto is_type = [&c, &row] { return sinks::to_string(c.type) == row.name; };
    f.rule_impl({.field = texts.section.c_str(),
                 .cel = texts.only_cel.c_str(),
                 .message = texts.only_message.c_str()},
                [is_type, &c, &row] { return is_type() || !row.has_section(c); });
    if (*row.needed_because == '\0') continue;
    f.rule_impl({.field = texts.section.c_str(),
                 .cel = texts.needed_cel.c_str(),
                 .message = texts.needed_message.c_str()},
                [is_type, &c, &row] { return !is_type() || row.has_section(c); });
  }
}

void describe_sections(Fields& f, Destination& c) {
  for (const DestinationFields& row : destination_fields()) row.describe(f, c, row);
  rule_on_sections(f, c);
  static const std::string kHeaders =
      is_not_in_cel(has_own_authentication) + " || !has(self.headers) || size(self.headers) == 0";
  static const std::string kCompression =
      "(" + is_not_in_cel(lacks_gzip) + " || self.compression != 'Gzip') && (" +
      is_not_in_cel(has_own_compression) + " || self.compression == 'Default')";
  f.rule(c, {.field = "headers", .cel = kHeaders.c_str(), .message = kHeadersMessage},
         [](const Destination& d) {
           return !has_own_authentication(traits_of(d)) || d.headers.empty();
         });
  f.rule(c, {.field = "compression", .cel = kCompression.c_str(), .message = kCompressionMessage},
         [](const Destination& d) {
           using Compression = Destination::Compression;
           const Traits& traits = traits_of(d);
           return (!lacks_gzip(traits) || d.compression != Compression::kGzip) &&
                  (!has_own_compression(traits) || d.compression == Compression::kDefault);
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
           const auto& takes = traits_of(e.destination).signals;
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
  f.field("enabled", c.enabled, {.doc = kTlsEnabledDoc});
  describe_client_tls(f, c.ca_secret_name, c.client_certificate_secret_name, c.server_name);
}

static void describe(Fields& f, Destination& c) {
  f.field("type", c.type, destination_types(), {.doc = kTypeDoc, .required = true});
  f.field("endpoint", c.endpoint,
          {.doc = kEndpointDoc,
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
  describe_sections(f, c);
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
